#!/usr/bin/env bash
# Models that are no plain BERT encoders: DistilBERT, Dense modules, prompts, and
# cross-encoders.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
golden=$tests/../golden

# ---------------------------------------------------------------- DistilBERT, Dense
run kith model import "$golden/tiny-distilbert" --name encoder
is_status 0 "import of a DistilBERT with Dense modules and prompts"
run kith model info encoder --json
out_json 'd[0]["class"] == "distilbert" and d[0]["dim"] == 12 and d[0]["hidden"] == 24
          and d[0]["dense"] == 2 and d[0]["labels"] == 0' "model info --json"
out_json 'd[0]["prompts"] == {"query": "find: ", "passage": "the text says "}' \
    "with the prompts"
out_json '{"0_Transformer/model.safetensors", "2_Dense/model.safetensors",
          "3_Dense/model.safetensors"} <= set(d[0]["sources"])' "and all that it was made from"
run kith model info encoder
out_has '^vectors +12 dimensions, pooling cls, Dense, normalised, int8$' "model info"
out_has '^query +"find: " goes before$' "shows the prompts"
run kith model test encoder --json
is_status 0 "model test"

# near FILE NAME: the float32 rows in $out are those of the file.
near() {
    check "$2" python3 - "$out" "$1" <<'END'
import array, sys
ours, theirs = (array.array("f", open(path, "rb").read()) for path in sys.argv[1:])
worst = max(abs(a - b) for a, b in zip(ours, theirs))
assert len(ours) == len(theirs) and worst <= 2e-5, (len(ours), len(theirs), worst)
END
}
for prompt in none query passage; do
    run kith encode "$golden/tiny-texts.jsonl" --text-field t --precision fp32 -q \
        --prompt "$prompt"
    is_status 0 "encode --prompt $prompt"
    near "$golden/tiny-distilbert-$prompt.f32" "the vectors of the reference"
done
cp "$golden/tiny-distilbert-none.f32" "$top/state/none"
run kith encode "$golden/tiny-texts.jsonl" --text-field t --precision fp32 -q
near "$top/state/none" "encode without --prompt puts nothing before"
run kith encode "$golden/tiny-texts.jsonl" --prompt document
is_status 2 "a prompt that there is not"

printf '{"id":"a","text":"one thing"}\n{"id":"b","text":"an other one"}\n' >r.jsonl
run kith index c.kith r.jsonl
is_status 0 "index with prompts"
run kith search c.kith "one thing" --json
is_status 0 "search with prompts"
out_json 'len(d[0]["hits"]) == 2' "finds"

# ---------------------------------------------------------------- prompts that are given
run kith model import "$tiny_model" --name plain
run kith model import "$tiny_model" --name asked --query-prompt 'query: ' \
    --passage-prompt 'passage: '
is_status 0 "import with prompts"
run kith model list --json
out_json 'len({m["fingerprint"] for m in d[0]["models"]}) == 3' \
    "another prompt is another model"
run kith model info asked --json
out_json 'd[0]["prompts"] == {"query": "query: ", "passage": "passage: "}' \
    "model info shows them"
run kith model import "$golden/tiny-distilbert" --name unasked --query-prompt '' \
    --passage-prompt ''
run kith model info unasked --json
out_json 'd[0]["prompts"] == {"query": "", "passage": ""}' \
    "empty prompts take those of the folder away"
echo "a thing" >a.txt
echo "query: a thing" >asked.txt
run kith encode asked.txt --model plain
cp "$out" "$top/state/expected"
run kith encode a.txt --model asked --prompt query
check "a prompt is put before the text" cmp "$out" "$top/state/expected"
run kith model import "$tiny_model" --name long --query-prompt "$(printf '.%.0s' {1..40})"
is_status 5 "a prompt that leaves too little room"
err_has '40 tokens' "is told"

# ---------------------------------------------------------------- cross-encoders
run kith model import "$golden/tiny-cross-encoder" --name scorer
is_status 0 "import of a cross-encoder"
run kith model info scorer --json
out_json 'd[0]["labels"] == 3 and d[0]["sigmoid"] and d[0]["dim"] == 0' "its labels"
run kith model info scorer
out_has '^scores +3 for each pair, sigmoid, int8$' "for people"
run kith model list
out_has '^scorer +3 scores' "in model list"
run kith model test scorer
is_status 0 "model test of a cross-encoder"
run kith encode a.txt --model scorer
is_status 2 "encode with a cross-encoder"
err_has 'scorer is a cross-encoder' "says why not"
out_is_empty "and prints nothing"
run kith compare a b --model scorer
is_status 2 "compare with one"
run kith index s.kith r.jsonl --model scorer
is_status 2 "index with one"
check "makes no collection" test ! -e s.kith
run kith search c.kith one --model scorer
is_status 2 "search with one"
run kith model import "$golden/tiny-cross-encoder" --name x --query-prompt 'q: '
is_status 5 "a cross-encoder takes no prompt"

# ---------------------------------------------------------------- refused by name
refused() { # NAME FILE KEY
    run kith model import altered
    is_status 5 "$1"
    err_has "$2.*$3" "names the file and the key"
    rm -r altered
}
cp -r "$golden/tiny-distilbert" altered
sed -i 's/models.Normalize/models.LayerNorm/' altered/modules.json
refused "a module that kith does not know" modules.json LayerNorm
cp -r "$golden/tiny-distilbert" altered
sed -i 's/activation.Tanh/activation.GELU/' altered/2_Dense/config.json
refused "an activation that kith does not know" 2_Dense/config.json activation_function
cp -r "$golden/tiny-distilbert" altered
sed -i 's/"in_features": 20/"in_features": 30/' altered/3_Dense/config.json
refused "modules that do not fit" 3_Dense/config.json in_features
cp -r "$golden/tiny-distilbert" altered
sed -i '/"n_heads"/d' altered/0_Transformer/config.json
refused "a key that is missing" 0_Transformer/config.json n_heads
cp -r "$golden/tiny-cross-encoder" altered
sed -i '/LABEL_1/d' altered/config.json
refused "labels that do not match" model.safetensors classifier.weight
