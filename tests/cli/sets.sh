#!/usr/bin/env bash
# Records among themselves: pairs, join, dedupe, cluster. The model's weights are random:
# equal texts have a score of 1, and that is all that is known of scores.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

# json_is EXPRESSION NAME: as out_json, with d one document of many lines.
json_is() {
    check "$2" python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$out" "$1"
}

cat >faq.jsonl <<'END'
{"id":"a","question":"How long does it take?"}
{"id":"b","question":"Who pays for the journey?"}
{"id":"c","title":"Rain","text":"What if it rains on the day?"}
{"id":"d","question":"How long does it take?"}
{"id":"e","question":"Where is the key of the red door?"}
{"id":"f","question":"HOW LONG DOES IT TAKE?"}
END
kith index -q faq.kith faq.jsonl
printf '{"id":"one","text":"alone"}\n' >one.jsonl
kith index -q one.kith one.jsonl

# ---------------------------------------------------------------- pairs
run kith pairs faq.kith --jsonl
is_status 0 "pairs"
out_json 'len(d) == 15 and all(set(p) == {"v", "rank", "score", "a", "b"} for p in d)' \
    "all pairs of six records"
out_json 'all(set(p[x]) == {"id", "passage", "title", "text"} for p in d for x in "ab")' \
    "the keys of a member"
out_json '[p["rank"] for p in d] == list(range(1, 16))' "ranks"
out_json '[p["score"] for p in d] == sorted((p["score"] for p in d), reverse=True)' \
    "the nearest first"
out_json '{(p["a"]["id"], p["b"]["id"]) for p in d[:3]}
          == {("a", "d"), ("a", "f"), ("d", "f")}' "equal texts are nearest"
out_json 'len({(p["a"]["id"], p["b"]["id"]) for p in d}) == 15
          and all(p["a"]["id"] < p["b"]["id"] for p in d)' "no pair twice"
cp "$out" "$top/state/pairs"
run kith pairs faq.kith --jsonl --threads 1
check "one thread gives the same bytes" cmp "$out" "$top/state/pairs"
run env KITH_CPU=portable "$KITH_PROGRAM" pairs faq.kith --jsonl
check "portable kernels give the same bytes" cmp "$out" "$top/state/pairs"
run kith pairs faq.kith --json
json_is 'set(d) == {"v", "pairs"} and len(d["pairs"]) == 15
         and "v" not in d["pairs"][0]' "--json gives one object"
run kith pairs faq.kith --jsonl --max-pairs 4
out_json 'len(d) == 4' "--max-pairs"
run kith pairs faq.kith --jsonl --min-score 0.9999
out_json '{p["a"]["id"] + p["b"]["id"] for p in d} == {"ad", "af", "df"}' "--min-score"
run kith pairs faq.kith --jsonl --top-k 1
out_json '3 <= len(d) <= 6' "--top-k: each pair is the best of one of its members"
run kith pairs faq.kith --max-pairs 1
out_is "for people" <<'END'
  1  1.0000  a  How long does it take?
             d  How long does it take?
END
run kith pairs faq.kith --min-score 1.5 --jsonl
is_status 1 "no pair"
out_is_empty "is no line"
run kith pairs one.kith --json
is_status 1 "a single record has no pair"
json_is 'd == {"v": 1, "pairs": []}' "but its JSON is whole"
run kith pairs nothing.kith
is_status 4 "a collection that is not there"
for wrong in "--top-k 0" "--max-pairs 0" "--json --jsonl" "faq.kith"; do
    # shellcheck disable=SC2086
    run kith pairs faq.kith $wrong
    is_status 2 "pairs $wrong"
done

# ---------------------------------------------------------------- join
printf 'Who pays for the journey?\n\nHow long does it take?\n' >q.txt
run kith search faq.kith --queries q.txt --jsonl -k 2
cp "$out" "$top/state/searched"
run kith join q.txt faq.kith --jsonl -k 2
is_status 0 "join"
out_json 'len(d) == 4 and all(set(p) == {"v", "query_id", "query", "exact", "rank",
          "score", "id", "passage", "title", "text"} for p in d)' "a line a neighbour"
out_json '[(p["query_id"], p["rank"]) for p in d]
          == [("1", 1), ("1", 2), ("3", 1), ("3", 2)]' "in order"
out_json 'd[0]["id"] == "b" and d[2]["id"] == "a" and d[0]["query"] == d[0]["text"]' \
    "the nearest"
out_json '[(p["id"], p["score"]) for p in d]
          == [(h["id"], h["score"]) for line in open("'"$top"'/state/searched")
              for h in json.loads(line)["hits"]]' "are those of search"
