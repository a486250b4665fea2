# What the tests of the program share. Sourced, never run.
#
# A test gets the program as $KITH_PROGRAM, works in an empty folder of its own with an
# empty KITH_HOME, and prints TAP. After `run kith ...` the exit status is in $status,
# what was printed in the files $out and $err.
# shellcheck shell=bash
# shellcheck disable=SC2034
set -u

: "${KITH_PROGRAM:?is the path of the kith program}"
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
tiny_model=$tests/../golden/tiny-model
default_home=${KITH_HOME:-$HOME/.local/share/kith}
real_model=${KITH_TEST_MODEL-$default_home/models/all-MiniLM-L6-v2.kmodel}

top=$(mktemp -d "${TMPDIR:-/tmp}/kith-cli-XXXXXX")
work=$top/work
mkdir "$work" "$top/state"
cd "$work" || exit 1
out=$top/state/out
err=$top/state/err
export KITH_HOME=$top/home
export TERM=dumb
unset KITH_CPU NO_COLOR

n_tests=0
status=0

finish() {
    local result=$?
    cd /
    chmod -R u+rwx "$top"
    rm -rf "$top"
    if [ "$result" -eq 0 ]; then
        echo "1..$n_tests"
    fi
}
trap finish EXIT
trap 'exit 130' INT TERM

kith() {
    "$KITH_PROGRAM" "$@"
}

# run COMMAND...: keeps its exit status and output for the checks.
run() {
    status=0
    "$@" >"$out" 2>"$err" || status=$?
}

# report RESULT NAME: RESULT is an exit status.
report() {
    n_tests=$((n_tests + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n_tests - $2"
        return
    fi
    echo "not ok $n_tests - $2"
    echo "# exit status $status"
    sed 's/^/# stdout: /' "$out" | cut -c1-300 | head -n 20
    sed 's/^/# stderr: /' "$err" | cut -c1-300 | head -n 20
}

# check NAME COMMAND...
check() {
    local name=$1 result=0
    shift
    "$@" >"$top/state/check" 2>&1 || result=$?
    report "$result" "$name"
    if [ "$result" -ne 0 ]; then
        sed 's/^/# /' "$top/state/check" | cut -c1-300 | head -n 20
    fi
}

# skip NAME REASON: one check that cannot be made here.
skip() {
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - $1 # SKIP $2"
}

# skip_all REASON: for a test that cannot run here at all.
skip_all() {
    echo "1..0 # SKIP $1"
    n_tests=0
    trap - EXIT
    rm -rf "$top"
    exit 0
}

is_status() { # STATUS NAME
    check "$2 (exit $1)" test "$status" -eq "$1"
}

out_has() { # PATTERN NAME
    check "$2" grep -qE -- "$1" "$out"
}

err_has() { # PATTERN NAME
    check "$2" grep -qE -- "$1" "$err"
}

out_lacks() { # PATTERN NAME
    check "$2" lacks "$1" "$out"
}

err_lacks() { # PATTERN NAME
    check "$2" lacks "$1" "$err"
}

lacks() { # PATTERN FILE
    ! grep -qE -- "$1" "$2"
}

escape=$(printf '\033')

out_is_empty() { # NAME
    check "$1" test ! -s "$out"
}

err_is_empty() { # NAME
    check "$1" test ! -s "$err"
}

# out_is NAME, with the text expected on stdin.
out_is() {
    cat >"$top/state/expected"
    check "$1" diff "$top/state/expected" "$out"
}

# out_json EXPRESSION NAME: a Python expression over d, the JSON documents that were
# printed, one a line.
out_json() {
    check "$2" python3 - "$out" "$1" <<'END'
import json, sys
d = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
value = eval("(" + sys.argv[2] + ")")
if value is not True:
    print("gives", value, "for", sys.argv[2])
    for document in d[:5]:
        print(json.dumps(document))
    sys.exit(1)
END
}

# A model with random weights, for all that does not look at scores.
use_tiny_model() {
    if ! kith model import "$tiny_model" --name tiny >"$out" 2>"$err"; then
        cat "$err" >&2
        echo "Bail out! the tiny model cannot be imported"
        exit 1
    fi
}

# The real one, or no test.
use_real_model() {
    if [ ! -f "$real_model" ]; then
        skip_all "no all-MiniLM-L6-v2.kmodel (${real_model:-KITH_TEST_MODEL is empty})"
    fi
    mkdir -p "$KITH_HOME/models"
    ln -s "$(realpath "$real_model")" "$KITH_HOME/models/all-MiniLM-L6-v2.kmodel"
}

# run_measured COMMAND...: like run; $peak_kib is the most memory that it had.
run_measured() {
    status=0
    python3 - "$top/state/peak" "$@" >"$out" 2>"$err" <<'END' || status=$?
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(str(peak))
sys.exit(status)
END
    peak_kib=$(cat "$top/state/peak")
}

# on_terminal COMMAND...: like run, with stdout and stderr on a terminal of 80 columns;
# all of it ends up in the file out.
on_terminal() {
    status=0
    : >"$err"
    python3 - "$@" >"$out" <<'END' || status=$?
import fcntl, os, pty, struct, sys, termios
os.environ["TERM"] = "xterm"
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.stdout.flush()
result = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(result))
END
}
