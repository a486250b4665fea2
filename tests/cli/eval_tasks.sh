#!/usr/bin/env bash
# eval --task: the formats of its files, what it prints, what it refuses. The model's
# weights are random; what does not depend on them is compared with numbers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model
samples=$tests/../../docs/samples/eval

# ---------------------------------------------------------------- the samples
run kith eval --task sts "$samples/sts.csv" --json
is_status 0 "sts"
out_json 'd[0]["v"] == 1 and d[0]["task"] == "sts" and d[0]["model"] == "tiny"
          and d[0]["precision"] == "int8" and d[0]["texts"] == 20
          and d[0]["truncated"] == 0 and d[0]["pairs"] == 10' "what was measured"
out_json 'all(-1 <= d[0][s + "_" + c] <= 1 for c in ("spearman", "pearson")
              for s in ("cosine", "dot", "euclidean", "manhattan"))
          and d[0]["main_score"] == d[0]["cosine_spearman"]' "correlations"
cp "$out" "$top/state/sts"
run kith eval --task sts "$samples/sts.csv" --json --threads 1
check "one thread gives the same bytes" cmp "$out" "$top/state/sts"
run env KITH_CPU=portable "$KITH_PROGRAM" eval --task sts "$samples/sts.csv" --json
check "portable kernels give the same bytes" cmp "$out" "$top/state/sts"
tail -n +2 "$samples/sts.csv" >headless.csv
run kith eval --task sts headless.csv --json
check "CSV without a header gives the same" cmp "$out" "$top/state/sts"
python3 - "$samples/sts.csv" >sts.jsonl <<'END'
import csv, json, sys
for row in csv.DictReader(open(sys.argv[1])):
    print(json.dumps(dict(row, score=float(row["score"]))))
END
run kith eval --task sts sts.jsonl --json
check "and JSONL" cmp "$out" "$top/state/sts"
run kith eval --task sts - --json <sts.jsonl
check "and stdin" cmp "$out" "$top/state/sts"
run kith eval --task sts "$samples/sts.csv"
out_has '^cosine_spearman  *-?[0-9]+\.[0-9]{2}$' "a table for people"
out_has '^main score: cosine_spearman -?[0-9]+\.[0-9]{2}$' "with the main score"

run kith eval --task pair-classification "$samples/pairs.tsv" --json
is_status 0 "pair-classification"
out_json 'd[0]["main_score"] == d[0]["max_ap"] == max(d[0][s + "_ap"] for s in
              ("cosine", "dot", "euclidean", "manhattan"))' "the largest AP"
out_json 'all(0 <= d[0][s + "_" + m] <= 1 for m in
              ("ap", "accuracy", "f1", "precision", "recall")
              for s in ("cosine", "dot", "euclidean", "manhattan", "max"))
          and d[0]["euclidean_f1_threshold"] > 0' "measures and thresholds"

run kith eval --task classification "$samples/train.jsonl" "$samples/test.jsonl" --json
is_status 0 "classification"
out_json 'len(d[0]["accuracies"]) == 10 and d[0]["labels"] == 6
          and d[0]["samples"] == 48 and d[0]["main_score"] == d[0]["accuracy"]
          and abs(sum(d[0]["accuracies"]) / 10 - d[0]["accuracy"]) < 1e-6
          and "ap" not in d[0]' "ten experiments of eight samples a label"

run kith eval --task clustering "$samples/clusters.jsonl" --json
is_status 0 "clustering"
out_json 'd[0]["sets"] == len(d[0]["v_measures"]) == 2
          and abs(sum(d[0]["v_measures"]) / 2 - d[0]["main_score"]) < 1e-6' \
    "the mean over the sets"

run kith eval --task bitext "$samples/bitext.en.txt" "$samples/bitext.de.txt" --json
is_status 0 "bitext"
out_json 'd[0]["pairs"] == 12 and d[0]["main_score"] == d[0]["f1"]
          and d[0]["accuracy"] == d[0]["recall"]' "F1"
run kith eval --task summarization "$samples/summaries.jsonl" --json
is_status 0 "summarization"
out_json 'd[0]["samples"] == 3 and d[0]["skipped"] == 0
          and d[0]["main_score"] == d[0]["cosine_spearman"]' "correlations"

