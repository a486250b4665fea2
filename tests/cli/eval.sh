#!/usr/bin/env bash
# kith eval. The model's weights are random: a text is nearest to itself, and that is
# all that is known of its searches. Measures of runs are worked out by hand.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

# near NAME EXPECTED...: names of measures of the one document that was printed.
near() {
    local name=$1
    shift
    check "$name" python3 - "$out" "$@" <<'END'
import json, sys
d = json.loads(open(sys.argv[1]).read().splitlines()[-1])
for pair in sys.argv[2:]:
    key, value = pair.split("=")
    if abs(d[key] - eval(value, {"log2": __import__("math").log2})) > 1e-8:
        sys.exit(f"{key} is {d[key]}, not {value}")
END
}

# ---------------------------------------------------------------- runs
cat >qrels.txt <<'END'
q1 0 a 2
q1 0 b 1
q1 0 c 0
q2 0 a 1
q3 0 a -1
q4	0	z	1
END
# q1: c and a tie, and the larger id comes first; then b. q2: a at rank 2. q4: none.
cat >one.run <<'END'
q1 Q0 a 1 0.9 x
q1 Q0 c 2 0.9 x
q1 Q0 b 3 0.1 x
q2 Q0 n 1 0.3 x
q2 Q0 a 2 2e-1 x
q3 Q0 a 1 1 x
q9 Q0 a 1 1 x
END
run kith eval --run one.run --qrels qrels.txt --json -k 1
is_status 0 "a run"
near "its measures" queries=4 \
    "ndcg@10=((2/log2(3)+1/2)/(2+1/log2(3))+1/log2(3))/4" "ndcg@1=0" \
    "map@10=((1/2+2/3)/2+1/2)/4" "map@100=((1/2+2/3)/2+1/2)/4" "mrr@10=(1/2+1/2)/4" \
    "mrr@1=0" "recall@10=2/4" "recall@1=0" "precision@10=(2/10+1/10)/4" \
    "success@100=2/4" "judged@1=2/4" "judged@10=(3+1+1)/40" unjudged_queries=1 unanswered_queries=1 \
    queries_without_relevant=1
err_has '^kith: one.run: 1 queries are not judged: left out$' \
    "an unjudged query is told"
err_has '1 of 4 judged queries have no result: they count as 0$' "an unanswered one too"
err_has 'qrels.txt: 1 queries have no relevant document' "and one without an answer"
run kith eval --run one.run --qrels qrels.txt -q
err_is_empty "-q"
out_has '^4 queries$' "the number of queries"
out_has '^map@10 +0\.2708$' "a table"
run kith eval --run one.run --qrels qrels.txt --per-query --json -q
out_json '[x.get("query_id") for x in d] == ["q1", "q2", "q3", "q4", None]
          and d[1]["mrr@10"] == 0.5 and d[3]["mrr@10"] == 0' "--per-query"
run kith eval --run one.run --qrels qrels.txt --per-query -q
out_has "^q2	ndcg@10=0.6309	ndcg@100=" "--per-query for people"
run kith eval --run one.run --qrels qrels.txt --ignore-identical-ids --json -q
near "ids that are not those of queries stay" "mrr@10=1/4"
printf 'q1 Q0 q1 1 2 x\nq1 Q0 a 2 1 x\n' >itself.run
printf 'query-id\tcorpus-id\tscore\r\nq1\ta\t1\r\nq1\tq1\t1\r\n\r\n' >itself.tsv
run kith eval --run itself.run --qrels itself.tsv --ignore-identical-ids --json
near "the query's own id is no answer" "ndcg@10=1" "recall@10=1" "judged@10=1/10"
run kith eval --run itself.run --qrels itself.tsv --ignore-identical-ids --json -k 1
near "nor is it missed" "precision@1=1"

