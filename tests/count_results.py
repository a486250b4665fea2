#!/usr/bin/env python3
"""Counts single test results over several logs.

usage: count_results.py LABEL=LOG...

A LOG is meson's testlog.json (one JSON object a test program, with the TAP that it
printed) or a file of TAP lines. Prints the failed and the skipped tests by name, then
"N passed, N failed[, N skipped]". A program that crashed, ran out of time, printed no
result, or printed another number of results than it announced counts as one failure
on top of those that it reported. Leaves with 1 if anything failed or nothing passed.
"""

import json
import re
import sys

SKIP = r"(?:#\s*(?i:skip)\S*\s*(.*))?"
RESULT = re.compile(r"(not )?ok\b\s*\d*\s*(?:- )?([^#]*)" + SKIP)
PLAN = re.compile(r"1\.\.(\d+)\s*" + SKIP)


class Counts:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add_tap(self, program, text):
        """Adds the results in text; returns what is wrong with them as a whole."""
        planned = None
        seen = 0
        comment = ""
        for line in text.splitlines():
            if line.startswith("#"):
                comment = line.lstrip("# ")
                continue
            plan = PLAN.fullmatch(line.rstrip())
            result = RESULT.match(line)
            if line.startswith("Bail out!"):
                return line
            if plan:
                planned = (planned or 0) + int(plan[1])
                if plan[2] is not None:
                    self.skipped.append((program, plan[2]))
                elif planned == 0:
                    return "announced no test and no reason to skip"
            elif result:
                seen += 1
                self.add_result(program, result, comment)
            comment = ""
        if planned is None:
            return "printed no plan (1..N)" if seen else "printed no result"
        if seen != planned:
            return f"announced {planned} results, printed {seen}"
        return None

    def add_result(self, program, result, comment):
        failed, name, reason = result.groups()
        name = name.strip()
        if reason is None:
            if failed:
                self.failed.append((f"{program}: {name}", None))
            else:
                self.passed += 1
        elif name:
            self.skipped.append((f"{program}: {name}", reason))
        else:
            # cmocka writes "not ok 3 # SKIP name"; tests print the reason before it.
            self.skipped.append((f"{program}: {reason}", comment))

    def add_program(self, label, log):
        """Adds one object of meson's testlog.json."""
        program = f"{label}: {log['name']}"
        n_failed = len(self.failed)
        wrong = self.add_tap(program, log["stdout"])
        status = log["returncode"]
        if log["result"] in ("TIMEOUT", "INTERRUPT"):
            wrong = f"{log['result'].lower()} after {log['duration']:.0f} s"
        elif status < 0:
            wrong = f"killed by signal {-status}"
        elif status != 0 and wrong is None and len(self.failed) == n_failed:
            wrong = f"exit status {status}, though no result says so"
        if wrong:
            self.failed.append((program, wrong))

    def add_log(self, label, path):
        try:
            with open(path, encoding="utf-8", errors="replace") as log:
                if not path.endswith(".json"):
                    wrong = self.add_tap(label, log.read())
                    if wrong:
                        self.failed.append((label, wrong))
                    return
                programs = [json.loads(line) for line in log]
        except (OSError, ValueError) as error:
            self.failed.append((label, f"no test log: {error}"))
            return
        if not programs:
            self.failed.append((label, f"no test ran: {path} is empty"))
        for program in programs:
            self.add_program(label, program)


def print_list(title, results):
    if results:
        print(f"{title}:")
    for name, reason in results:
        print(f"  {name}" + (f" ({reason})" if reason else ""))


def main(arguments):
    sys.stdout.reconfigure(errors="backslashreplace")
    counts = Counts()
    for argument in arguments:
        counts.add_log(*argument.split("=", 1))
    print_list("skipped", [(n, r or "no reason given") for n, r in counts.skipped])
    print_list("failed", counts.failed)
    total = f"{counts.passed} passed, {len(counts.failed)} failed"
    if counts.skipped:
        total += f", {len(counts.skipped)} skipped"
    print(total)
    return 1 if counts.failed or counts.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
