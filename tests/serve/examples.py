#!/usr/bin/env python3
"""docs/http.md: every block runs, in order, in one folder, and gives what the page
says.

"..." on the page stands for anything. A `kith serve` that listens takes the place of
the one before, on a port of its own; everything else is as on the page. What a block
needs and is not there (a client, node, nginx, promtool, systemd-analyze) skips it.

usage: examples.py KITH
"""

import difflib
import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import time

from tap import Tap, skip_all
from work import REAL, ROOT, Work

PAGE = ROOT / "docs/http.md"
UNIT = ROOT / "tools/serve/kith-serve.service"
PORT = "5484"
NAME = "search.example.org"
SECONDS = 60


def blocks(page):
    """(kind, text) of each block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)


def commands(block):
    """(command, output) of a console."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        lines = part.splitlines()
        end = 1
        while end < len(lines) and lines[end].startswith("> "):
            lines[end] = lines[end][2:]
            end += 1
        yield "\n".join(lines[:end]), "\n".join(lines[end:])


def pattern_of(expected):
    """A last line of "..." stands for any number of lines."""
    lines = expected.strip().removesuffix("\n...")
    pattern = "".join(
        ".*" if part == "..." else re.escape(part)
        for part in re.split(r"(\.\.\.)", lines)
    )
    return pattern if lines == expected.strip() else pattern + r"(\n.*)?"


def difference(expected, printed):
    return "\n".join(
        difflib.unified_diff(
            expected.splitlines(),
            printed.splitlines(),
            "the page",
            "printed",
            lineterm="",
        )
    )


def free_port():
    """One that nobody listens on, on any address."""
    with socket.socket(socket.AF_INET6) as one:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        one.bind(("::", 0))
        return str(one.getsockname()[1])


