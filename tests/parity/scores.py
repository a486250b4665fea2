#!/usr/bin/env python3
"""Published scores through the kith binary, in both precisions; prints TAP.

On ../shared/data: STS-B dev and test (Spearman x 100 of cosine and human score), SciFact,
Cranfield and Quora duplicates (exact search, texts cut at the model's limit), and the
vectors of the golden texts. fp32 has to reach the scores of the reference library, int8
may lose no more than the bars below.

A usual run encodes STS-B and SciFact in fp32 and everything in int8. Cranfield and Quora
in int8 are then compared with what the reference reaches in fp32; --full encodes them in
fp32 too.

usage: scores.py [--full] [--set NAME]... KITH SHARED_DATA
"""
import argparse
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

DIM = 384

# fp32: distance from the reference's score, in points.
STSB_TOLERANCE = 0.02
RETRIEVAL_TOLERANCE = 0.02

# int8: loss against fp32, in points; None where the score is printed without a bar.
STSB_PARTS = (("dev", None), ("test", 0.05))
# Name, folder, whether fp32 is encoded in every run, whether a query is a document too
# (which is then no answer), and scores with their bars.
COLLECTIONS = (
    ("SciFact", "retrieval/scifact", True, False,
     (("ndcg@10", 0.2), ("recall@100", None))),
    ("Cranfield", "retrieval/cranfield", False, False,
     (("ndcg@10", 0.2), ("recall@100", None))),
    ("Quora", "questions/quora-dups-heldout", False, True,
     (("ndcg@10", None), ("recall@10", 0.1))),
)
RETRIEVAL_SCORES = ("ndcg@10", "recall@10", "recall@100")
# int8 on the golden texts: cosine with the reference's fp32 vectors.
MEAN_COSINE = 0.9993
FIRST_PERCENTILE = 0.9978
# int8 numbers come this near to fp32 only where int8 was not used.
SAME_COSINE = 0.999999

SETS = ("golden", "stsb") + tuple(name.lower() for name, *_ in COLLECTIONS)


class Tap:
    """Prints each result as soon as it is known, and the plan at the end."""

    def __init__(self):
        self.count = 0

    def check(self, good, text):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}", flush=True)

    def note(self, text):
        print(f"# {text}", flush=True)

    def end(self):
        print(f"1..{self.count}")

    def compare(self, name, fp32, int8, wanted, tolerance, bar):
        """fp32: None where it was not computed; the reference's score stands for it."""
        if fp32 is not None:
            self.check(abs(fp32 - wanted) <= tolerance, f"{name}, fp32: {fp32:.4f}, "
                       f"reference {wanted:.4f}, tolerance {tolerance}")
        base, origin = (wanted, " of the reference") if fp32 is None else (fp32, "")
        text = f"{name}, int8: {int8:.4f}, loss against fp32{origin} {base - int8:.4f}"
        if bar is None:
            self.note(text)
        else:
            self.check(base - int8 <= bar, f"{text}, at most {bar}")


class Program:
    """The kith binary, with the model imported into a folder of its own."""

    def __init__(self, kith, model_folder, folder):
        self.kith = kith
        self.folder = folder
        os.environ["KITH_HOME"] = folder
        self.run("model", "import", model_folder, "--name", "m")

    def run(self, *arguments):
        return subprocess.run([self.kith, *arguments], check=True,
                              stdout=subprocess.PIPE).stdout

    def encode(self, texts, precision):
        path = os.path.join(self.folder, "texts.jsonl")
        with open(path, "w") as out:
            for text in texts:
                out.write(json.dumps({"text": text}) + "\n")
        raw = self.run("encode", "--model", "m", "--precision", precision, "--format", "f32",
                       "-q", path)
        if len(raw) != len(texts) * DIM * 4:
            sys.exit(f"{len(texts)} texts gave {len(raw)} bytes")
        return rows_of(raw)

    def retrieval(self, data, precision, drop_itself):
        """The measures of a BEIR folder, x 100."""
        own_id = ["--ignore-identical-ids"] if drop_itself else []
        scores = json.loads(self.run(
            "eval", "--beir", data, "--qrels", f"{data}/qrels.tsv", "--model", "m",
            "--precision", precision, "--json", "-q", *own_id))
        if scores["precision"] != precision:
            sys.exit(f"{data} was encoded in {scores['precision']}")
        return {name: 100 * scores[name] for name in RETRIEVAL_SCORES}


