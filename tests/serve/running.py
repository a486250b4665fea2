"""A kith server of a test's own, in a folder of its own, and TAP."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from pathlib import Path

import raw_http
from raw_http import MARKER

TESTS = Path(__file__).resolve().parents[1]
KEY = "a-key-of-this-test-0123456789"


def printable(value):
    """On one line, with control characters as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, name, good, *details):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            for detail in details:
                print(f"# {printable(detail)[:400]}", flush=True)

    def same(self, name, found, wanted):
        self.check(name, found == wanted, f"found  {found}", f"wanted {wanted}")

    def none(self, name, faults):
        self.check(name, not faults, *faults[:20])

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def part(self, function, *arguments):
        """Its checks; that it ends early is a failure, and the others go on."""
        try:
            function(self, *arguments)
        except Exception as error:
            lines = traceback.format_exc().splitlines()[-5:]
            self.check(f"{function.__name__} ends early: {error!r}", False, *lines)

    def end(self):
        print(f"1..{self.count}")
        return self.failed > 0


class Home:
    """The folder, with the tiny model; everything in it goes with it."""

    def __init__(self, program):
        self.program = str(Path(program).resolve())
        with open(self.program, "rb") as file:
            self.has_asan = b"__asan_init" in file.read()
        self.path = Path(tempfile.mkdtemp(prefix="kith-serve-"))
        self.environment = dict(os.environ, KITH_HOME=str(self.path / "home"),
                                TERM="dumb")
        for name in ("KITH_CPU", "KITH_API_KEY"):
            self.environment.pop(name, None)
        self.servers = []
        raw_http.INSPECTOR.paths = [str(self.path), str(TESTS), self.program]
        self.kith("model", "import", str(TESTS / "golden/tiny-model"), "--name", "tiny")

    def run(self, *arguments, **how):
        return subprocess.run([self.program, *arguments], cwd=self.path,
                              env=self.environment, timeout=how.pop("timeout", 120),
                              capture_output=True, encoding="utf-8", **how)

    def kith(self, *arguments, **how):
        done = self.run(*arguments, **how)
        if done.returncode != 0:
            raise RuntimeError(f"kith {arguments}: {done.stderr}")
        return done.stdout

    def index(self, name, records):
        """records: a dict of texts by id."""
        lines = "".join(json.dumps({"id": id, "text": text, "title": f"about {id}",
                                    "lang": "en", "year": 2000 + i % 30}) + "\n"
                        for i, (id, text) in enumerate(records.items()))
        self.kith("index", f"{name}.kith", "-", "--format", "jsonl", "--model", "tiny",
                  input=lines)

    def serve(self, *arguments, **environment):
        server = Server(self, arguments, environment)
        self.servers.append(server)
        return server

    def close(self):
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.path, ignore_errors=True)


def texts(count, first=0):
    words = "the river and a day cook miles sailed ship water time fish soup".split()
    return {f"r{i}": f"{words[i % 13]} {words[i * 7 % 13]} {words[i // 13 % 13]} {i}"
            for i in range(first, first + count)}


class Server:
    def __init__(self, home, arguments, environment):
        self.home = home
        self.log_path = home.path / f"log-{len(home.servers)}"
        command = [home.program, "serve", "--port", "0", *arguments]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=home.path, env=home.environment | environment,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.port = self.wait_for_port()

    def wait_for_port(self):
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"listening on http://[^\[/]*:([0-9]+)/", self.log())
            if found:
                return int(found.group(1))
            time.sleep(0.01)
        raise RuntimeError(f"no server: {self.log()}")

    def log(self):
        return self.log_path.read_bytes().decode("utf-8", "replace")

    def is_alive(self):
        return self.process.poll() is None

    def answers(self, seconds=10):
        """Whether GET /healthz is answered in that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.is_alive():
            try:
                response = raw_http.ask(self.port, "GET", "/healthz")
            except OSError:
                response = None
            if response and response.status == 200:
                return True
            time.sleep(0.02)
        return False

    def in_proc(self, name):
        """A figure of /proc/PID/status: VmHWM and VmRSS in KiB, Threads."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"^{name}:\s*([0-9]+)", status, re.MULTILINE).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def reset_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds):
        """The exit status, None where it has not ended by then."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds=15):
        self.terminate()
        return self.wait(seconds)

    def kill(self):
        if self.is_alive():
            self.process.kill()
            self.process.wait()

    def faults_of_log(self):
        """What a log may never hold."""
        log = self.log_path.read_bytes()
        faults = []
        for line in log.splitlines():
            if MARKER.encode() in line or KEY.encode() in line:
                faults.append(f"text of a request: {line[:300]!r}")
            if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", line):
                faults.append(f"a control byte: {line[:300]!r}")
            if b"Sanitizer" in line or b"runtime error" in line:
                faults.append(f"{line[:300]!r}")
        return faults