# ---------------------------------------------------------------- known results
# Equal texts are nearest whatever the weights are.
cat >same.csv <<'END'
sentence1,sentence2,label
one boat,one boat,1
"a red, wide house","a red, wide house",1
one boat,seven horses run,0
a tree,clouds and more clouds,0
END
run kith eval --task pair-classification same.csv --json
out_json 'all(d[0][s + "_" + m] == 1 for m in ("ap", "accuracy", "f1")
              for s in ("cosine", "euclidean", "manhattan"))
          and 0.5 < d[0]["cosine_f1_threshold"] < 1' "equal texts are told from others"
sed 's/,1$/,5.0/; s/,0$/,1e0/; s/label/score/' same.csv >same-sts.csv
run kith eval --task sts same-sts.csv --json
out_json 'd[0]["euclidean_spearman"] > 0.8' "and correlate"
printf 'one boat\na red house\nthree\nthree\n' >a.txt
run kith eval --task bitext a.txt a.txt --json
out_json 'd[0]["accuracy"] == 0.75 and abs(d[0]["f1"] - (1 + 1 + 2 / 3) / 4) < 1e-6
          and abs(d[0]["precision"] - 2.5 / 4) < 1e-6' \
    "bitext: of two equal lines the first is found"
python3 -c '
for text, label in (("one boat", "b"), ("a red house", "h")):
    for _ in range(9): print("{\"text\":\"%s\",\"label\":\"%s\"}" % (text, label))
' >two.jsonl
run kith eval --task classification two.jsonl two.jsonl --json
out_json 'd[0]["main_score"] == d[0]["f1"] == d[0]["ap"] == 1
          and d[0]["samples"] == 16' \
    "two labels have AP"
run kith eval --task clustering two.jsonl --json
out_json 'd[0]["main_score"] == 1 and d[0]["sets"] == 1' "clusters of equal texts"
cat >flat.jsonl <<'END'
{"human_summaries":["one boat"],"machine_summaries":["a","b","c"],"relevance":[1,1,1]}
{"human_summaries":["one boat"],"machine_summaries":["a","a"],"relevance":[1,2]}
{"human_summaries":["one boat"],"machine_summaries":["a"],"relevance":[1]}
END
run kith eval --task summarization flat.jsonl --json
is_status 0 "summaries with equal scores"
out_json 'd[0]["skipped"] == 3 and d[0]["samples"] == 0
          and d[0]["main_score"] is None' \
    "are skipped"
run kith eval --task summarization flat.jsonl
out_has '^main score: cosine_spearman is not defined$' "which is told"

# ---------------------------------------------------------------- refusals
# refuse TASK NAME PATTERN CONTENT, for printf: exit status 5.
refuse() {
    # shellcheck disable=SC2059
    printf "$4" >"$2"
    run kith eval --task "$1" "$2"
    is_status 5 "$1: $2"
    err_has "^kith: $2$3" "is told"
    out_is_empty "and nothing printed"
}
refuse sts word.csv ':3: "score" is "many": not a number$' \
    'sentence1,sentence2,score\na,b,1\nc,d,many\n'
refuse sts inf.csv ':3: "score" is "inf": not a number$' \
    'sentence1,sentence2,score\na,b,1\nc,d,inf\n'
refuse sts names.csv ':1: "score" is "z": not a number$' 'x,y,z\na,b,1\n'
refuse sts column.csv ':2: no text or number named "sentence2"$' \
    'sentence1,score\na,1\n'
refuse sts columns.csv ': header: no text: there is no "sentence1"$' 'a,b,1,2\n'
refuse sts cells.tsv ':2: 2 cells where the header has 3$' \
    'sentence1\tsentence2\tscore\na\tb\n'
refuse sts blank.csv ':2: nothing in "sentence2"$' 'sentence1,sentence2,score\na,,1\n'
refuse sts first.csv ':2: empty$' 'sentence1,sentence2,score\n,b,1\n'
refuse sts constant.csv ': "score" is the same in every row' \
    'sentence1,sentence2,score\na,b,1\nc,d,1\n'
