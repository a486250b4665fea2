#!/usr/bin/env bash
# Questions and answers. The model's weights are random: only what does not depend on
# them is looked at, and a text is always nearest to itself.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

cat >faq.jsonl <<'END'
{"id":"a","question":"How long does it take?","answer":"Two days.\nOr three.","t":{"n":1}}
{"id":"b","question":"Who pays for the journey?","answer":"You do."}
{"id":"c","title":"Rain","text":"What if it rains on the day?","score":0.123456789012345}
{"id":"d","question":"Where is the key of the red door?"}
END
kith index -q faq.kith faq.jsonl

# ---------------------------------------------------------------- one question
run kith search faq.kith "Who pays for the journey?" --json
is_status 0 "a question"
out_json 'len(d) == 1 and set(d[0])
          == {"v", "query_id", "query", "exact", "recall", "hits"}' \
    "the keys of an answer"
out_json 'd[0]["query_id"] == "1" and d[0]["query"] == "Who pays for the journey?"' \
    "the question"
out_json 'd[0]["exact"] is True and d[0]["recall"] == 1' "exact, so the recall is 1"
out_json 'all(set(h) == {"rank", "id", "passage", "score", "text", "title", "metadata", "source"}
          for h in d[0]["hits"])' "the keys of a hit"
out_json '[h["rank"] for h in d[0]["hits"]] == [1, 2, 3, 4]' "ranks"
out_json '[h["score"] for h in d[0]["hits"]] == sorted((h["score"]
          for h in d[0]["hits"]), reverse=True)' \
    "the nearest first"
out_json 'd[0]["hits"][0]["id"] == "b" and d[0]["hits"][0]["score"] > 0.999' \
    "the same text is nearest"
out_json 'd[0]["hits"][0]["metadata"] == {"answer": "You do."}' "metadata"
out_json 'd[0]["hits"][0]["source"]
          == {"path": "'"$work"'/faq.jsonl", "byte": [91, 159], "line": [2, 2]}' \
    "the source"
out_json '[h["title"] for h in d[0]["hits"] if h["id"] == "c"] == ["Rain"]' "the title"
out_has '"score":0.123456789012345' "metadata keep their digits"
cp "$out" "$top/state/json"
run kith search faq.kith "Who pays for the journey?" --jsonl
check "--jsonl gives the same object" cmp "$out" "$top/state/json"
run kith search faq.kith "Who pays for the journey?" --json --threads 1 --exact
check "one thread gives the same bytes" cmp "$out" "$top/state/json"
run kith search faq.kith "Who pays for the journey?" -k 2 --json
out_json 'len(d[0]["hits"]) == 2' "-k 2"
run kith search faq.kith "Who pays for the journey?" -k 1000 --json
out_json 'len(d[0]["hits"]) == 4' "k over the number of records"
run kith search faq.kith "Who pays for the journey?" --min-score 0.999 --json
out_json 'len(d[0]["hits"]) == 1' "--min-score"
run kith search faq.kith "something else" --min-score 1.5 --json
is_status 1 "no hit"
out_json 'd[0]["hits"] == []' "is an answer without hits"
run kith search faq.kith "Who pays?" --explain --json
out_json 'len(d[0]["plan"]) > 5' "--explain in JSON"
run kith search faq.kith "$(printf 'word %.0s' {1..500})" --json
out_json 'd[0]["truncated"] > 0' "a question that was cut"
run kith search faq.kith "$(printf 'word %.0s' {1..500})"
err_has 'cut: [0-9]+ tokens' "is told to people"

# ---------------------------------------------------------------- for people
run kith search faq.kith "How long does it take?" -k 1
out_is "rank, score, id, text" <<'END'
  1  1.0000  a
    How long does it take?
END
run kith search faq.kith "How long does it take?" -k 1 --show answer
out_is "--show" <<'END'
  1  1.0000  a
    How long does it take?
    Two days.
    Or three.
END
run kith search faq.kith "How long does it take?" -k 1 --show t
out_has '^    \{"n":1\}$' "--show of what is no string"
run kith search faq.kith "How long does it take?" -k 1 --show nothing
check "--show of what is not there" test "$(wc -l <"$out")" -eq 2
run kith search faq.kith "Rain What if it rains on the day?" -k 1
out_has '^  1  1\.0000  c  Rain$' "the title"

# ---------------------------------------------------------------- TREC
run kith search faq.kith "How long does it take?" --trec -k 2
out_has '^1 Q0 a 1 1(\.[0-9]+)? kith$|^1 Q0 a 1 0\.99[0-9]* kith$' \
    "--trec: the first hit"
out_has '^1 Q0 [b-d] 2 -?0\.[0-9]+ kith$' "and the second"
printf '{"id":"with blank %%","text":"x"}\n' >blank.jsonl
kith index -q blank.kith blank.jsonl
run kith search blank.kith x --trec
out_has '^1 Q0 with%20blank%20%25 1 ' "blanks in ids do not break the columns"

# ---------------------------------------------------------------- like
run kith search faq.kith --like a --json
is_status 0 "--like"
out_json 'd[0]["like"] == "a" and [h["id"] for h in d[0]["hits"] if h["id"] == "a"]
          == []' \
    "leaves the record itself out"
out_json 'len(d[0]["hits"]) == 3' "and gives all others"
run kith search faq.kith --like nobody
is_status 1 "--like with an id that is not there"

