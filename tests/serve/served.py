"""What the tests of `kith serve` in Python share: a server of their own, and TAP."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60

# No proxy stands between a test and its server, and no key comes from outside.
for name in list(os.environ):
    if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "kith_api_key"):
        del os.environ[name]


class Tap:
    """Checks, counted and printed."""

    def __init__(self):
        self.n = 0
        self.failed = False

    def check(self, name, ok, detail=""):
        self.n += 1
        print(f"{'ok' if ok else 'not ok'} {self.n} - {name}", flush=True)
        if not ok:
            self.failed = True
            for line in str(detail).splitlines()[:20]:
                print(f"# {line[:300]}")

    def equal(self, name, got, expected):
        self.check(name, got == expected, f"gives {got!r}\nnot   {expected!r}")

    def raises(self, name, kind, call, test=lambda error: True):
        """`call` raises this class of exception, and `test` is true of it."""
        try:
            result = call()
        except Exception as error:  # pylint: disable=broad-except
            good = isinstance(error, kind) and test(error)
            self.check(name, good, f"{type(error).__name__}: {error}")
        else:
            self.check(name, False, f"no exception, but {result!r}")

    def skip(self, name, reason):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {reason}", flush=True)

    def finish(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.failed else 0)


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


class Work:
    """A folder for a test with a KITH_HOME of its own, as a context."""

    def __init__(self, kith):
        self.kith = str(Path(kith).resolve())
        self.folder = Path(tempfile.mkdtemp(prefix="kith-serve-"))
        self.env = {**os.environ, "KITH_HOME": str(self.folder / "home")}
        self.models = self.folder / "home/models"
        self.models.mkdir(parents=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def real_model(self):
        """Link the model that tools/setup makes; False where there is none."""
        home = Path(os.environ.get("KITH_HOME", Path.home() / ".local/share/kith"))
        model = Path(
            os.environ.get("KITH_TEST_MODEL", home / "models/all-MiniLM-L6-v2.kmodel")
        )
        if not model.is_file():
            return False
        (self.models / "all-MiniLM-L6-v2.kmodel").symlink_to(model.resolve())
        return True

    def tiny_model(self):
        """Import the model with random weights."""
        self.run("model", "import", ROOT / "tests/golden/tiny-model", "--name", "tiny")

    def run(self, *arguments, data=None, statuses=(0,)):
        """What the program prints, as bytes."""
        done = subprocess.run(
            [self.kith, *map(str, arguments)],
            input=data,
            capture_output=True,
            check=False,
            env=self.env,
            cwd=self.folder,
        )
        if done.returncode not in statuses:
            raise RuntimeError(
                f"kith {arguments[0]} gives {done.returncode}: "
                f"{done.stderr.decode(errors='replace')}"
            )
        return done.stdout

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more))

    def serve(self, *arguments):
        return Server(self, *arguments)


class Server:
    """`kith serve` on a free port; the end of the context ends it with SIGTERM."""

    def __init__(self, work, *arguments):
        self.log = []
        self.url = None
        self.status = None
        self._listening = threading.Event()
        self.process = subprocess.Popen(
            [work.kith, "serve", *map(str, arguments), "--port", "0"],
            env=work.env,
            cwd=work.folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(
                r"listening on (http://127\.0\.0\.1:\d+)/$", line.rstrip()
            )
            if found:
                self.url = found[1]
                self._listening.set()
        self._listening.set()

    def __enter__(self):
        self._listening.wait(START_SECONDS)
        if self.url is None:
            self.stop()
            raise RuntimeError(f"kith serve does not start: {''.join(self.log)}")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.status is None:
            self.process.terminate()
            self.status = self.process.wait()
            self._reader.join()
            self.process.stderr.close()
        return self.status
