"""Called by bench/growth: imports, step by step, and asks after each."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import ann_data

ROOT = Path(__file__).resolve().parent.parent
K = 10
NOISE = 0.5  # length of the noise that makes more vectors out of the real ones


def run(*command):
    return subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def ask(collection, queries, n, work, **settings):
    """The ids found for each of n queries, and the plan."""
    out = work / "growth-ids.txt"
    done = run(ROOT / "build/bench/search_vectors", collection, queries, out, f"k={K}",
               "runs=1", *(f"{name}={value}" for name, value in settings.items()))
    ids = [set(line.split("\t")) for line in out.read_text().splitlines()]
    assert len(ids) == n
    return ids, done.strip().split(", ", 3)[-1]


def recall_of(found, truth):
    return sum(len(f & t) for f, t in zip(found, truth)) / (len(truth) * K)


def measure(collection, queries, n, work):
    """Recall of the approximate index alone and of what kith chooses by itself for a
    query at a time; the choice."""
    truth, _ = ask(collection, queries, n, work, ann="never", batch=n, threads=2)
    always, _ = ask(collection, queries, n, work, ann="always", batch=n, threads=2)
    auto, plan = ask(collection, queries, n, work, ann="auto")
    return recall_of(always, truth), recall_of(auto, truth), plan.split(":")[0]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/growth")
    parser.add_argument("--first", type=int, default=10000, help="rows at first (10000)")
    parser.add_argument("--last", type=int, default=500000, help="in the end (500000)")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--base", help="real vectors (.npy)")
    parser.add_argument("--queries", help="and queries, the first half like them (.npy)")
    parser.add_argument("--kith", default=ROOT / "build/tools/kith")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    work = arguments.work
    base, queries = arguments.base, arguments.queries
    if not base:
        base, queries = ann_data.prepare(146000, arguments.kith, work)
    rows_path, part = work / "growth.npy", work / "growth-part.npy"
    ids = work / "growth-part.txt"
    run(ROOT / "build/bench/make_vectors", base, arguments.last, rows_path,
        "--noise", NOISE, "--seed", 1)
    rows = np.load(rows_path, mmap_mode="r")
    asked = np.load(queries).astype("<f4")
    half = len(asked) // 2
    like, unlike = work / "growth-like.f32", work / "growth-unlike.f32"
    asked[:half].tofile(like)
    asked[half:].tofile(unlike)
    collection = work / "growth.kith"
    shutil.rmtree(collection, ignore_errors=True)
    ratio = (arguments.last / arguments.first) ** (1 / (arguments.steps - 1))
    n = 0
    least = 1
    print("rows     indexed  import s  recall: index  by itself         unlike: index")
    for step in range(arguments.steps):
        upto = round(arguments.first * ratio**step)
        np.save(part, rows[n:upto])
        ids.write_text("".join(f"{i}\n" for i in range(n, upto)))
        n = upto
        began = time.perf_counter()
        run(arguments.kith, "import", collection, "--vectors", part, "--ids", ids,
            "--quiet")
        seconds = time.perf_counter() - began
        status = json.loads(run(arguments.kith, "status", collection, "--json"))
        assert status["records"] == n
        index, auto, plan = measure(collection, like, half, work)
        other, _, _ = measure(collection, unlike, len(asked) - half, work)
        least = min(least, auto)
        print(f"{n:7}  {status['index']['covers']:7}  {seconds:8.1f}  {index:13.4f}  "
              f"{auto:.4f} {plan:11}  {other:12.4f}", flush=True)
    print(f"least recall by itself: {least:.4f}")
    rows_path.unlink()
    sys.exit(least < 0.95)


if __name__ == "__main__":
    main()
