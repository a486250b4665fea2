#!/usr/bin/env bash
# Filters, as the program shows them.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

cat >notes.jsonl <<'END_OF_NOTES'
{"id":"a","text":"the sea at dawn","title":"Sea","lang":"en","year":2019,"tags":["x","y"]}
{"id":"b","text":"the sea at dusk","lang":"en","year":2020,"author":{"name":"Eve"}}
{"id":"c","text":"das Meer am Morgen","lang":"de","year":2021,"tags":["y"],"draft":true}
{"id":"d","text":"the sea at noon","year":"2021","draft":null}
{"id":"e","text":"the sea at night","lang":"en","price":9.5,"odd name":1}
END_OF_NOTES
kith index -q n.kith notes.jsonl

# found FILTER IDS: what a search with this filter finds, in the order of the ids.
found() {
    run kith search n.kith "the sea" --json --where "$1"
    out_json "''.join(sorted(h['id'] for h in d[0]['hits'])) == '$2'
              and d[0]['exact'] is True and d[0]['recall'] == 1" "$1 finds '$2'"
}
found 'lang = "en"' abe
found "lang = 'en' AND year >= 2020" b
found 'lang != "en"' cd
found 'year < 2021' ab
found 'year = "2021"' d
found 'tags = "y"' ac
found 'tags IN ("x", "z")' a
found 'tags NOT IN ("x", "z")' bcde
found 'EXISTS draft' cd
found 'NOT EXISTS draft' abe
found 'draft = true OR price > 9' ce
found 'NOT (lang = "en" OR draft = true)' d
found 'author.name = "Eve"' b
# shellcheck disable=SC2016
found '`odd name` = 1' e
# shellcheck disable=SC2016
found '$id IN ("a", "d") OR $title STARTS WITH "Se"' ad
found "\$source STARTS WITH \"$work/\"" abcde
found 'lang STARTS WITH "d"' c

run kith search n.kith "the sea" --where 'lang = "xx"'
is_status 1 "a filter that nothing matches"
out_is_empty "finds nothing"
run kith search n.kith "the sea" -k 2 --json --where 'lang = "en"'
out_json 'len(d[0]["hits"]) == 2' "-k counts what matches"
run kith search n.kith --like a --json --where 'lang = "en"'
out_json 'sorted(h["id"] for h in d[0]["hits"]) == ["b", "e"]' "--like with a filter"
printf 'sea\nMeer\n' >questions.txt
run kith search n.kith --queries questions.txt --jsonl --where 'lang = "de"'
out_json '[[h["id"] for h in x["hits"]] for x in d] == [["c"], ["c"]]' \
    "--queries with a filter"
run kith search n.kith "the sea" --where 'lang = "en"' --explain
err_has '3 of 5 rows match the filter' "--explain counts what matches"

# ---------------------------------------------------------------- mistakes
run kith search n.kith "the sea" --where 'lang = '
is_status 2 "half a filter"
err_has 'column 8: a value, .* is needed, not the end' "says what is missing"
out_is_empty "and finds nothing"
run kith search n.kith --queries questions.txt --jsonl --where 'lang LIKE "d%"'
is_status 2 "a filter in another language"
err_has 'column 6: =, !=, .* STARTS WITH is needed, not LIKE' "says what there is"
run kith search n.kith "the sea" --where ''
is_status 2 "an empty filter"
run kith search no.kith "the sea" --where 'lang = '
is_status 2 "a mistake is told before anything is opened"

# ---------------------------------------------------------------- postings
python3 - <<'END_OF_PROGRAM'
import json
with open("many.jsonl", "w") as f:
    for i in range(2500):
        f.write(json.dumps({"id": f"n{i}", "text": f"stone {i % 97}", "n": i,
                            "odd": i % 2 == 1}) + "\n")
END_OF_PROGRAM
many() { # the answer to a filter, and how much is covered by postings
    run kith search m.kith "stone 5" --json -k 10000 --where 'n >= 1000 AND odd = true'
}
kith index -q m.kith many.jsonl --ann never
run kith status m.kith --json
out_json 'd[0]["fields"] == {"covers": 2500}' "postings are made from 2,000 records up"
run kith status m.kith
out_has '^fields    postings cover 2500 rows$' "people see it too"
many
out_json 'sorted(int(h["id"][1:]) for h in d[0]["hits"])
          == list(range(1001, 2500, 2))' "they answer"
cp "$out" "$top/state/many"
file=$(echo m.kith/g*/derived/fields-*)
cp "$file" "$top/state/fields"
printf x | dd of="$file" bs=1 seek=5000 conv=notrunc 2>"$top/state/dd"
many
check "a damaged file does not change an answer" cmp "$out" "$top/state/many"
run kith verify m.kith
is_status 1 "verify finds it"
out_has 'derived/fields-.* is damaged' "and says which"
truncate -s 100 "$file"
many
check "nor does one that was cut" cmp "$out" "$top/state/many"
run kith status m.kith --json
out_json 'd[0]["fields"]["covers"] == 0 and "damaged" in d[0]["fields"]["problem"]' \
    "status says why it is not used"
run kith status m.kith
out_has '^problem   .*damaged' "people see it too"
rm "$file"
many
check "nor does one that is gone" cmp "$out" "$top/state/many"
kith index -q m.kith many.jsonl --ann never
check "the next index run writes it again" test -s m.kith/g*/derived/fields-*
many
check "with the same answer" cmp "$out" "$top/state/many"

kith delete -q m.kith n1001 n1003
cat >more.jsonl <<'END_OF_MORE'
{"id":"n1005","text":"stone 5","n":0}
{"id":"new","text":"bird","n":1001,"odd":true}
END_OF_MORE
kith index -q m.kith more.jsonl --ann never
many
out_json 'sorted(h["id"] for h in d[0]["hits"])
          == sorted([f"n{i}" for i in range(1007, 2500, 2)] + ["new"])' \
    "what was deleted, changed and added since counts"