# Two runs: two queries are better by 1 and 1/2, two are the same.
printf 'q1 Q0 a 1 3 x\nq1 Q0 b 2 2 x\nq2 Q0 a 1 1 x\n' >two.run
run kith eval --run one.run --run two.run --qrels qrels.txt --json -q
out_json 'd[0]["queries"] == 4
          and [r["run"] for r in d[0]["runs"]] == ["one.run", "two.run"]
          and set(d[0]) == {"v", "queries", "runs", "difference"}' "two runs"
out_json 'd[0]["difference"]["mrr@10"]["mean"] == 0.25
          and d[0]["difference"]["mrr@10"]["p_randomisation"] == 0.5
          and abs(d[0]["difference"]["mrr@10"]["p_t_test"] - 0.18169011) < 1e-6' \
    "their difference and its tests"
run kith eval --run one.run --run one.run --qrels qrels.txt --json -q
out_json 'd[0]["difference"]["mrr@10"]
          == {"mean": 0, "p_t_test": None, "p_randomisation": 1}' "no difference"
run kith eval --run one.run --run two.run --qrels qrels.txt -q
out_has 'one.run +two.run +difference +p \(t-test\) +p \(randomisation\)$' \
    "a table of two"
out_has '^mrr@10 +0\.2500 +0\.5000 +0\.2500 +0\.1817 +0\.5000$' "with all of it"

# ---------------------------------------------------------------- the gate
run kith eval --run two.run --qrels qrels.txt --min-ndcg 0.5 -q
is_status 0 "nDCG@10 as asked for"
run kith eval --run two.run --qrels qrels.txt --min-ndcg 0.51 -q
is_status 1 "nDCG@10 below"
err_has '^kith: two.run: nDCG@10 is 0\.5000, below 0\.51$' "is told"
run kith eval --run two.run --run one.run --qrels qrels.txt --min-ndcg 0.5 -q
is_status 1 "one of two below"

# ---------------------------------------------------------------- bad input
# refused STATUS PATTERN NAME ARGUMENT...
refused() {
    local wanted=$1 pattern=$2 name=$3
    shift 3
    run kith eval "$@"
    is_status "$wanted" "$name"
    err_has "$pattern" "$name: is told"
    out_is_empty "$name: nothing is printed"
}
: >empty
printf 'q1 Q0 a 1 0.9\n' >short.run
printf 'q1 Q0 a 1 0.9 x\nq1 Q0 b 1 high x\n' >word.run
printf 'q1 Q0 a 1 inf x\n' >inf.run
printf 'q1 Q0 a 1 0.9 x\nq2 Q0 a 1 1 x\nq1 Q0 a 1 0.8 x\n' >double.run
printf 'p Q0 a 1 0.9 x\n' >other.run
refused 5 '^kith: empty: there is no result in it$' "an empty run" \
    --run empty --qrels qrels.txt
refused 5 '^kith: short.run:1: 5 columns, but a line of a run has 6 with blanks' \
    "a column too few" --run short.run --qrels qrels.txt
refused 5 '^kith: word.run:2: score is "high", which is no finite number$' \
    "a score that is no number" --run word.run --qrels qrels.txt
refused 5 '^kith: inf.run:1: score is "inf"' "an infinite score" \
    --run inf.run --qrels qrels.txt
refused 5 'double.run:3: document "a" of query "q1" is there already, in line 1$' \
    "a document twice" --run double.run --qrels qrels.txt
refused 5 'other.run: no query in it is judged: .* is "p", one in qrels.txt "q1"$' \
    "a run of other queries" --run other.run --qrels qrels.txt
refused 4 '^kith: none.run: No such file' "a run that is not there" \
    --run none.run --qrels qrels.txt
refused 5 '^kith: empty: there is no judgement in it$' "no judgements" \
    --run one.run --qrels empty
printf 'q1 0 a 1\nq1 0 b 1.5\n' >real.qrels
refused 5 '^kith: real.qrels:2: label is "1.5", which is no whole number$' \
    "a label that is no whole number" --run one.run --qrels real.qrels