refuse sts empty.csv ': it has no rows$' ''
refuse sts header.csv ': it has no rows$' 'sentence1,sentence2,score\n'
refuse sts broken.jsonl ':2: invalid JSON' \
    '{"sentence1":"a","sentence2":"b","score":"1"}\n{"sentence1":"a",\n'
refuse sts type.jsonl ':1: no text or number named "sentence2"$' \
    '{"sentence1":"a","sentence2":["b"],"score":1}\n'
refuse pair-classification two.csv ':3: "label" is "2": neither 0 nor 1$' \
    'sentence1,sentence2,label\na,b,1\nc,d,2\n'
refuse pair-classification one.csv ': "label" is 1 in every row' \
    'sentence1,sentence2,label\na,b,1\nc,d,1\n'
refuse clustering class.csv ': "label" is the same in every row$' \
    'text,label\na,x\nb,x\n'
refuse clustering sets.csv ': "label" is the same in every row of set t$' \
    'text,label,set\na,x,s\na,x,s\nb,y,s\na,x,t\nb,x,t\n'
refuse clustering many.csv ': every row has a "label" of its own' \
    'text,label\na,x\nb,y\n'
refuse bitext pairs.csv ':2: no text or number named "sentence2"$' 'sentence1\na\n'
refuse summarization list.jsonl ':1: not a JSON object$' '[]\n'
refuse summarization none.jsonl ':1: "human_summaries": an array of texts is needed$' \
    '{"human_summaries":[],"machine_summaries":["a"],"relevance":[1]}\n'
refuse summarization item.jsonl ':1: "machine_summaries": an item is not a string$' \
    '{"human_summaries":["a"],"machine_summaries":["a",1],"relevance":[1,2]}\n'
refuse summarization few.jsonl ':1: "relevance": an array with a number for each' \
    '{"human_summaries":["a"],"machine_summaries":["a","b"],"relevance":[1]}\n'
refuse summarization text.jsonl ':1: "relevance": an item is not a number$' \
    '{"human_summaries":["a"],"machine_summaries":["a"],"relevance":["1"]}\n'
refuse summarization void.jsonl ': it has no rows$' ''

printf 'text,label\na,x\nb,y\n' >train.csv
printf 'text,label\na,x\nb,z\n' >test.csv
run kith eval --task classification train.csv test.csv
is_status 5 "a label that only the test has"
err_has '^kith: test.csv:3: "label" is "z": no such label in the first file$' "is told"
run kith eval --task classification test.csv one.csv
is_status 5 "a file of other columns"
err_has 'one.csv: header: no text' "is told"
printf 'text,label\na,x\nb,x\n' >train.csv
run kith eval --task classification train.csv train.csv
is_status 5 "one label"
err_has 'train.csv: "label" is the same in every row$' "is told"
printf 'a\nb\n' >b.txt
run kith eval --task bitext a.txt b.txt
is_status 5 "bitext of two lengths"
err_has '^kith: b.txt: 2 lines, but a.txt has 4$' "is told"
printf 'a\n\nb\nc\n' >c.txt
run kith eval --task bitext a.txt c.txt
is_status 5 "a blank line"
err_has '^kith: c.txt:2: an empty line$' "is told"

run kith eval --task sts none.csv
is_status 4 "a file that is not there"
err_has 'none.csv: No such file' "is told"
run kith eval --task summarization none.csv
is_status 4 "summaries that are not there"
run kith eval --task sts .
is_status 2 "a folder has no format"
mkdir folder.csv
run kith eval --task sts folder.csv
is_status 4 "a folder called like a file"
run kith eval --task sts a.txt
is_status 2 "a file of no known format"
for wrong in "" "--task sts" "--task sts a.csv b.csv" "--task classification a.csv" \
    "--task chess a.csv" "a.csv"; do
    # shellcheck disable=SC2086
    run kith eval $wrong
    is_status 2 "eval $wrong"
done
printf 'sentence1,sentence2,score\na,b,2\n%s,b,1\n' "$(printf 'long %.0s' {1..900})" \
    >long.csv
run kith eval --task sts long.csv --json
out_json 'd[0]["truncated"] == 1' "texts that are cut are counted"
err_has '^kith: 1 of 4 texts were cut at [0-9]+ tokens$' "and told of"
