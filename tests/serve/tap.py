"""TAP, the protocol in which the tests of `kith serve` print their checks."""

import sys
import traceback


def printable(line):
    """With control characters as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


class Tap:
    """Checks, counted and printed."""

    def __init__(self):
        self.count = 0
        self.failed = False

    def check(self, name, good, *details):
        """`details` are printed where it is not good."""
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            self.failed = True
            for detail in details:
                for line in str(detail).splitlines()[:20]:
                    print(f"# {printable(line)[:1000]}", flush=True)

    def equal(self, name, found, wanted):
        self.check(name, found == wanted, f"found  {found!r}", f"wanted {wanted!r}")

    def none(self, name, faults):
        self.check(name, not faults, *faults[:20])

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
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def part(self, function, *arguments):
        """Its checks; that it ends early is a failure, and the others go on."""
        try:
            function(self, *arguments)
        except Exception as error:  # pylint: disable=broad-except
            lines = traceback.format_exc().splitlines()[-5:]
            self.check(f"{function.__name__} ends early: {error!r}", False, *lines)

    def finish(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)