printf 'query-id\tcorpus-id\tscore\nq1\t\t1\n' >blank.tsv
refused 5 '^kith: blank.tsv:2: corpus-id is empty$' "an empty id" \
    --run one.run --qrels blank.tsv
printf 'query-id\tcorpus-id\tscore\nq1 a 1\n' >blanks.tsv
refused 5 "^kith: blanks.tsv:2: 1 columns, but a judgement in BEIR's form has 3 with" \
    "blanks for tabs" --run one.run --qrels blanks.tsv
printf 'q1\ta\t1\n' >headless.tsv
refused 5 "judgements in BEIR's form begin with the line query-id" "no header" \
    --run one.run --qrels headless.tsv
printf 'q1 0 a 1\nq1 0 b 1\nq1 0 a 0\n' >contrary.qrels
refused 5 'contrary.qrels:3: document "a" of query "q1" is there already, in line 1$' \
    "two labels" --run one.run --qrels contrary.qrels
printf 'q1 0 a 1\nq1 0 a 1\n' >again.qrels
run kith eval --run one.run --qrels again.qrels -q
is_status 0 "the same label twice"

# ---------------------------------------------------------------- a collection
cat >faq.jsonl <<'END'
{"id":"a","question":"How long does it take?"}
{"id":"b","question":"Who pays for the journey?"}
{"id":"c","title":"Rain","text":"What if it rains on the day?"}
END
cat >queries.jsonl <<'END'
{"_id":"q1","text":"How long does it take?"}
{"_id":"b","text":"Who pays for the journey?"}
{"_id":"q9","text":"Nobody has judged this."}
END
printf '%s\t%s\t%s\n' query-id corpus-id score q1 a 1 b b 1 b none 1 q5 a 1 >qrels.tsv
kith index -q faq.kith faq.jsonl
run kith eval faq.kith --queries queries.jsonl --qrels qrels.tsv --json \
    --save-run saved.run
is_status 0 "a collection"
near "its measures" queries=2 "ndcg@10=(1+1/(1+1/log2(3)))/2" "map@100=3/4" "mrr@10=1" \
    "recall@100=3/4" unjudged_queries=1 missing_queries=1 judged_documents=3 \
    unknown_documents=1 truncated_queries=0
err_has '^kith: 1 queries are not judged: left out$' "unjudged queries are told"
err_has '^kith: 1 judged queries are not among the queries' \
    "judged ones without a text too"
err_has '^kith: 1 of 3 judged documents are not in the collection' \
    "and unknown documents"
cp "$out" "$top/state/first"
check "the run has all results" test "$(wc -l <saved.run)" -eq 6
check "in TREC's form" grep -qE '^b Q0 b 1 (1|0\.99|1\.00)[0-9]* kith$' saved.run
run kith eval --run saved.run --qrels qrels.tsv --json -q
near "gives the same" "recall@100=(3/4+3/4)/3" "mrr@10=2/3"
run kith eval faq.kith --queries queries.jsonl --qrels qrels.tsv --json -q \
    --ignore-identical-ids
near "--ignore-identical-ids" "mrr@10=1/2" queries_without_relevant=0
run kith eval faq.kith --queries queries.jsonl --qrels qrels.tsv --min-ndcg 1 -q
is_status 1 "the gate"
err_has '^kith: exact search: nDCG@10 is 0\.80' "says so"
run kith eval faq.kith --queries - --qrels qrels.tsv --json -q <queries.jsonl
near "queries on stdin" queries=2 "mrr@10=1"
cat >twice.jsonl <<'END'
{"_id":"q1","text":"one"}
{"_id":"b","text":"two"}
{"_id":"q1","text":"three"}
END
refused 5 '^kith: twice.jsonl:3: query id "q1" is there already, in line 1$' \
    "a query id twice" faq.kith --queries twice.jsonl --qrels qrels.tsv
