#!/usr/bin/env bash
# get, list, delete, status.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

cat >r.jsonl <<'END'
{"id":"a","text":"one","title":"T","n":1}
{"id":"b","text":"two"}
{"id":"c","text":"three"}
END
kith index -q c.kith r.jsonl

run kith list c.kith
is_status 0 "list"
out_is "prints ids" <<<$'a\nb\nc'
run kith list c.kith --json
check "list --json is one object" python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["v"] == 1 and [r["id"] for r in d["records"]] == ["a", "b", "c"], d' "$out"
run kith list c.kith --jsonl
out_json '[(x["v"], x["id"], x["passages"]) for x in d]
          == [(1, "a", 1), (1, "b", 1), (1, "c", 1)]' \
    "list --jsonl is one a line"

run kith get c.kith a
is_status 0 "get"
out_is "prints title and text" <<<$'T\n\none'
run kith get c.kith b c
out_is "prints several" <<<$'two\n\nthree'
run kith get c.kith b nobody c
is_status 1 "get with an id that is not there"
out_is "prints the others" <<<$'two\n\nthree'
err_has 'no record nobody' "and names it"
run kith get c.kith a nobody --json
is_status 1 "get --json with an id that is not there"
out_json 'len(d) == 1 and d[0]["records"] == [{"id": "a", "title": "T", "metadata": {"n": 1},
    "source": {"path": "'"$work"'/r.jsonl", "byte": [0, 41], "line": [1, 1]},
    "passages": [{"passage": 0, "text": "one", "byte": [0, 41], "line": [1, 1]}]}]' "is one object"
run kith get c.kith a b --jsonl
out_json '[(x["v"], x["id"]) for x in d] == [(1, "a"), (1, "b")]' \
    "get --jsonl is one a line"

run kith status c.kith --json
is_status 0 "status"
out_json 'set(d[0]) >= {"v", "records", "passages", "dim", "model", "precision",
          "index", "bytes"}' \
    "the keys of the contract"
out_json 'd[0]["records"] == 3 and d[0]["passages"] == 3 and d[0]["model"] == "tiny"' \
    "what it holds"
out_json 'd[0]["index"]
          == {"kind": "exact", "factory": None, "covers": 0, "recall": []}' \
    "no index"
out_json 'd[0]["bytes"]["store"] > 0 and d[0]["bytes"]["vectors"] > 0' "bytes"
run kith status c.kith
out_has '^records   3 \(3 passages, 1 sources\)$' "status for people"

run kith delete c.kith a
is_status 0 "delete"
err_has '1 deleted' "says what it did"
out_is_empty "prints nothing on stdout"
run kith delete c.kith a
is_status 1 "delete what is not there"
run kith delete c.kith b nobody
is_status 1 "delete with one id that is not there"
run kith list c.kith
out_is "forgets the other" <<<c
run kith search c.kith one --json
out_json '[h["id"] for h in d[0]["hits"]] == ["c"]' "what is deleted is not found"
run kith index c.kith r.jsonl --jsonl
out_json 'd[-1]["indexed"] == 2 and d[-1]["unchanged"] == 1' \
    "and comes back when indexed"
run kith delete c.kith c c -q
is_status 0 "an id named twice"
err_is_empty "delete -q says nothing"

for command in "get x.kith a" "list x.kith" "delete x.kith a" "status x.kith" \
    "search x.kith a"; do
    # shellcheck disable=SC2086
    run kith $command
    is_status 4 "${command%% *} without a collection"
    err_has 'no collection x.kith' "says so"
done
check "and makes none" test ! -e x.kith
