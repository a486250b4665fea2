#!/usr/bin/env bash
# Importing, finding and refusing models.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ---------------------------------------------------------------- none
run kith compare a b
is_status 4 "no model at all"
err_has 'kith model import' "says what to do"
run kith model list
is_status 0 "model list of nothing"
out_is_empty "prints nothing"
run env -u HOME -u KITH_HOME "$KITH_PROGRAM" model list
is_status 4 "no home"

# ---------------------------------------------------------------- import
run kith model import "$tiny_model"
is_status 0 "import"
out_is "prints the path; the folder's name is the model's" <<END
$KITH_HOME/models/tiny-model.kmodel
END
run kith model import "$tiny_model" --name second
is_status 0 "import under another name"
run kith model import no-such-folder
is_status 4 "a folder that is not there"
mkdir empty "a b"
run kith model import empty
is_status 4 "a folder without a model"
run kith model import "a b"
is_status 2 "a folder whose name is none for a model"
err_has '--name' "says what to do"
cp -r "$tiny_model" cut
head -c 1000 "$tiny_model/model.safetensors" >cut/model.safetensors
run kith model import cut
is_status 5 "a truncated model.safetensors"
cp -r "$tiny_model" foreign
sed -i 's/BertModel/LlamaModel/; s/"model_type": "bert"/"model_type": "llama"/' \
    foreign/config.json
run kith model import foreign
is_status 5 "a model of another class"
left=("$KITH_HOME"/models/*)
check "what failed leaves nothing behind" \
    test "${left[*]##*/}" = "second.kmodel tiny-model.kmodel"

# ---------------------------------------------------------------- list, info
run kith model list
check "model list" test "$(cut -d ' ' -f 1 "$out" | xargs)" = "second tiny-model"
run kith model list --json
out_json '[m["name"] for m in d[0]["models"]] == ["second", "tiny-model"]' \
    "model list --json"
run kith model info second --json
is_status 0 "model info NAME"
out_json 'd[0]["name"] == "second" and len(d[0]["fingerprint"]) == 32' \
    "a name and a fingerprint"
out_json '"model.safetensors" in d[0]["sources"]' "and what it was made from"
run kith model info "$KITH_HOME/models/second.kmodel"
out_has '^name +second$' "model info PATH"
run kith model info
is_status 4 "several models, none of them the default one"
err_has '--model' "says what to do"
run kith model info nobody
is_status 4 "a model that is not there"

# ---------------------------------------------------------------- test
kernels=$(kith --version | sed -n 's/^kernels  //p')
run kith model test second --json
is_status 0 "model test NAME"
out_json 'd[0]["v"] == 1 and d[0]["name"] == "second" and d[0]["ok"]' "all is well"
out_json "[t['kernels'] + ' ' + t['precision'] for t in d[0]['tests']]
          == [k + ' ' + p for k in '$kernels'.split() for p in ('fp32', 'int8')]" \
    "all kernels of --version, both precisions"
out_json 'all(t["equal"] and t["largest_difference"] == 0 for t in d[0]["tests"])' \
    "the same bits"
out_json 'd[0]["texts"] == 16 and d[0]["tokens"] > 100 and d[0]["threads"] == 1' \
    "how much was encoded"
out_json 'all(t["tokens_per_second"] > 0 for t in d[0]["tests"])' "and how fast"
out_json 'all(t["cosine_to_fp32"] == 1 if t["precision"] == "fp32"
          else 0.999 < t["cosine_to_fp32"] < 1 for t in d[0]["tests"])' \
    "how far int8 is from fp32"
run env KITH_CPU=portable "$KITH_PROGRAM" model test "$KITH_HOME/models/second.kmodel" \
    --threads 2
is_status 0 "model test PATH with KITH_CPU"
check "one line for each precision" \
    test "$(grep -c '^portable ' "$out") $(grep -c '^avx' "$out")" = "2 0"