printf '{"_id":"q1","text":"one"}\n{"_id":\n' >broken.jsonl
refused 5 '^kith: broken.jsonl:2: invalid JSON' "a broken query" \
    faq.kith --queries broken.jsonl --qrels qrels.tsv
refused 5 '^kith: empty: there is no query in it$' "no queries" \
    faq.kith --queries empty --qrels qrels.tsv
printf 'one\ntwo\n' >lines.txt
refused 5 'lines.txt: no query in it is judged: .* is "1", one in the judgements "b"$' \
    "other queries" faq.kith --queries lines.txt --qrels qrels.tsv
printf '1 0 x 1\n2 0 y 1\n' >unknown.qrels
refused 5 'none of the 2 judged documents is in the collection, "x" for example' \
    "judgements of other documents" faq.kith --queries lines.txt --qrels unknown.qrels
printf '1 0 a 1\n2 0 b 1\n' >numbers.qrels
run kith eval faq.kith --queries lines.txt --qrels numbers.qrels --json
near "lines have their numbers as ids" queries=2 "recall@10=1"
refused 4 'there is no collection no-such.kith' "no such collection" \
    no-such.kith --queries queries.jsonl --qrels qrels.tsv

# The approximate index beside exact search.
python3 -c 'for i in range(1500): print("number %d of the list: %d" % (i, i * i))' >many.txt
head -n 20 many.txt >some.txt
for i in $(seq 20); do
    echo "$i 0 $work/many.txt:$i 1"
done >many.qrels
kith index -q many.kith many.txt --format lines --ann always
run kith eval many.kith --queries some.txt --qrels many.qrels --json --min-recall 1
err_has 'no setting of the approximate index reaches a recall of 1 for 100 hits' \
    "an index that is not good enough"
out_json '"approximate" not in d[0]' "is left out"
run kith eval many.kith --queries some.txt --qrels many.qrels --json --min-recall 0
out_json 'd[0]["recall@10"] == 1
          and {"ndcg@10", "recall_of_exact@10"} <= set(d[0]["approximate"])
          and d[0]["approximate"]["approximate_queries"] == 20
          and 0 < d[0]["approximate"]["recall_of_exact@100"] <= 1' \
    "both ways of searching"
run kith eval many.kith --queries some.txt --qrels many.qrels --min-recall 0
out_has '^ +exact  approximate$' "side by side"
out_has '^the approximate index finds [0-9.]+ % of the exact best 100$' "and the loss"

# ---------------------------------------------------------------- a BEIR folder
mkdir -p beir/qrels "$top/tmp"
cp faq.jsonl beir/corpus.jsonl
printf '{"id":"d","text":" "}\n' >>beir/corpus.jsonl
cp queries.jsonl beir
cp qrels.tsv beir/qrels/test.tsv
export TMPDIR=$top/tmp
run kith eval --beir beir --json
is_status 0 "a BEIR folder"
out_json 'd[0]["documents"] == 3 and d[0]["skipped_documents"] == 1 and d[0]["dim"] > 0
          and d[0]["model"] == "tiny" and d[0]["precision"] == "int8"' "what it was"
check "has the scores of its collection" python3 -c 'import json, sys
a, b = (json.load(open(path)) for path in sys.argv[1:])
sys.exit(any(b[key] != a[key] for key in a))' "$top/state/first" "$out"
check "nothing is left" test -z "$(ls -A "$top/tmp")"
run kith eval --beir beir --precision fp32 --qrels numbers.qrels --queries lines.txt \
    --json -q
out_json 'd[0]["precision"] == "fp32" and d[0]["queries"] == 2' "other queries for it"
printf '{"id":\n' >>beir/corpus.jsonl
run kith eval --beir beir --json
is_status 3 "a broken document"
err_has 'corpus.jsonl:5: invalid JSON' "is told"
refused 4 '^kith: many.kith/corpus.jsonl: No such file .*: a BEIR folder has' \
    "no BEIR folder" --beir many.kith
