#!/usr/bin/env bash
# index --long: what becomes of a text that is longer than a vector can hold.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

# Words of the tiny model's vocabulary in sentences that differ; one comes often.
python3 - <<'END'
import random
random.seed(3)
words = "the cat dog river sea old time water morning winter other same out before".split()
with open("long.txt", "w") as f:
    for i in range(150):
        f.write(" ".join(random.choices(words, k=6)) + ".\n")
        if i % 10 == 5:
            f.write("The river is out there and not the sea.\n")
with open("short.txt", "w") as f:
    f.write("The cat sat on the mat.\n")
END
for way in chunk truncate average summary; do
    run kith index $way.kith long.txt short.txt --long $way --jsonl
    is_status 0 "--long $way"
    cp "$out" $way.json
    kith export $way.kith --vectors >$way.jsonl
done
check "what was cut is counted, and what has one vector" python3 - <<'END'
import json
told = {way: json.loads(open(way + ".json").read().splitlines()[-1])
        for way in ("chunk", "truncate", "average", "summary")}
assert [told[w]["truncated"] for w in told] == [0, 1, 0, 0], told
assert [told[w].get("condensed", 0) for w in told] == [0, 0, 1, 1], told
assert all(t["indexed"] == 2 for t in told.values())
END
check "average: the mean of the passages by their tokens, with the whole text" \
    python3 - "$KITH_PROGRAM" <<'END'
import base64, json, math, struct, subprocess, sys
def read(path):
    rows = [json.loads(line) for line in open(path)]
    for row in rows:
        raw = base64.b64decode(row["vector"])
        row["vector"] = struct.unpack(f"<{len(raw) // 4}f", raw)
    return rows
def of(rows, name):
    return [row for row in rows if row["id"].endswith(name)]
def unit(v):
    length = math.sqrt(sum(x * x for x in v))
    return [x / length for x in v]
pieces = of(read("chunk.jsonl"), "/long.txt")
assert len(pieces) > 3
mean = [0.0] * len(pieces[0]["vector"])
for piece in pieces:
    told = subprocess.run([sys.argv[1], "tokens", "--json", piece["text"]],
                          stdout=subprocess.PIPE, check=True).stdout
    weight = len(json.loads(told)["ids"]) - 2
    mean = [m + weight * x for m, x in zip(mean, unit(piece["vector"]))]
found = of(read("average.jsonl"), "/long.txt")
assert len(found) == 1 and found[0]["text"] == open("long.txt").read(), found
worst = max(abs(a - b) for a, b in zip(unit(mean), unit(found[0]["vector"])))
assert worst < 2e-3, worst
# A text that fits is as ever.
assert of(read("average.jsonl"), "/short.txt")[0]["vector"] == \
    of(read("chunk.jsonl"), "/short.txt")[0]["vector"]
END
kith encode long.txt >sentences.f32
kith tokens --jsonl long.txt >tokens.jsonl
check "summary: the sentences with the largest sum of cosines, each once, in order" \
    python3 - "$(kith model info --json)" <<'END'
import json, struct, sys
rows = [json.loads(line) for line in open("summary.jsonl")]
record = [row for row in rows if row["id"].endswith("/long.txt")]
assert len(record) == 1 and record[0]["text"] == open("long.txt").read()
sentences = open("long.txt").read().splitlines()
counts = [len(json.loads(line)["ids"]) - 2 for line in open("tokens.jsonl")]
raw = open("sentences.f32", "rb").read()
dim = len(raw) // 4 // len(sentences)
vectors = list(struct.iter_unpack(f"<{dim}f", raw))
total = [sum(v[j] for v in vectors) for j in range(dim)]
score = [sum(a * b for a, b in zip(v, total)) for v in vectors]
room = min(200, json.loads(sys.argv[1])["max_tokens"]) - 2
chosen = []
for i in sorted(range(len(sentences)), key=lambda i: (-score[i], i)):
    if counts[i] <= room and sentences[i] not in [sentences[j] for j in chosen]:
        chosen.append(i)
        room -= counts[i]
assert len(chosen) > 1
expected = " ".join(sentences[i] for i in sorted(chosen))
assert record[0]["metadata"]["summary"] == expected, (expected, record[0]["metadata"])
short = [row for row in rows if row["id"].endswith("/short.txt")]
assert "summary" not in short[0].get("metadata", {}), short
END
kith encode <(python3 -c 'import json
for line in open("summary.jsonl"):
    row = json.loads(line)
    if row["id"].endswith("/long.txt"):
        print(json.dumps({"text": row["metadata"]["summary"]}))') --text-field text >s.f32
check "its vector is that of the summary" python3 - <<'END'
import base64, json, struct
row = [r for r in map(json.loads, open("summary.jsonl")) if r["id"].endswith("/long.txt")][0]
a = struct.iter_unpack("<f", base64.b64decode(row["vector"]))
b = struct.iter_unpack("<f", open("s.f32", "rb").read())
worst = max(abs(x - y) for (x,), (y,) in zip(a, b))
assert worst < 1e-3, worst
END
run kith index summary.kith long.txt short.txt --long summary --jsonl
out_json 'd[-1]["unchanged"] == 2 and d[-1].get("condensed", 0) == 0' \
    "what is unchanged is not summarised again"
run kith index summary.kith long.txt --long average --jsonl
out_json 'd[-1]["indexed"] == 1 and d[-1]["condensed"] == 1' "another way is a change"

# Metadata stay as they are, byte for byte, before the summary.
python3 - <<'END'
import json
text = open("long.txt").read()
with open("m.jsonl", "w") as f:
    for i, extra in enumerate(('"n":1.50,"o":{"a":[1]}', '', '"summary":"mine"')):
        f.write('{"id":"m%d","text":%s%s}\n' % (i, json.dumps(text), "," + extra if extra else ""))
    f.write('{"id":"t","title":%s,"text":%s}\n' % (json.dumps("old tree " * 150), json.dumps(text)))
    f.write('{"id":"u","text":%s}\n' % json.dumps("x" * 3000 + " \u00e9t\u00e9 \"q\" \\ " + text))
END
run kith index m.kith m.jsonl --long summary --jsonl
out_json 'd[-1]["indexed"] == 5 and d[-1]["condensed"] == 5' "with metadata, title, one endless word"
run kith get m.kith m0 m1 m2 t u --json
out_json 'd[0]["records"][0]["metadata"]["n"] == 1.5
          and d[0]["records"][0]["metadata"]["o"] == {"a": [1]}
          and len(d[0]["records"][0]["metadata"]["summary"]) > 40' "metadata have the summary, too"
out_json 'd[0]["records"][2]["metadata"] == {"summary": "mine"}' "a summary that was given stays"
out_json 'all(len(r["passages"]) == 1 for r in d[0]["records"])' "all are one passage"
run kith search m.kith "the river" --where 'EXISTS summary' -k 9 --json
out_json 'len(d[0]["hits"]) == 5' "the summary can be filtered by"
run kith index m.kith m.jsonl --long shorter
is_status 2 "--long shorter is none"
