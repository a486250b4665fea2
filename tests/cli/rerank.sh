#!/usr/bin/env bash
# rerank and search --rerank: the order of a cross-encoder.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model
# The fixture gives three scores: its first label alone makes a reranker.
cp -r "$tests/../golden/tiny-cross-encoder" cross
chmod -R u+w cross
python3 - <<'END'
import json, struct
config = json.load(open("cross/config.json"))
for key in ("id2label", "label2id"):
    config[key] = dict(list(config.get(key, {}).items())[:1])
config["num_labels"] = 1
json.dump(config, open("cross/config.json", "w"))
raw = open("cross/model.safetensors", "rb").read()
size = struct.unpack("<Q", raw[:8])[0]
header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
out = b""
for name, tensor in header.items():
    if name == "__metadata__":
        continue
    begin, end = tensor["data_offsets"]
    if name.startswith("classifier."):
        end = begin + (end - begin) // tensor["shape"][0]
        tensor["shape"][0] = 1
    tensor["data_offsets"] = [len(out), len(out) + end - begin]
    out += data[begin:end]
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open("cross/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + out)
END
run kith model import cross --name cross
is_status 0 "a cross-encoder is imported"
run kith model import "$tests/../golden/tiny-cross-encoder" --name labels
is_status 0 "one with three labels, too"
python3 - <<'END'
import json, random
random.seed(5)
words = "the cat dog river sea old time water morning winter other same out before".split()
with open("lines.txt", "w") as f, open("lines.jsonl", "w") as g:
    for i in range(40):
        text = " ".join(random.choices(words, k=4))
        f.write(text + "\n")
        g.write(json.dumps({"id": f"r{i}", "text": text, "title": "old " * (i % 3)}) + "\n")
END
run kith rerank "the cat" lines.txt --model cross --json
is_status 0 "rerank"
out_json 'd[0]["v"] == 1 and d[0]["query"] == "the cat" and len(d[0]["hits"]) == 40
          and [h["rank"] for h in d[0]["hits"]] == list(range(1, 41))
          and [h["score"] for h in d[0]["hits"]]
              == sorted((h["score"] for h in d[0]["hits"]), reverse=True)
          and len({h["score"] for h in d[0]["hits"]}) > 20' "best first"
out_json 'all(open("lines.txt").read().splitlines()[int(h["id"]) - 1] == h["text"]
          for h in d[0]["hits"])' "each with its line"
cp "$out" whole.json
run kith rerank "the cat" lines.txt --model cross --json -k 3
out_json 'd[0]["hits"] == __import__("json").load(open("whole.json"))["hits"][:3]' "-k 3"
run kith rerank "the cat" - --model cross --json <lines.jsonl
out_json '[(h["score"], h["text"]) for h in d[0]["hits"]]
          == [(h["score"], h["text"]) for h in __import__("json").load(open("whole.json"))["hits"]]
          and all(h["id"].startswith("r") for h in d[0]["hits"])' "JSONL on stdin, with its ids"
for one in portable "$(kith --version | grep -o 'avx[0-9a-z]*' | tail -n 1)"; do
    [ -n "$one" ] || continue
    run env KITH_CPU="$one" "$KITH_PROGRAM" rerank "the cat" lines.txt --model cross --json \
        --threads 1
    check "$one gives the same bits" cmp whole.json "$out"
done
run kith rerank "the cat" lines.txt --model cross -k 2
out_has '^  1  +-?[0-9.]+  [a-z ]+$' "for people"

# ---------------------------------------------------------------- search
kith index -q c.kith lines.jsonl --model tiny
run kith search c.kith "the cat" --rerank cross -k 5 --rerank-depth 40 --json
is_status 0 "search --rerank"
cp "$out" found.json
check "all that is found is reranked, and the best shown" python3 - "$KITH_PROGRAM" <<'END'
import json, subprocess, sys
hits = json.load(open("found.json"))["hits"]
rows = [json.loads(line) for line in open("lines.jsonl")]
texts = [(row["title"].strip() and row["title"] + " ") + row["text"] for row in rows]
told = subprocess.run([sys.argv[1], "rerank", "the cat", "-", "--model", "cross", "--json"],
                      input="\n".join(json.dumps({"id": r["id"], "text": t})
                                      for r, t in zip(rows, texts)),
                      stdout=subprocess.PIPE, text=True, check=True).stdout
best = json.loads(told)["hits"][:5]
assert [h["score"] for h in hits] == [h["score"] for h in best], (hits, best)
assert all(-1 <= h["similarity"] <= 1 for h in hits)
assert [h["rank"] for h in hits] == [1, 2, 3, 4, 5]
END
run kith search c.kith "the cat" -k 5 --json
out_json '"similarity" not in d[0]["hits"][0]' "without it scores are cosines"
run kith search c.kith --queries lines.txt --rerank cross -k 2 --jsonl
out_json 'len(d) == 40 and all(len(x["hits"]) == 2 for x in d)' "many questions"
run kith search c.kith "the cat" --rerank cross --rerank-depth 6 -k 3 --trec
check "TREC has the scores of the cross-encoder" test "$(wc -l <"$out")" -eq 3

# ---------------------------------------------------------------- refusals
run kith rerank "the cat" lines.txt --model tiny
is_status 2 "a model that makes vectors"
err_has 'makes vectors: a cross-encoder with one score is needed' "is told"
run kith search c.kith "the cat" --rerank tiny
is_status 2 "for search, too"
run kith rerank "the cat" lines.txt --model labels
is_status 2 "a model of three labels"
run kith encode lines.txt --model cross
check "a cross-encoder makes no vectors" test "$status" -ne 0
err_has 'cross-encoder' "which is told"
run kith rerank "the cat" none.txt --model cross
is_status 4 "a file that is not there"
printf '{"id":"a","text":"the sea"}\n{"id":\n' >bad.jsonl
run kith rerank "the cat" bad.jsonl --model cross --json
is_status 3 "a broken line"
out_json 'len(d[0]["hits"]) == 1' "the others are ranked"
: >empty.txt
run kith rerank "the cat" empty.txt --model cross
is_status 1 "nothing to rank"
for wrong in "x" "x lines.txt" "--model cross lines.txt"; do
    # shellcheck disable=SC2086
    run kith rerank $wrong
    is_status 2 "rerank $wrong"
done
for wrong in "--rerank-depth 9" "--rerank cross --mmr 0.5" \
    "--rerank cross -k 9 --rerank-depth 5" "--rerank cross --rerank-depth 20000"; do
    # shellcheck disable=SC2086
    run kith search c.kith "the cat" $wrong
    is_status 2 "search $wrong"
done
run kith search c.kith --like r1 --rerank cross
is_status 2 "--like has no words to rerank by"
