#!/usr/bin/env bash
# docs/tutorial.md: every block runs, in order, in one folder, and prints what the page
# says. "..." on the page stands for anything. Skipped where the model is not set up.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_real_model
cp -r "$tests/../../docs/samples" samples
mkdir bin
ln -s "$KITH_PROGRAM" bin/kith
export PATH=$PWD/bin:$PATH

# split: each command of the page as N.sh, what it prints as N.out.
python3 - "$tests/../../docs/tutorial.md" "$top/state" <<'END'
import re, sys
page = open(sys.argv[1], encoding="utf-8").read()
n = 0
for block in re.findall(r"^```console\n(.*?)^```$", page, re.M | re.S):
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        lines = part.splitlines()
        end = 1
        while end < len(lines) and lines[end].startswith("> "):
            lines[end] = lines[end][2:]
            end += 1
        n += 1
        open(f"{sys.argv[2]}/{n}.sh", "w").write("\n".join(lines[:end]) + "\n")
        open(f"{sys.argv[2]}/{n}.out", "w").write("\n".join(lines[end:]).strip() + "\n")
if "```" in re.sub(r"^```console\n.*?^```$", "", page, flags=re.M | re.S):
    sys.exit("a block that is not run")
open(f"{sys.argv[2]}/count", "w").write(str(n))
END
n_commands=$(cat "$top/state/count")
check "the page has commands" test "${n_commands:-0}" -gt 10
for ((i = 1; i <= n_commands; i++)); do
    bash "$top/state/$i.sh" >"$out" 2>&1
    status=$?
    : >"$err"
    check "$(head -n 1 "$top/state/$i.sh")" python3 - "$top/state/$i.out" "$out" <<'END'
import difflib, re, sys
expected, printed = (open(path, encoding="utf-8").read().strip() for path in sys.argv[1:3])
pattern = "".join(".*" if part == "..." else re.escape(part)
                  for part in re.split(r"(\.\.\.)", expected))
if not re.fullmatch(pattern, printed, re.S):
    sys.exit("\n".join(difflib.unified_diff(expected.splitlines(), printed.splitlines(),
                                            "the page", "printed", lineterm="")))
END
done