run kith join - faq.kith -k 1 <q.txt
out_is "for people, from stdin" <<'END'
  1  1.0000  1  Who pays for the journey?
             b  Who pays for the journey?
  1  1.0000  3  How long does it take?
             a  How long does it take?
END
run kith join q.txt faq.kith --min-score 1.5
is_status 1 "no neighbour"
printf '{"id":"x","text":"good"}\n{"broken\n' >bad.jsonl
run kith join bad.jsonl faq.kith --jsonl -k 1
is_status 3 "a broken line"
err_has 'bad.jsonl:2: invalid JSON' "is told"
out_json 'len(d) == 1 and d[0]["query_id"] == "x"' "and the others are answered"
run kith join no-such-file faq.kith
is_status 4 "a file that is not there"
run kith join faq.kith
is_status 2 "join without a file"
run kith join q.txt faq.kith -k 0
is_status 2 "join with k = 0"

# ---------------------------------------------------------------- cluster
run kith cluster faq.kith --min-size 3 --min-score 0.9999 --jsonl
is_status 0 "cluster"
out_json 'len(d) == 1 and set(d[0]) == {"v", "cluster", "size", "members"}' "its keys"
out_json 'd[0]["members"][0]["id"] == "a" and d[0]["size"] == 3
          and {m["id"] for m in d[0]["members"]} == set("adf")' "equal texts"
out_json 'set(d[0]["members"][0]) == {"score", "id", "passage", "title", "text"}
          and d[0]["members"][0]["score"] == 1' "the centre"
run kith cluster faq.kith --min-size 1 --min-score 0.9999 --json
json_is 'len(d["clusters"]) == 4 and sum(c["size"] for c in d["clusters"]) == 6' \
    "every record is in one"
run kith cluster faq.kith --min-size 3 --min-score 0.9999
out_has '^cluster 1: 3 members$' "for people"
out_has '^  1\.0000  a  How long' "with members"
run kith cluster faq.kith
is_status 1 "none of ten"
out_is_empty "prints nothing"
run kith cluster faq.kith --min-size 0
is_status 2 "--min-size 0"

# ---------------------------------------------------------------- dedupe
run kith dedupe faq.kith --jsonl --min-score 1
is_status 0 "dedupe"
out_json 'len(d) == 1
          and set(d[0]) == {"v", "id", "passage", "title", "text", "duplicates"}' \
    "a line a record that is kept"
out_json 'd[0]["id"] == "a" and [(x["id"], x["exact"]) for x in d[0]["duplicates"]]
          == [("d", True), ("f", False)]' "its duplicates"
err_has '^kith: 2 duplicates of 1 records; --delete deletes them$' "the summary"
run kith list faq.kith
check "nothing was deleted" test "$(wc -l <"$out")" -eq 6
run kith dedupe faq.kith --min-score 1 -q
out_is "for people" <<'END'
a  How long does it take?
  exact   d  How long does it take?
  1.0000  f  HOW LONG DOES IT TAKE?
END
err_is_empty "-q"
run kith dedupe faq.kith --min-score 0
is_status 2 "--min-score 0"
run kith dedupe faq.kith --min-score 1.1
is_status 2 "--min-score over 1"
run kith dedupe faq.kith --min-score 1 --delete --jsonl
is_status 0 "--delete"
err_has '^kith: 2 deleted$' "tells how many"
out_json 'len(d[0]["duplicates"]) == 2' "and which"
run kith list faq.kith
check "those that are kept" test "$(xargs <"$out")" = "a b c e"
run kith dedupe faq.kith --min-score 1 --delete --json
is_status 0 "again"
json_is 'd == {"v": 1, "groups": []}' "finds nothing"
err_has '^kith: 0 deleted$' "and deletes nothing"

# Files that are copies of each other, of several passages.
mkdir notes
python3 -c 'for i in range(60): print("Paragraph %d speaks of the sea.\n" % i)' \
    >notes/1.txt
cp notes/1.txt notes/2.txt
sed 's/Paragraph 59/Paragraph 60/' notes/1.txt >notes/3.txt
kith index -q notes.kith notes
run kith dedupe notes.kith --jsonl --min-score 0.01 -q
out_json '[(x["id"][-5:], y["id"][-5:]) for x in d for y in x["duplicates"]]
          == [("1.txt", "2.txt")]' "a long text is a duplicate as a whole only"
run kith pairs notes.kith --jsonl
out_json 'len(d) == 3' "pairs are of records"
run kith cluster notes.kith --jsonl --min-size 2 --min-score 0.9999
out_json 'max(m["passage"] for c in d for m in c["members"]) > 0' \
    "clusters are of passages"