def rows_of(raw):
    numbers = struct.unpack(f"<{len(raw) // 4}f", raw)
    return [numbers[i:i + DIM] for i in range(0, len(numbers), DIM)]


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


def cosine(x, y):
    return dot(x, y) / math.sqrt(dot(x, x) * dot(y, y))


def percentile(values, share):
    """Between the two nearest values, as numpy.percentile() has it."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def golden(program, shared, tap):
    with open(f"{shared}/golden/minilm-l6/embeddings.jsonl") as lines:
        texts = [json.loads(line)["t"] for line in lines]
    with open(f"{shared}/golden/minilm-l6/embeddings.f32", "rb") as file:
        wanted = rows_of(file.read())
    if len(wanted) != len(texts):
        sys.exit(f"{len(texts)} golden texts have {len(wanted)} vectors")
    cosines = [cosine(a, b) for a, b in zip(program.encode(texts, "int8"), wanted)]
    mean, first = sum(cosines) / len(cosines), percentile(cosines, 0.01)
    name = f"{len(texts)} golden texts, int8"
    tap.check(MEAN_COSINE <= mean < SAME_COSINE,
              f"{name}: mean cosine {mean:.6f}, {MEAN_COSINE} to {SAME_COSINE}")
    tap.check(first >= FIRST_PERCENTILE,
              f"{name}: 1st percentile {first:.6f}, at least {FIRST_PERCENTILE}")
    tap.note(f"{name}: least cosine {min(cosines):.6f}")


def stsb(program, path, precision):
    found = program.run("eval", "--task", "sts", path, "--model", "m", "--precision",
                        precision, "--json")
    return 100 * json.loads(found)["main_score"]


def compare_collection(program, data, collection, reference, is_full, tap):
    name, _, is_usual, drop_itself, scores = collection
    fp32 = None
    if is_usual or is_full:
        fp32 = program.retrieval(data, "fp32", drop_itself)
    int8 = program.retrieval(data, "int8", drop_itself)
    for score, bar in scores:
        tap.compare(f"{name} {score}", fp32 and fp32[score], int8[score],
                    100 * reference[score], RETRIEVAL_TOLERANCE, bar)


def compare_all(program, shared, args, tap):
    with open(f"{shared}/golden/minilm-l6/scores.json") as file:
        reference = json.load(file)["scores"]
    wanted = args.set or SETS
    if "golden" in wanted:
        golden(program, shared, tap)
    for part, bar in STSB_PARTS if "stsb" in wanted else ():
        path = f"{shared}/sts/stsb-en-{part}.csv"
        tap.compare(f"STS-B {part}, Spearman", stsb(program, path, "fp32"),
                    stsb(program, path, "int8"),
                    reference[f"stsb-{part}"]["spearman_x100"], STSB_TOLERANCE, bar)
    for collection in COLLECTIONS:
        name, folder = collection[0].lower(), collection[1]
        if name in wanted:
            compare_collection(program, f"{shared}/{folder}", collection,
                               reference[name], args.full, tap)
    tap.end()


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("kith")
    options.add_argument("shared", metavar="shared_data")
    options.add_argument("--full", action="store_true", help="fp32 of every set")
    options.add_argument("--set", action="append", choices=SETS, help="only this one")
    args = options.parse_args()
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    model_folder = os.path.join(cache, "kith/models/all-MiniLM-L6-v2")
    if not os.path.exists(f"{args.shared}/golden/minilm-l6/scores.json"):
        print(f"1..0 # SKIP {args.shared} is not here")
        return
    if not os.path.isdir(model_folder):
        print("1..0 # SKIP the model is not here: run tools/setup model")
        return
    with tempfile.TemporaryDirectory(prefix="kith-scores-") as folder:
        compare_all(Program(args.kith, model_folder, folder), args.shared, args, Tap())


if __name__ == "__main__":
    main()
