#!/usr/bin/env bash
# Inside a sentence, and every score: compare, tokens, encode --tokens, --word, --static.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model
dim=48
limit=32 # tokens

# check_scores NAME ROWS METRIC MATRIX: the matrix of --json is that of the rows (f32).
check_scores() {
    check "$1" python3 - "$2" "$3" "$4" "$dim" <<'END'
import json, math, struct, sys
path, metric, dim = sys.argv[1], sys.argv[2], int(sys.argv[4])
matrix = json.load(open(sys.argv[3]))
data = open(path, "rb").read()
rows = [struct.unpack_from(f"<{dim}f", data, i) for i in range(0, len(data), 4 * dim)]
dot = lambda a, b: sum(x * y for x, y in zip(a, b))
score = {
    "cosine": lambda a, b: dot(a, b) / (math.sqrt(dot(a, a) * dot(b, b)) or 1),
    "dot": dot,
    "euclidean": lambda a, b: -math.dist(a, b),
    "manhattan": lambda a, b: -sum(abs(x - y) for x, y in zip(a, b)),
}[metric]
assert matrix["metric"] == metric and len(matrix["matrix"]) == len(rows) > 2
for a, line in zip(rows, matrix["matrix"]):
    assert len(line) == len(rows)
    for b, value in zip(rows, line):
        assert abs(score(a, b) - value) < 1e-6 * max(1, abs(value)), (score(a, b), value)
END
}

# ---------------------------------------------------------------- compare
printf 'the river\n\nold ships, new cooks\nthe river\n' >s.txt
for how in "" "--pooling mean" "--pooling cls" "--pooling max" "--pooling pooler" \
    "--static" "--static --drop-stopwords"; do
    # shellcheck disable=SC2086
    kith encode s.txt $how -q >"$top/state/rows"
    for metric in cosine dot euclidean manhattan; do
        # shellcheck disable=SC2086
        run kith compare --file s.txt --matrix --json --metric "$metric" $how
        cp "$out" "$top/state/matrix"
        check_scores "compare $how --metric $metric" "$top/state/rows" "$metric" \
            "$top/state/matrix"
    done
done
run kith compare --file s.txt --matrix --json
out_json 'd[0]["v"] == 1 and d[0]["sentences"] == ["the river", "", "old ships, new cooks",
          "the river"]' "the sentences of a matrix; a blank line is one"
out_json 'all(d[0]["matrix"][i][j] == d[0]["matrix"][j][i] for i in range(4)
          for j in range(4))' "it is symmetrical"
out_json 'd[0]["matrix"][0][0] == d[0]["matrix"][0][3] == d[0]["matrix"][1][1] == 1' \
    "the same sentence, and an empty one with itself, are 1"
run kith compare --json "the river" --file - <<<"old ships"
out_json 'set(d[0]) == {"v", "metric", "scores"} and len(d[0]["scores"]) == 1' \
    "a sentence and one of stdin"
for metric in euclidean manhattan; do
    run kith compare --metric "$metric" one one
    out_is "$metric: the same sentence is 0" <<<0.0000
    run kith compare --metric "$metric" --json one two
    out_json 'd[0]["scores"][0] < 0 and d[0]["metric"] in ("euclidean", "manhattan")' \
        "$metric: another is below"
done
run kith compare --matrix "one" "two  words" "$(printf 'word %.0s' {1..30})"
check "a table: a head and three rows" test "$(wc -l <"$out")" -eq 4
out_has '^1    1\.0000 +-?[01]\.[0-9]{4} +-?[01]\.[0-9]{4}  one$' "a row of it"
out_has '^3 .* word word .*\.\.\.$' "a long sentence is cut in the table"
run kith compare --matrix --csv 'a "b", c' two
is_status 0 "--csv"
check "CSV that Python reads" python3 - "$out" <<'END'
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))
assert rows[0] == ["cosine", 'a "b", c', "two"], rows
assert rows[1][:2] == ['a "b", c', "1"] and rows[2][0] == "two", rows
assert rows[1][2] == rows[2][1] and -1 < float(rows[1][2]) < 1, rows
END
run kith compare one "$(printf 'word %.0s' {1..100})"
is_status 0 "a sentence that is too long"
err_has "^kith: sentence 2 was cut at $limit tokens: [0-9]+ more did not fit$" \
    "is told to be cut"
