#!/usr/bin/env bash
# encode, tokens, compare.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model
golden=$tests/../golden
run kith model info --json
out_json 'd[0]["dim"] > 0' "the width of a vector"
dim=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["dim"])' "$out")

# ---------------------------------------------------------------- encode
printf 'one\n\nthree words here\r\nbytes that are \xff no UTF-8\nlast' >t.txt
run kith encode t.txt
is_status 0 "encode"
check "rows of float32: a blank line is one, a last line without its end too" \
    test "$(wc -c <"$out")" -eq $((5 * dim * 4))
cp "$out" "$top/state/f32"
run kith encode --format f32 - <t.txt
check "stdin gives the same bytes" cmp "$out" "$top/state/f32"
run kith encode t.txt --threads 1 --precision int8
check "one thread gives the same bytes" cmp "$out" "$top/state/f32"
run env KITH_CPU=portable "$KITH_PROGRAM" encode t.txt
check "KITH_CPU=portable gives the same bytes" cmp "$out" "$top/state/f32"
run kith encode t.txt --format npy
check "npy: a header and the same rows" python3 - "$out" "$top/state/f32" "$dim" <<'END'
import ast, sys
npy, rows = (open(path, "rb").read() for path in sys.argv[1:3])
assert npy[:8] == b"\x93NUMPY\x01\x00"
length = int.from_bytes(npy[8:10], "little")
assert (10 + length) % 64 == 0 and npy[9 + length:10 + length] == b"\n"
assert ast.literal_eval(npy[10:10 + length].decode()) == {
    "descr": "<f4", "fortran_order": False, "shape": (5, int(sys.argv[3]))}
assert npy[10 + length:] == rows
END
run kith encode t.txt --format base64
check "base64: the same rows" python3 - "$out" "$top/state/f32" <<'END'
import base64, sys
lines = open(sys.argv[1]).read().splitlines()
rows = open(sys.argv[2], "rb").read()
assert len(lines) == 5
assert b"".join(base64.b64decode(line, validate=True) for line in lines) == rows
END
run kith encode t.txt --format jsonl
check "jsonl: the same rows" python3 - "$out" "$top/state/f32" <<'END'
import json, struct, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert all(set(row) == {"v", "vector"} and row["v"] == 1 for row in rows)
assert b"".join(struct.pack("<%df" % len(r["vector"]), *r["vector"]) for r in rows) == \
    open(sys.argv[2], "rb").read()
END
: >none.txt
run kith encode none.txt --format npy
check "npy of nothing" grep -q "'shape': (0, $dim)" "$out"
run kith encode none.txt
is_status 0 "an empty file"
out_is_empty "has no rows"

cat >t.jsonl <<'END'
{"text":"one"}
{"id":5,"contents":""}

{"text":"three words here"}
END
run kith encode t.jsonl
check "JSONL" test "$(wc -c <"$out")" -eq $((4 * dim * 4))
check "gives the vectors of its texts" cmp -n $((dim * 4)) "$out" "$top/state/f32"
cp "$out" "$top/state/jsonl"
run kith encode - <t.jsonl
check "JSONL on stdin is recognised" cmp "$out" "$top/state/jsonl"
printf '{ is no object, but text\none\n' >braces
run kith encode braces
check "a line that only begins like an object is text" \
    test "$(wc -c <"$out")" -eq $((2 * dim * 4))
sed 's/text/t/; s/contents/t/' t.jsonl >own.jsonl
run kith encode own.jsonl --text-field t
check "--text-field" cmp "$out" "$top/state/jsonl"
printf '{"text":"one"}\n{"broken\n{"text":"two"}\n' >bad.jsonl
run kith encode bad.jsonl
is_status 3 "a broken line ends it"
check "behind the rows before it" test "$(wc -c <"$out")" -eq $((dim * 4))
err_has 'bad.jsonl:2: .*after 1 rows' "and it is named"
run kith encode no-such-file
is_status 4 "a file that is not there"
differs() {
    ! cmp -s "$1" "$2"
}
run kith encode t.txt --precision fp32
is_status 0 "--precision fp32"
check "gives other vectors" differs "$out" "$top/state/f32"
run kith encode t.txt --pooling max
is_status 0 "--pooling max"
check "gives other vectors" differs "$out" "$top/state/f32"
printf 'word %.0s' {1..2000} >long.txt
run kith encode long.txt
err_has '^kith: 1 of 1 texts were cut at [0-9]+ tokens$' \
    "texts that were cut are told of"
run kith encode long.txt -q
err_is_empty "unless -q"
on_terminal "$KITH_PROGRAM" encode t.txt
is_status 2 "binary for a terminal is refused"
on_terminal "$KITH_PROGRAM" encode t.txt --format base64
is_status 0 "base64 is not"

# Batches: every prefix of many lines gives the same bytes as the whole.
for i in $(seq 1 3000); do
    echo "line $i with $((i * i % 97)) words or so"
done >many.txt
kith encode many.txt >"$top/state/many"
for n in 1 7 64 1500; do
    head -n "$n" many.txt | kith encode - >"$out"
    check "the first $n texts have the same vectors alone" \
        cmp "$out" <(head -c $((n * dim * 4)) "$top/state/many")
done

# ---------------------------------------------------------------- tokens
run kith tokens "Hello" --json
is_status 0 "tokens --json"
out_json 'len(d[0]["ids"]) == len(d[0]["pieces"]) == len(d[0]["bytes"])
          and d[0]["truncated"] == 0' \
    "ids, pieces and bytes"
out_json 'd[0]["pieces"][0] == "[CLS]" and d[0]["pieces"][-1] == "[SEP]"' \
    "with [CLS] and [SEP]"
run kith tokens "Hello"
out_has '^ *[0-9]+   0-0          \[CLS\]$' "a table for people"
run kith tokens --jsonl t.txt
is_status 0 "tokens --jsonl"
out_json 'len(d) == 5 and all(set(x) == {"v", "ids", "truncated"} for x in d)' \
    "a line for each line"
out_json 'len(d[1]["ids"]) == 2' "a blank line has [CLS] and [SEP]"
run kith tokens --jsonl - --text-field t <"$golden/tiny-texts.jsonl"
check "the ids of the reference" python3 - "$out" "$golden/tiny-texts.jsonl" <<'END'
import json, sys
ours = [json.loads(line) for line in open(sys.argv[1])]
theirs = [json.loads(line) for line in open(sys.argv[2])]
assert len(ours) == len(theirs) > 5
for a, b in zip(ours, theirs):
    assert a["ids"] == b["ids"], (a, b)
    assert a["truncated"] == b["full"] - len(b["ids"]), (a, b)
END
run kith tokens --jsonl long.txt
out_json 'd[0]["truncated"] > 0' "a text that is cut"
run kith tokens --jsonl long.txt --no-truncate
out_json 'd[0]["truncated"] == 0 and len(d[0]["ids"]) > 2000' "--no-truncate"

# ---------------------------------------------------------------- compare
run kith compare one one two --json
is_status 0 "compare --json"
out_json 'd[0]["v"] == 1 and d[0]["metric"] == "cosine" and len(d[0]["scores"]) == 2' \
    "the object"
out_json 'abs(d[0]["scores"][0] - 1) < 1e-6 and d[0]["scores"][1] < 0.9999' \
    "the same text is 1"
run kith compare one one two
check "four decimals, one a line" test "$(grep -cE '^-?[01]\.[0-9]{4}$' "$out")" -eq 2
