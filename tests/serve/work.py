"""A folder of a test's own with a model, and `kith serve` in it."""

import json
import os
import re
import subprocess
import tempfile
import time
from functools import cached_property
from pathlib import Path

from tap import skip_all

ROOT = Path(__file__).resolve().parents[2]
TINY = "tiny"  # has random weights
REAL = "all-MiniLM-L6-v2"
START_SECONDS = 60
STOP_SECONDS = 15

# No proxy stands between a test and its server, and no key comes from outside.
for name in list(os.environ):
    if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "kith_api_key"):
        del os.environ[name]


def real_model_file():
    """The one that tools/setup makes; without it the test is skipped."""
    home = Path(os.environ.get("KITH_HOME", Path.home() / ".local/share/kith"))
    file = Path(os.environ.get("KITH_TEST_MODEL", home / f"models/{REAL}.kmodel"))
    if not file.is_file():
        skip_all(f"no {REAL}.kmodel: tools/setup fetches it")
    return file.resolve()


class Work:
    """The folder, with a KITH_HOME that has the model TINY or REAL, as a context.

    Its servers and everything in it go with it.
    """

    def __init__(self, kith, model):
        self.kith = str(Path(kith).resolve())
        self.servers = []
        real = real_model_file() if model == REAL else None
        self._temporary = tempfile.TemporaryDirectory(
            prefix="kith-serve-", ignore_cleanup_errors=True
        )
        self.folder = Path(self._temporary.name)
        self.env = {**os.environ, "KITH_HOME": str(self.folder / "home")}
        self.models = self.folder / "home/models"
        self.models.mkdir(parents=True)
        if real:
            (self.models / f"{REAL}.kmodel").symlink_to(real)
        else:
            tiny = ROOT / "tests/golden/tiny-model"
            self.run("model", "import", tiny, "--name", TINY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
        self._temporary.cleanup()

    @cached_property
    def has_asan(self):
        return b"__asan_init" in Path(self.kith).read_bytes()

    def attempt(self, *arguments, data=None, seconds=120):
        """What it prints (bytes), its errors (text) and its status."""
        done = subprocess.run(
            [self.kith, *map(str, arguments)],
            input=data,
            capture_output=True,
            check=False,
            env=self.env,
            cwd=self.folder,
            timeout=seconds,
        )
        done.stderr = done.stderr.decode(errors="replace")
        return done

    def run(self, *arguments, data=None, statuses=(0,)):
        """What the program prints, as bytes; it has to succeed."""
        done = self.attempt(*arguments, data=data)
        if done.returncode not in statuses:
            raise RuntimeError(
                f"kith {' '.join(map(str, arguments))} gives {done.returncode}: "
                f"{done.stderr}"
            )
        return done.stdout

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more))

    def serve(self, *arguments, host=None, **environment):
        """A server that listens on a free port."""
        command = [self.kith, "serve", *map(str, arguments), "--port", "0"]
        if host is not None:
            command += ["--host", host]
        server = self.start(command, **environment)
        server.listen(host or "127.0.0.1")
        return server

    def start(self, command, **environment):
        """A server by a command as it is; it may not listen yet."""
        server = Server(self, command, environment)
        self.servers.append(server)
        return server


class Server:
    """A process of `kith serve`, and its log; the end of the context ends it."""

    def __init__(self, work, command, environment):
        self.work = work
        self.port = None
        self.url = None
        self.log_path = work.folder / f"serve-{len(work.servers)}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=work.folder,
                env=work.env | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.stop() is None:
            raise RuntimeError(f"kith serve does not end: {self.log()}")

    def log(self):
        return self.log_path.read_bytes().decode(errors="replace")

    def wait_for_log(self, find, seconds=START_SECONDS):
        """What find(log) gives: something true, unless it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            is_over = not self.is_alive() or time.monotonic() > deadline
            found = find(self.log())
            if found or is_over:
                return found
            time.sleep(0.01)

    def listen(self, host):
        """Wait until it says that it listens there."""
        pattern = rf"listening on http://{re.escape(host)}:(\d+)/$"
        found = self.wait_for_log(lambda log: re.search(pattern, log, re.M))
        if not found:
            raise RuntimeError(f"kith serve does not start: {self.log()}")
        self.port = int(found[1])
        self.url = f"http://{host}:{self.port}"

    def is_alive(self):
        return self.process.poll() is None

    @property
    def status(self):
        """The exit status, None as long as it runs."""
        return self.process.poll()

    def terminate(self):
        self.process.terminate()

    def wait(self, seconds):
        """The exit status, None where it has not ended by then."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds=STOP_SECONDS):
        self.terminate()
        return self.wait(seconds)

    def kill(self):
        if self.is_alive():
            self.process.kill()
            self.process.wait()

    def in_proc(self, field):
        """A figure of /proc/PID/status: VmHWM and VmRSS in KiB, Threads."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"^{field}:\s*([0-9]+)", status, re.MULTILINE).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def reset_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")
