#!/usr/bin/env bash
# The approximate index, as far as the program shows it.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

python3 - <<'END'
import random
random.seed(1)
words = "sea river stone bird house road winter light paper glass bread milk".split()
with open("lines.txt", "w") as f:
    for i in range(6000):
        f.write(" ".join(random.choices(words, k=7)) + f" {i}\n")
END
run kith index c.kith lines.txt --format lines --ann never
is_status 0 "--ann never"
run kith status c.kith --json
out_json 'd[0]["index"]["kind"] == "exact"' "builds no index"
run kith index c.kith lines.txt --format lines
run kith status c.kith --json
out_json 'd[0]["index"]["kind"] == "exact"' "nor does --ann auto for few records"
run kith search c.kith "bird on the road" --json --ann always
out_json 'd[0]["exact"] is True and d[0]["recall"] == 1' \
    "without one, every answer is exact"
cp "$out" "$top/state/exact"

head -n 100 lines.txt >few.txt
run kith index few.kith few.txt --format lines --ann always
is_status 0 "--ann always with too few records for it"
err_has "too few records" "is told"

run kith index c.kith lines.txt --format lines --index-factory nonsense --ann always
is_status 2 "a factory that is none"
run kith index c.kith lines.txt --format lines --ann always --jsonl
is_status 0 "--ann always"
out_json 'd[-1]["unchanged"] == 6000 and d[-1]["indexed"] == 0' "encodes nothing again"
run kith status c.kith --json
out_json 'd[0]["index"]["kind"] in ("ivf", "flat") and d[0]["index"]["covers"]
          == d[0]["passages"]' \
    "builds an index"
out_json 'len(d[0]["index"]["recall"]) > 0 and all(set(r) == {"k", "nprobe", "recall"}
          for r in d[0]["index"]["recall"])' "with measured recall"
out_json 'd[0]["index"]["factory"] and d[0]["bytes"]["derived"] > 0' \
    "with a factory, on disk"
run kith status c.kith
out_has '^index +(ivf|flat) .*, covers [0-9]+ rows$' "people see it too"

run kith search c.kith "bird on the road" --json --ann always --min-recall 0 --explain
is_status 0 "search with it"
out_json 'd[0]["exact"] is False and 0 < d[0]["recall"] <= 1' \
    "is not exact, and says at what recall"
out_json '"approximate" in d[0]["plan"] and len(d[0]["hits"]) == 10' \
    "the plan, and k hits"
run kith search c.kith "bird on the road" --json --exact
check "--exact gives what it gave before" cmp "$out" "$top/state/exact"
run kith search c.kith "bird on the road" --json --ann always --min-recall 1
out_json 'd[0]["exact"] is True' \
    "a recall that it does not reach makes the search exact"
run kith verify c.kith
is_status 0 "verify"
out_has "everything is as its checksums say" "finds no damage"
run kith verify c.kith --recall 200 --json
is_status 0 "verify --recall"
out_json 'len(d[0]["recall"]) > 0 and all(0 <= r["recall"] <= 1 and (r["stated"] is None or
          abs(r["recall"] - r["stated"]) < 0.15) for r in d[0]["recall"])' \
    "measures about what was stated"
run kith verify few.kith --recall 10
is_status 1 "verify --recall without an approximate index"
err_has "every answer is exact" "says so"
index_file=$(ls c.kith/g*/derived/ann-*)
cp "$index_file" good
printf 'x' | dd of="$index_file" bs=1 seek=5000 conv=notrunc status=none
run kith verify c.kith
is_status 1 "verify with a damaged index"
out_has "derived/ann-.* is damaged" "names the file"
cp good "$index_file"
cp -r c.kith bad.kith
printf 'xyz' | dd of="$(ls bad.kith/g*/vectors)" bs=1 seek=70000 conv=notrunc status=none
run kith verify bad.kith --json
is_status 1 "verify with a damaged vector"
out_json '"vectors" in d[0]["damage"]' "names it"
rm c.kith/g*/derived/*
run kith search c.kith "bird on the road" --json --ann always --min-recall 0 --explain
is_status 0 "search when the index is lost"
out_json 'd[0]["exact"] is True and len(d[0]["hits"]) == 10' "is exact"
run kith status c.kith --json
out_json 'd[0]["index"]["kind"] == "exact" and len(d[0]["index"]["problem"]) > 0' \
    "status says why"
run kith index c.kith lines.txt --format lines --ann always
is_status 0 "it is built again"
run kith status c.kith --json
out_json '"problem" not in d[0]["index"] and d[0]["index"]["covers"]
          == d[0]["passages"]' \
    "and whole"
