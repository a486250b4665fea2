#!/usr/bin/env bash
# The figures that all-MiniLM-L6-v2 must give. Skipped where the model is not set up.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_real_model

run kith compare --precision fp32 "Today is a sunny day" \
    "The weather today is beautiful" "It's raining!" "Dogs are awesome"
out_is "four sentences" <<<$'0.7344\n0.4180\n0.1060'
run kith compare --precision fp32 "The kids play in the park." \
    "The play was for kids in the park."
out_is "the order of words counts" <<<0.6849
run kith compare --static --drop-stopwords "The kids play in the park." \
    "The play was for kids in the park."
out_is "not in an average of word embeddings" <<<1.0000
run kith compare "Today is a sunny day" "The weather today is beautiful"
out_is "int8, the default, gives the same everywhere" <<<0.7283

cat >faq.jsonl <<'END'
{"question": "How do I get a replacement Medicare card?", "answer": "One."}
{"question": "How do I sign up for Medicare?", "answer": "Two."}
{"question": "What are Medicare late enrollment penalties?", "answer": "Three."}
{"question": "Will my Medicare premiums be higher because of my higher income?", "answer": "Four."}
{"question": "What is Medicare and who can get it?", "answer": "Five."}
END
run kith index faq.kith faq.jsonl --precision fp32
is_status 0 "five questions"
run kith search faq.kith "Do I need to pay more after a raise?" -k 1 --show answer
out_is "the one on higher income, and its answer" <<'END'
  1  0.4642  faq.jsonl:4
    Will my Medicare premiums be higher because of my higher income?
    Four.
END
run kith model info --json
out_json 'd[0]["dim"] == 384 and d[0]["max_tokens"] == 256 and d[0]["vocabulary"]
          == 30522' \
    "its sizes"
run kith tokens --jsonl - <<<"Today is a sunny day"
out_json 'd[0]["ids"] == [101, 2651, 2003, 1037, 11559, 2154, 102]' "its tokens"
run kith eval --task sts "$tests/../../docs/samples/eval/sts.csv" --precision fp32
check "docs/eval.md shows what eval prints" \
    diff <(sed -n '/^    sts, all-MiniLM/,/^    main score/s/^    //p; /^$/d' \
        "$tests/../../docs/eval.md") <(sed '/^$/d' "$out")