run kith compare --file s.txt --static ""
err_has '^kith: sentence 1 has no word to average: its vector is zero$' \
    "a sentence without a word is told"
err_has '^kith: s.txt:2 has no word' "with its line, if it is of a file"
run kith compare --static --drop-stopwords "the of" "one river" --json
out_json 'd[0]["scores"] == [0]' "the cosine with a zero vector is 0"
printf '{"text":"one"}\n{"text":"two"}\n{"broken\n' >bad.jsonl
run kith compare --file bad.jsonl
is_status 3 "a broken line"
err_has 'bad.jsonl:3: .*; stopped before it' "is named"
check "what is before it is compared" test "$(wc -l <"$out")" -eq 1
run kith compare one --file no-such-file
is_status 4 "a file that is not there"
for wrong in "one --file /dev/null" "one" "--csv one two" "--matrix --csv --json one two" \
    "--static --pooling cls one two" "--word one --static one two" \
    "--word one --pooling max one two" "--drop-stopwords one two" \
    "--metric hamming one two"; do
    # shellcheck disable=SC2086
    run kith compare $wrong
    is_status 2 "compare $wrong"
    out_is_empty "prints nothing"
done

# ---------------------------------------------------------------- tokens
run kith tokens "the Ríver"
out_is "pieces, ids, bytes" <<'END'
    id   bytes        piece
     2   0-0          [CLS]
   161   0-3          the
   160   4-10         river
     3   10-10        [SEP]
END
dots=$(printf '.%.0s' {1..40})
mark='^---- cut at byte 30: the model takes 32 tokens, 10 more do not fit ----$'
run kith tokens "$dots"
out_has "$mark" "a mark where the limit cuts"
check "stands before [SEP]" grep -q "^----" <(tail -n 2 "$out")
err_has '^kith: 10 more tokens did not fit' "the cut is told"
run kith tokens "$dots" --no-truncate
out_has "$mark" "the same with --no-truncate"
check "stands before the first piece that is cut" \
    grep -q ' 30-31 ' <(grep -A1 '^----' "$out")
err_is_empty "and nothing was cut"
for switch in --truncate --no-truncate; do
    run kith tokens --json "$dots" "$switch"
    out_json 'd[0]["limit"] == 32 and d[0]["cut"] == 30' "$switch: limit and cut in JSON"
done
run kith tokens --json "${dots:0:30}"
out_json 'd[0]["cut"] is None and len(d[0]["ids"]) == 32' "what just fits is not cut"
run kith tokens "${dots:0:30}"
out_lacks '^----' "and has no mark"

# ---------------------------------------------------------------- encode --tokens
printf 'the Ríver\n\nthe river ships\n' >t.txt
run kith encode --tokens --format jsonl t.txt
is_status 0 "encode --tokens"
cp "$out" "$top/state/tokens"
out_json '[(x["line"], x["token"], x["id"], x["piece"], x["bytes"]) for x in d[:6]] ==
          [(1, 0, 2, "[CLS]", [0, 0]), (1, 1, 161, "the", [0, 3]),
           (1, 2, 160, "river", [4, 10]), (1, 3, 3, "[SEP]", [10, 10]),
           (2, 0, 2, "[CLS]", [0, 0]), (2, 1, 3, "[SEP]", [0, 0])]' "a line for each piece"
out_json 'all(x["v"] == 1 and len(x["vector"]) == 48 for x in d)' "with its vector"
run kith encode --tokens t.txt
check "f32 has the same rows" python3 - "$out" "$top/state/tokens" <<'END'
import json, struct, sys
rows = [json.loads(line)["vector"] for line in open(sys.argv[2])]
assert open(sys.argv[1], "rb").read() == b"".join(struct.pack("<48f", *r) for r in rows)
END
cp "$out" "$top/state/f32"
run kith encode --tokens --format npy t.txt
check "npy too" cmp <(tail -c +129 "$out") "$top/state/f32"
run kith encode --pooling cls t.txt
check "the first is that of [CLS]" cmp -n $((dim * 4)) "$out" "$top/state/f32"
printf '%s\n%s\n' "$dots" one >long.txt
run kith encode --tokens long.txt
err_has '^kith: 1 of 2 texts were cut at 32 tokens$' "a text that is cut is told"
check "the other rows are there" test $(($(wc -c <"$out") / dim / 4)) -ge $((limit + 3))

