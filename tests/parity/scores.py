#!/usr/bin/env python3
"""Published scores through the kith binary; prints TAP.

STS-B dev and test (Spearman x 100 of cosine and human score) and SciFact (nDCG@10 and
Recall@100, texts cut at the model's limit) on ../shared/data, against the scores that the
reference library reaches there.

usage: scores.py KITH SHARED_DATA
"""
import csv
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

DIM = 384
STSB_TOLERANCE = 0.02
SCIFACT_TOLERANCE = 0.1


def ranks(values):
    """Ranks from 1, ties get their mean."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    out = [0.0] * len(values)
    i = 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
            j += 1
        for k in range(i, j + 1):
            out[order[k]] = (i + j) / 2 + 1
        i = j + 1
    return out


def pearson(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    return xy / math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def encode(kith, model, texts, folder):
    path = os.path.join(folder, "texts.jsonl")
    with open(path, "w") as out:
        for text in texts:
            out.write(json.dumps({"text": text}) + "\n")
    raw = subprocess.run([kith, "encode", "--model", model, "--format", "f32", path],
                         check=True, capture_output=True).stdout
    numbers = struct.unpack(f"<{len(raw) // 4}f", raw)
    return [numbers[i * DIM:(i + 1) * DIM] for i in range(len(numbers) // DIM)]


def stsb(kith, model, path, folder):
    with open(path, newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    vectors = encode(kith, model, [r[0] for r in rows] + [r[1] for r in rows], folder)
    n = len(rows)
    cosines = [sum(a * b for a, b in zip(vectors[i], vectors[n + i])) for i in range(n)]
    return 100 * pearson(ranks(cosines), ranks([float(r[2]) for r in rows]))


def scifact(kith, model, data, folder):
    coll = os.path.join(folder, "scifact.kith")
    subprocess.run([kith, "index", coll, f"{data}/corpus.jsonl", "--model", model, "--long",
                    "truncate", "--ann", "never", "-q"], check=True, capture_output=True)
    relevant = {}
    with open(f"{data}/qrels.tsv") as lines:
        next(lines)
        for line in lines:
            query, doc, score = line.split("\t")
            if int(score) > 0:
                relevant.setdefault(query, {})[doc] = int(score)
    queries = os.path.join(folder, "queries.jsonl")
    with open(f"{data}/queries.jsonl") as lines, open(queries, "w") as out:
        for line in lines:
            if json.loads(line)["_id"] in relevant:
                out.write(line)
    found = subprocess.run([kith, "search", coll, "--queries", queries, "--model", model,
                            "--jsonl", "-k", "100"], check=True, capture_output=True).stdout
    ndcg = recall = n = 0
    for line in found.splitlines():
        answer = json.loads(line)
        gains = relevant[answer["query_id"]]
        hits = [hit["id"] for hit in answer["hits"]]
        dcg = sum(gains.get(h, 0) / math.log2(i + 2) for i, h in enumerate(hits[:10]))
        ideal = sorted(gains.values(), reverse=True)[:10]
        ndcg += dcg / sum(g / math.log2(i + 2) for i, g in enumerate(ideal))
        recall += sum(h in gains for h in hits) / len(gains)
        n += 1
    return 100 * ndcg / n, 100 * recall / n


def main():
    kith, shared = sys.argv[1:3]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    model_folder = os.path.join(cache, "kith/models/all-MiniLM-L6-v2")
    if not os.path.exists(f"{shared}/golden/minilm-l6/scores.json"):
        print(f"1..0 # SKIP {shared} is not here")
        return
    if not os.path.isdir(model_folder):
        print("1..0 # SKIP the model is not here: run tools/setup model")
        return
    with open(f"{shared}/golden/minilm-l6/scores.json") as file:
        golden = json.load(file)["scores"]
    with tempfile.TemporaryDirectory(prefix="kith-scores-") as folder:
        os.environ["KITH_HOME"] = folder
        subprocess.run([kith, "model", "import", model_folder, "--name", "m"], check=True,
                       capture_output=True)
        model = "m"
        results = []
        for part in ("dev", "test"):
            results.append((f"STS-B {part}, Spearman",
                            stsb(kith, model, f"{shared}/sts/stsb-en-{part}.csv", folder),
                            golden[f"stsb-{part}"]["spearman_x100"], STSB_TOLERANCE))
        ndcg, recall = scifact(kith, model, f"{shared}/retrieval/scifact", folder)
        expected = golden["scifact"]
        results.append(("SciFact nDCG@10", ndcg, 100 * expected["ndcg@10"],
                        SCIFACT_TOLERANCE))
        results.append(("SciFact Recall@100", recall, 100 * expected["recall@100"],
                        SCIFACT_TOLERANCE))
    print(f"1..{len(results)}")
    for i, (name, score, wanted, tolerance) in enumerate(results):
        good = abs(score - wanted) <= tolerance
        print(f"{'ok' if good else 'not ok'} {i + 1} - {name}: {score:.4f}, "
              f"reference {wanted:.4f}, tolerance {tolerance}")


if __name__ == "__main__":
    main()
