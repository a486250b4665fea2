#!/usr/bin/env python3
"""schemathesis against `kith serve`, by what the server says in /openapi.json.

Requests are made from the description, right ones and wrong ones. No answer may have a
status of 500 or more, or a status, a type or a shape that the description does not
have; wrong data has to be refused, right data taken. The server is writable, and its
collections have to be whole afterwards. Prints TAP; skipped where schemathesis is not
installed (tools/setup makes an environment that has it).

usage: schemathesis_run.py KITH SECONDS [OPTION OF SCHEMATHESIS...]

    schemathesis_run.py build/tools/kith 600
"""

import importlib.util
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from tap import Tap, skip_all
from work import REAL, ROOT, Work

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
# Beyond the time it was given: requests that have begun, and the report.
GRACE_SECONDS = 120


def attack(work, url, seconds, options):
    """Exit status and report of schemathesis."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(CONFIGURATION),
            "--no-color",
            "run",
            f"{url}/openapi.json",
            "--checks",
            "all",
            "--max-time",
            str(seconds),
            "--generation-database",
            "none",
            *options,
        ],
        cwd=work.folder,
        env=work.env,
        stdin=subprocess.DEVNULL,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + GRACE_SECONDS,
    )
    return done.returncode, done.stdout


def check_report(tap, seconds, status, report):
    tap.check(
        f"{seconds} s: nothing but what the description says",
        status == 0,
        "see the report below",
    )
    if status != 0:
        for line in report.splitlines():
            print(f"# {line}")
    for line in report.splitlines():
        if re.search(r"generated|API Operations|Selected:|Tested:|Seed:", line):
            print(f"# {line.strip()}")


def main():
    if len(sys.argv) < 3 or not sys.argv[2].isdigit():
        sys.exit(__doc__)
    if importlib.util.find_spec("schemathesis") is None:
        skip_all("no schemathesis: tools/setup makes an environment that has it")
    seconds = int(sys.argv[2])
    tap = Tap()
    with Work(sys.argv[1], REAL) as work:
        work.run("index", "faq.kith", ROOT / "docs/samples/faq.jsonl", "--quiet")
        work.run(
            "index", "texts.kith", ROOT / "docs/samples/faq-queries.jsonl", "--quiet"
        )
        with work.serve("faq.kith", "texts.kith", "--writable") as server:
            status, report = attack(work, server.url, seconds, sys.argv[3:])
            check_report(tap, seconds, status, report)
            with urllib.request.urlopen(f"{server.url}/healthz", timeout=10) as answer:
                tap.equal("the server still answers", answer.status, 200)
            tap.equal("and has not ended meanwhile", server.status, None)
        tap.equal("SIGTERM ends it with status 0", server.status, 0)
        for name in "faq", "texts":
            whole = work.attempt("verify", f"{name}.kith")
            tap.check(
                f"{name}: every byte is as its checksums say",
                whole.returncode == 0,
                whole.stdout.decode(),
                whole.stderr,
            )
    tap.finish()


if __name__ == "__main__":
    main()