out_has '^portable +int8 +0 +0\.[0-9]{6} +[0-9]+$' "its difference is 0"
err_is_empty "nothing is reported"
# bent FILE BYTE...: second.kmodel with bytes of its self-test inverted; with all checksums
# made anew, as import would have written a wrong vector.
bent() {
    python3 - "$KITH_HOME/models/second.kmodel" "$@" <<'END'
import ctypes, struct, sys
hash64 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
hash64.argtypes, hash64.restype = [ctypes.c_char_p, ctypes.c_size_t], ctypes.c_uint64
model = bytearray(open(sys.argv[1], "rb").read())
entry, end = 312 + 8 * 24, 312 + 10 * 24
offset, n_bytes = struct.unpack_from("<QQ", model, entry)
for byte in sys.argv[4:]:
    model[offset + int(byte)] ^= 1
if sys.argv[3] == "sealed":
    section = bytes(model[offset:offset + n_bytes])
    struct.pack_into("<Q", model, entry + 16, hash64(section, n_bytes))
    struct.pack_into("<Q", model, end, hash64(bytes(model[:end]), end))
open(sys.argv[2], "wb").write(model)
END
}
bent bent.kmodel open 64
run kith model test ./bent.kmodel --json
is_status 5 "a damaged self-test"
err_has 'section 8 is damaged' "is named"
out_is_empty "and nothing is tested"
run kith compare a b --model ./bent.kmodel
is_status 0 "other commands do not read it"
bent wrong.kmodel sealed 64
run env KITH_CPU=portable "$KITH_PROGRAM" model test ./wrong.kmodel --json
is_status 5 "kernels that give another vector"
err_has 'kernels portable give other fp32 vectors' "are named"
out_json '[t["equal"] for t in d[0]["tests"]] == [False, True] and not d[0]["ok"]' \
    "and the precision"
out_json '0 < d[0]["tests"][0]["largest_difference"] < 1e-6' "and by how much"
run env KITH_CPU=portable "$KITH_PROGRAM" model test ./wrong.kmodel
is_status 5 "the same for people"
run kith model test
is_status 4 "model test with several models, none of them the default one"

# ---------------------------------------------------------------- kernels
run env KITH_CPU=portable "$KITH_PROGRAM" model info second
out_has '^kernels +portable$' "KITH_CPU"
run env KITH_CPU=nonsense "$KITH_PROGRAM" model info second
check "KITH_CPU with a word that is not there" test "$status" -ne 0
err_has 'nonsense' "is named"

# ---------------------------------------------------------------- of a collection
cp -r "$tiny_model" other
sed -i 's/"max_seq_length": 32/"max_seq_length": 30/' other/sentence_bert_config.json
run kith model import other
is_status 0 "a model that cuts texts elsewhere"
rm "$KITH_HOME/models/second.kmodel"
printf '{"id":"a","text":"one"}\n' >r.jsonl
run kith index c.kith r.jsonl --model tiny-model
is_status 0 "index --model"
run kith search c.kith one --json
is_status 0 "search finds the model by the collection"
mv "$KITH_HOME/models/tiny-model.kmodel" "$KITH_HOME/models/renamed.kmodel"
run kith search c.kith one --json
is_status 0 "even when its file was renamed"
run kith index c.kith r.jsonl
is_status 0 "and so does index"
run kith search c.kith one --model other
is_status 5 "another model is refused"
err_has 'made with' "says why"
run kith index c.kith r.jsonl --model "$KITH_HOME/models/other.kmodel"
is_status 5 "by index too"
run kith index c.kith r.jsonl --precision int8
is_status 0 "the precision of the collection"
run kith index c.kith r.jsonl --precision fp32
is_status 5 "another precision is refused"
run kith index exact.kith r.jsonl --precision fp32 \
    --model "$KITH_HOME/models/renamed.kmodel"
run kith search exact.kith one --model "$KITH_HOME/models/renamed.kmodel"
is_status 0 "a model given by its path takes the collection's precision"
mv "$KITH_HOME/models/renamed.kmodel" ./elsewhere.kmodel
run kith search c.kith one
is_status 4 "the collection's model is not there"
err_has 'tiny-model' "it is named"
run kith search c.kith --like a
is_status 1 "--like needs no model"
run kith search c.kith one --model ./elsewhere.kmodel
is_status 0 "a path"

# ---------------------------------------------------------------- damage
size=$(stat -c %s elsewhere.kmodel)
head -c $((size / 2)) elsewhere.kmodel >short.kmodel
run kith compare a b --model ./short.kmodel
is_status 5 "half a model"
cp elsewhere.kmodel bent_header.kmodel
printf '\x5a' | dd of=bent_header.kmodel bs=1 seek=20 conv=notrunc 2>/dev/null
run kith compare a b --model ./bent_header.kmodel
is_status 5 "an altered header"
: >empty.kmodel
run kith compare a b --model ./empty.kmodel
is_status 5 "an empty file"
run kith compare a b --model "$work"
check "a folder" test "$status" -ge 4
cp short.kmodel "$KITH_HOME/models/tiny-model.kmodel"
run kith search c.kith one
is_status 5 "a damaged model of the collection's"
run kith model list
is_status 5 "model list with a damaged model"
out_has '^other ' "lists the others"