rm beir/qrels/test.tsv
refused 4 '^kith: beir/qrels/test.tsv: No such file' "no judgements" --beir beir
cp qrels.tsv beir/qrels/test.tsv
head -n 3 faq.jsonl >beir/corpus.jsonl
refused 4 'models/none.kmodel' "no such model" --beir beir --model none
check "nothing is left then" test -z "$(ls -A "$top/tmp")"

# ---------------------------------------------------------------- models
cat >rerank.jsonl <<'END'
{"query":"Who pays?","positive":["Who pays?","Rain"],"negative":["Rain","One","Two"]}
{"query":"alone","positive":["alone"],"negative":[]}

{"query":"Two","positive":["Two"],"negative":["One"]}
END
run kith eval --task reranking rerank.jsonl --json
is_status 0 "reranking"
err_has 'rerank.jsonl: 1 queries have no positive or no negative: left out$' "is told"
near "the first is found first" "mrr@10=1"
# The two that are the same text are taken together, with or without others before.
out_json 'd[0]["task"] == "reranking" and any(abs(2 * d[0]["map"] - 1 - x) < 1e-8
          for x in [(1 + 2 / 3) / 2, (1 + 2 / 4) / 2, (1 + 2 / 5) / 2])' "equal scores"
printf '{"query":"x","positive":["y"]}\n' >lacks.jsonl
refused 5 '^kith: lacks.jsonl:1: negative is missing, or no list of strings$' \
    "a list that is missing" --task reranking lacks.jsonl
printf '{"query":"x","positive":["y"],"negative":[1]}\n' >number.jsonl
refused 5 '^kith: number.jsonl:1: negative' "a number in a list" \
    --task reranking number.jsonl
printf '{"query":\n' >bad.jsonl
refused 5 '^kith: bad.jsonl:1: invalid JSON' "no JSON" --task reranking bad.jsonl
refused 5 '^kith: empty: there is no query' "nothing to rerank" --task reranking empty
kith model import "$tests/../golden/tiny-model" --name other >"$out" 2>&1
run kith eval --compare tiny other --beir beir --json -q
is_status 0 "two models"
out_json '[m["model"] for m in d[0]["models"]] == ["tiny", "other"]
          and d[0]["models"][0]["ndcg@10"] == d[0]["models"][1]["ndcg@10"]
          and all(m[key] > 0 for m in d[0]["models"]
                  for key in ("texts_per_second", "file_bytes", "max_tokens"))' \
    "side by side"
run kith eval --compare tiny "$KITH_HOME/models/other.kmodel" --beir beir
out_has '^ +tiny +other$' "in a table"
out_has '^length in tokens +([0-9]+) +\1$' "with what one chooses by"
run kith eval --compare tiny other --beir beir --min-ndcg 1 -q
is_status 1 "and the gate"
run kith eval --compare tiny other --task reranking rerank.jsonl --json
out_json '[m["mrr@10"] for m in d[0]["models"]] == [1, 1]' "on a task"

# ---------------------------------------------------------------- the command line
for wrong in "" "faq.kith" "faq.kith --queries queries.jsonl" "--run one.run" \
    "--run one.run --qrels qrels.txt --beir beir" "faq.kith --beir beir" \
    "--run one.run --run one.run --run one.run --qrels qrels.txt" \
    "--compare tiny --beir beir" "--compare tiny other" "--task reranking" \
    "faq.kith --queries queries.jsonl --qrels qrels.tsv --min-recall 2" \
    "--task none rerank.jsonl" "--run one.run --qrels qrels.txt -k 0" \
    "--run one.run --qrels qrels.txt --min-ndcg 2" \
    "--task reranking rerank.jsonl --min-ndcg 0.5" \
    "faq.kith --queries queries.jsonl --qrels qrels.tsv --precision fp32"; do
    # shellcheck disable=SC2086
    run kith eval $wrong
    is_status 2 "kith eval $wrong"
done