class Examples:
    """Runs the page in the folder of `work`."""

    def __init__(self, work, tap):
        self.work = work
        self.tap = tap
        self.port = free_port()
        self.tls_port = free_port()
        self.server = None
        self.nginx = None
        binaries = work.folder / "bin"
        binaries.mkdir()
        (binaries / "kith").symlink_to(work.kith)
        work.env["PATH"] = f"{binaries}:{work.env['PATH']}"

    def here(self, text):
        """With the ports of this test."""
        return text.replace(PORT, self.port)

    def judge(self, name, expected, printed):
        expected = self.here(expected).strip()
        self.tap.check(
            name,
            re.fullmatch(pattern_of(expected), printed.strip(), re.S),
            difference(expected, printed),
        )

    def run(self, command):
        """What a command prints, on both streams."""
        command = ["timeout", str(SECONDS), *command]
        done = subprocess.run(
            command,
            cwd=self.work.folder,
            env=self.work.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.stdout

    def stop(self):
        if self.nginx is not None:
            self.nginx.terminate()
            self.nginx.wait()
        if self.server is not None:
            self.server.stop()
        self.nginx = self.server = None

    def serve(self, command, expected):
        """Start a server; it is ready when it has printed what the page says."""
        self.stop()
        if "--socket" not in command:
            command += f" --port {self.port}"
        self.server = self.work.start(
            ["bash", "-c", command.replace("kith serve", "exec kith serve")]
        )
        pattern = pattern_of(self.here(expected))
        self.server.wait_for_log(
            lambda log: re.fullmatch(pattern, log.strip(), re.S), SECONDS
        )
        self.judge(command, expected, self.server.log())

    def console(self, block):
        for command, expected in commands(block):
            name = command.splitlines()[0]
            if "listening on" in expected:
                self.serve(command, expected)
            elif NAME in command and self.nginx is None:
                self.tap.skip(name, "nginx does not run")
            else:
                command = self.here(command)
                if NAME in command:
                    command = command.replace(
                        "curl",
                        "curl --cacert tls.pem --connect-to "
                        f"::127.0.0.1:{self.tls_port}",
                    )
                self.judge(name, expected, self.run(["bash", "-c", command]))

    def script(self, kind, block, expected):
        """A block of Python or JavaScript; what it prints is the next block."""
        modules = re.findall(r"^(?:from|import) (\w+)", block, re.M)
        missing = [m for m in modules if importlib.util.find_spec(m) is None]
        name = f"{kind}: {block.strip().splitlines()[-1].strip()}"
        if kind == "python" and missing:
            self.tap.skip(
                name, f"no {missing[0]}: tools/setup makes an environment with it"
            )
            return
        interpreter = sys.executable if kind == "python" else shutil.which("node")
        if interpreter is None or (
            kind == "javascript"
            and self.run([interpreter, "-p", "typeof fetch"]).strip() != "function"
        ):
            self.tap.skip(name, "no node with fetch (18 or newer)")
            return
        file = self.work.folder / f"script.{'py' if kind == 'python' else 'mjs'}"
        file.write_text(self.here(block), encoding="utf-8")
        self.judge(name, expected, self.run([interpreter, file]))

    def proxy(self, block):
        """nginx with this server, on a port of ours and with a certificate of ours."""
        if shutil.which("nginx") is None or shutil.which("openssl") is None:
            self.tap.skip(
                "nginx takes the page's configuration", "no nginx or no openssl"
            )
            return
        self.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                f"/CN={NAME}",
                "-addext",
                f"subjectAltName=DNS:{NAME}",
                "-keyout",
                "tls.key",
                "-out",
                "tls.pem",
            ]
        )
        here = self.work.folder
        block = re.sub(r"/etc/ssl/\S+\.(pem|key)", rf"{here}/tls.\1", self.here(block))
        block = block.replace("listen 443", f"listen 127.0.0.1:{self.tls_port}")
        temporary = "".join(
            f"{kind}_temp_path {here}/nginx-{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (here / "nginx.conf").write_text(
            f"daemon off; pid {here}/nginx.pid; error_log {here}/nginx.log;\n"
            f"events {{}}\n"
            f"http {{\naccess_log off;\n{temporary}{block}}}\n"
        )
        printed = self.run(["nginx", "-t", "-q", "-c", here / "nginx.conf"])
        self.tap.equal("nginx takes the page's configuration", printed, "")
        self.nginx = subprocess.Popen(
            ["nginx", "-c", here / "nginx.conf"], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", int(self.tls_port))) == 0:
                    return
            time.sleep(0.02)

    def prometheus(self, block):
        name = "promtool takes the page's configuration"
        if shutil.which("promtool") is None:
            self.tap.skip(name, "no promtool")
            return
        (self.work.folder / "prometheus.yml").write_text(block)
        printed = self.run(["promtool", "check", "config", "prometheus.yml"])
        self.tap.check(name, "SUCCESS" in printed, printed)

    def unit(self, options):
        """The unit as systemd would read it; the program takes the page's options."""
        name = "systemd takes the unit"
        if shutil.which("systemd-analyze") is None:
            self.tap.skip(name, "no systemd-analyze")
        else:
            file = self.work.folder / UNIT.name
            # Only its options are looked at: kith need not be installed.
            file.write_text(UNIT.read_text().replace("/usr/local/bin/kith", "/bin/true"))
            self.tap.equal(
                name, self.run(["systemd-analyze", "verify", "--man=no", file]), ""
            )
            told = self.run(["systemd-analyze", "security", "--offline=true", file])
            level = re.search(r"exposure level .*: ([\d.]+)", told)
            self.tap.check(
                "systemd finds an exposure of 1.5 (of 10) at most",
                level and float(level[1]) <= 1.5,
                told,
            )
        found = re.search(r"^ExecStart=/usr/local/bin/(.*)$", UNIT.read_text(), re.M)
        self.run(["cp", "-r", "faq.kith", "notes.kith"])
        (self.work.folder / "options").write_text(options)
        self.serve(
            f". ./options; {found[1].replace('%d/', '')}",
            "kith: listening on http://127.0.0.1:5484/\n...",
        )

    def shell(self, block):
        """What only root can do: checked for files and commands that are not there."""
        missing = [
            word
            for word in re.findall(r"(?:docs|tools)/\S+", block)
            if not (ROOT / word).exists()
        ]
        self.tap.equal("files that the page installs are there", missing, [])
        self.tap.equal("bash reads it", self.run(["bash", "-n", "-c", block]), "")

    def page(self):
        text = PAGE.read_text(encoding="utf-8")
        found = blocks(text)
        if text.count("```") != 2 * len(found):
            raise ValueError("a block without a kind")
        others = {
            "console": self.console,
            "nginx": self.proxy,
            "yaml": self.prometheus,
            "ini": self.unit,
            "sh": self.shell,
        }
        for i, (kind, block) in enumerate(found):
            if kind in ("python", "javascript"):
                self.script(kind, block, found[i + 1][1])
            elif kind != "text":
                others[kind](block)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("curl") is None:
        skip_all("no curl")
    tap = Tap()
    with Work(sys.argv[1], REAL) as work:
        shutil.copytree(ROOT / "docs/samples", work.folder / "samples")
        examples = Examples(work, tap)
        try:
            examples.page()
        finally:
            examples.stop()
    tap.finish()


if __name__ == "__main__":
    main()