# ---------------------------------------------------------------- many questions
printf 'Who pays for the journey?\n\nHow long does it take?\r\nWhere is the key' >q.txt
run kith search faq.kith --queries q.txt --jsonl -k 1
is_status 0 "--queries with lines"
out_json '[x["query_id"] for x in d] == ["1", "3", "4"]' "ids are numbers of lines"
out_json '[x["query"] for x in d]
          == ["Who pays for the journey?", "How long does it take?",
          "Where is the key"]' \
    "in order"
out_json '[x["hits"][0]["id"] for x in d[:2]] == ["b", "a"]' "each has its own answer"
run kith search faq.kith --queries q.txt --json
is_status 2 "--json is for one question"
cat >q.jsonl <<'END'
{"_id": "q1", "text": "Who pays for the journey?", "metadata": {}}
{"id": 2, "query": "How long does it take?"}
{"question": "Where is the key of the red door?"}
END
run kith search faq.kith --queries q.jsonl --jsonl -k 1
out_json '[(x["query_id"], x["hits"][0]["id"]) for x in d]
          == [("q1", "b"), ("2", "a"), ("3", "d")]' \
    "--queries with JSONL"
run kith search faq.kith --queries - --jsonl -k 1 <q.jsonl
out_json '[x["query_id"] for x in d] == ["q1", "2", "3"]' "JSONL on stdin is recognised"
cat >bad.jsonl <<'END'
{"id":"good","text":"x"}
{"broken
{"id":"blank","text":" "}
{"id":"last","text":"y"}
END
run kith search faq.kith --queries bad.jsonl --jsonl -k 1
is_status 3 "a broken question"
out_json '[x["query_id"] for x in d] == ["good", "2", "last"]' \
    "has an answer in its place"
out_json '"JSON" in d[1]["error"] and d[1]["hits"] == []' "that says why"
err_has 'bad.jsonl:2: invalid JSON' "people are told"
run kith search faq.kith --queries no-such-file --jsonl
is_status 4 "a file of questions that is not there"
run kith search faq.kith --queries q.txt --trec -k 1
check "--trec with --queries" test "$(cut -d ' ' -f 1 "$out" | xargs)" = "1 3 4"
seq 1 500 >numbers.txt
run kith search faq.kith --queries numbers.txt --jsonl -k 2
out_json '[x["query"] for x in d] == [str(i) for i in range(1, 501)]' \
    "500 questions, in order"
cp "$out" "$top/state/many"
for n in 1 250 500; do
    run kith search faq.kith "$n" --jsonl -k 2
    check "question $n has the same hits alone" \
        python3 - "$out" "$top/state/many" "$n" <<'END'
import json, sys
alone = json.loads(open(sys.argv[1]).read())
many = [json.loads(line) for line in open(sys.argv[2])]
sys.exit(alone["hits"] != many[int(sys.argv[3]) - 1]["hits"])
END
done

# A program that asks, waits for the answer, and asks again.
run python3 - "$KITH_PROGRAM" <<'END'
import json, select, subprocess, sys
command = [sys.argv[1], "search", "faq.kith", "--queries", "-", "--jsonl", "-k", "1"]
kith = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for question in ["one", "two", "three"]:
    kith.stdin.write(question.encode() + b"\n")
    kith.stdin.flush()
    if not select.select([kith.stdout], [], [], 20)[0]:
        sys.exit("no answer to " + question)
    answer = json.loads(kith.stdout.readline())
    if answer["query"] != question:
        sys.exit(f"asked {question}, got {answer}")
kith.stdin.close()
sys.exit(kith.wait())
END
is_status 0 "answers line by line"

# ---------------------------------------------------------------- passages
python3 -c 'for i in range(60): print("Paragraph %d speaks of the sea.\n" % i)' >long.txt
kith index -q long.kith long.txt
run kith search long.kith "the sea" --json
out_json 'len(d[0]["hits"]) == 1' "a record of many passages is one hit"
run kith search long.kith "the sea" --passages --json -k 3
out_json 'len(d[0]["hits"]) == 3 and len({h["passage"] for h in d[0]["hits"]}) == 3' \
    "--passages"
run kith search long.kith "the sea"
out_has 'long.txt \(passage [0-9]+ of [0-9]+, lines [0-9]+-[0-9]+\)' \
    "people see which passage"

# ---------------------------------------------------------------- less alike
for i in 1 2 3; do printf 'The sea is %d.\nThe sea was %d.\nA stone.\n' "$i" "$i" >"sea$i.txt"; done
kith index -q seas.kith sea1.txt sea2.txt sea3.txt --format lines
run kith search seas.kith "the sea" --json -k 4 --max-per-source 1
out_json 'sorted(h["source"]["path"].split("/")[-1] for h in d[0]["hits"]) ==
          ["sea1.txt", "sea2.txt", "sea3.txt"]' "--max-per-source"
run kith search seas.kith "the sea" --json -k 3 --mmr 0
out_json 'len(d[0]["hits"]) == 3 and "A stone." in [h["text"] for h in d[0]["hits"][:2]]' \
    "--mmr 0: what differs most comes next"
run kith search seas.kith "the sea" --json -k 3 --mmr 1
cp "$out" nearest
run kith search seas.kith "the sea" --json -k 3
check "--mmr 1 changes nothing" cmp "$out" nearest
run kith search seas.kith "the sea" --mmr 2
is_status 2 "--mmr 2"
run kith search seas.kith "the sea" --mmr 0.5 -k 2000
is_status 2 "--mmr with a large -k"