# ---------------------------------------------------------------- encode --word
printf 'the river, a RÍVER\nbank-river\n' >w.txt
run kith encode --word River --format jsonl w.txt
is_status 0 "encode --word"
err_is_empty "nothing to tell"
out_json '[(x["line"], x["word"], x["bytes"], x["tokens"]) for x in d] ==
          [(1, "river", [4, 9], [2, 3]), (1, "RÍVER", [13, 19], [5, 6]),
           (2, "river", [5, 10], [6, 7])]' "a line for each occurrence"
run kith encode --word bank --format jsonl w.txt
is_status 3 "a text without the word"
err_has '^kith: w.txt:1: "bank" is not in this text$' "is told"
err_has '^kith: 1 of 2 texts are without "bank"$' "and counted"
out_json 'len(d) == 1 and d[0]["tokens"] == [1, 5]' "the other has its row"
printf '%s\n' "${dots:0:26}bank" "${dots:0:27}bank" "bank$dots bank" >cut.txt
run kith encode --word bank --format jsonl cut.txt
is_status 3 "a word that is cut"
err_has '^kith: cut.txt:2: "bank" stands only where the text is cut$' "is told"
err_has '^kith: in 1 of 3 texts "bank" also stands behind the first 32 tokens' \
    "one that is also cut is counted"
out_json '[x["line"] for x in d] == [1, 3]' "what fits has a row"
run kith encode --word "don't" --format jsonl - <<<"I don't, don t"
out_json 'len(d) == 1 and d[0]["word"] == "don'"'"'t"' "a word that the tokenizer splits"
run kith encode --word "  " w.txt
is_status 2 "a blank word"
err_has 'nothing is left of it' "is refused"
for wrong in "--word a --tokens" "--static --tokens" "--tokens --pooling max" \
    "--drop-stopwords" "--word a --static"; do
    # shellcheck disable=SC2086
    run kith encode w.txt $wrong
    is_status 2 "encode $wrong"
done

# ---------------------------------------------------------------- compare --word
run kith compare --word bank "The river bank" "The savings BANK" "no such" --json
is_status 3 "compare --word, and a sentence without it"
out_json '-1 < d[0]["scores"][0] < 0.999999 and d[0]["scores"][1] is None' "is null"
err_has '^kith: sentence 3: "bank" is not in it$' "and told"
err_has '^kith: 1 of 3 sentences are without "bank"$' "and counted"
run kith compare --word bank "The river bank" "no such"
out_is "or - for people" <<<-
run kith compare --word bank --matrix --csv "a bank" "none"
out_has '^"none",,$' "or an empty cell"
run kith compare --word bank "the bank" "the bank"
is_status 0 "sentences that have it"
out_is "the same word in the same context" <<<1.0000
run kith compare --word river "river" "${dots}river"
err_has '^kith: sentence 2: 1 more "river" where it is cut, behind the first 32 tokens' \
    "a word beyond the limit"

# ---------------------------------------------------------------- --static
run kith encode --static --drop-stopwords - <<<$'The river\nriver\nthe of\n'
cp "$out" "$top/state/static"
check "stop words are left out" cmp <(head -c $((dim * 4)) "$out") \
    <(tail -c +$((dim * 4 + 1)) "$out" | head -c $((dim * 4)))
check "of nothing else it is zeros" cmp <(tail -c $((dim * 4 * 2)) "$out") \
    <(head -c $((dim * 4 * 2)) /dev/zero)
err_has '^kith: 2 of 4 texts have no word to average: their rows are zeros$' "and told"
run kith compare --static "river ships cook" "cook river ships"
out_is "order does not count" <<<1.0000
run kith compare "river ships cook" "cook river ships"
out_lacks '^1.0000' "but it does for the model"
run kith encode --static "$tests/../golden/tiny-texts.jsonl" --text-field t -q
check "the averages of the reference" python3 - "$out" \
    "$tests/../golden/tiny-static.f32" <<'END'
import struct, sys
a, b = (open(path, "rb").read() for path in sys.argv[1:])
assert len(a) == len(b) > 0
assert max(abs(x - y) for (x,), (y,) in zip(struct.iter_unpack("<f", a),
                                            struct.iter_unpack("<f", b))) < 2e-5
END
