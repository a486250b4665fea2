"""Called by bench/ann: every engine in a process of its own, on the same vectors."""

import argparse
import json
import multiprocessing
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import ann_data
import ann_picture

ROOT = Path(__file__).resolve().parent.parent
K = 10
LEVELS = (0.95, 0.99)
TIE = 1e-5


def say(message):
    print(f"ann: {message}", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- the other libraries
# Each is made with (base, threads) and then has build(), settings(), use(setting),
# search(queries) -> ids [n, K] and threads(n).


class Faiss:
    factory = "Flat"
    parameter = None
    values = (0,)

    def __init__(self, base):
        import faiss

        self.faiss = faiss
        self.base = base

    def build(self):
        dim = self.base.shape[1]
        self.index = self.faiss.index_factory(
            dim, self.factory, self.faiss.METRIC_INNER_PRODUCT
        )
        self.index.train(self.base)
        self.index.add(self.base)

    def use(self, value):
        if self.parameter:
            self.faiss.ParameterSpace().set_index_parameter(
                self.index, self.parameter, value
            )

    def threads(self, n):
        self.faiss.omp_set_num_threads(n)

    def search(self, queries):
        return self.index.search(queries, K)[1]


class FaissSame(Faiss):
    """The factory that kith chose, with FAISS's own refinement by float32 vectors."""

    parameter = "nprobe"
    values = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

    def build(self):
        self.factory = os.environ["KITH_BENCH_FACTORY"] + ",RFlat"
        super().build()
        self.index.k_factor = 10

    def use(self, value):
        self.faiss.extract_index_ivf(
            self.faiss.downcast_index(self.index.base_index)
        ).nprobe = value


class FaissHnsw(Faiss):
    factory = "HNSW32"
    parameter = "efSearch"
    values = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


class Hnswlib:
    values = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

    def __init__(self, base):
        import hnswlib

        self.base = base
        self.index = hnswlib.Index(space="ip", dim=base.shape[1])

    def build(self):
        self.index.init_index(max_elements=len(self.base), M=16, ef_construction=200)
        self.index.add_items(self.base)

    def use(self, value):
        self.index.set_ef(value)

    def threads(self, n):
        self.index.set_num_threads(n)

    def search(self, queries):
        return self.index.knn_query(queries, k=K)[0]


class Usearch:
    values = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

    def __init__(self, base):
        from usearch.index import Index

        self.base = base
        self.index = Index(ndim=base.shape[1], metric="ip", dtype="f16")
        self.n_threads = 1

    def build(self):
        keys = np.arange(len(self.base), dtype=np.uint64)
        self.index.add(keys, self.base, threads=os.cpu_count())

    def use(self, value):
        self.index.expansion_search = value

    def threads(self, n):
        self.n_threads = n

    def search(self, queries):
        found = self.index.search(queries, K, threads=self.n_threads).keys
        return np.asarray(found).reshape(len(queries), K).astype(np.int64)


PEERS = {
    "faiss-flat": Faiss,
    "faiss-same": FaissSame,
    "faiss-hnsw": FaissHnsw,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
}


def recall_of(found, base, queries, truth):
    """Share of the K best scores that were found: rows that tie are as good as each
    other. truth: the K-th best score of each query."""
    hits = 0
    for rows, query, least in zip(found, queries, truth):
        rows = np.unique(rows[(rows >= 0) & (rows < len(base))].astype(np.int64))
        scores = base[rows].astype(np.float32) @ query
        hits += min(K, int((scores >= least - TIE).sum()))
    return hits / (len(found) * K)


def rate(call, n, runs):
    """Queries a second, the median of the runs; each is at most some seconds."""
    rates = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        rates.append(n / (time.perf_counter() - began))
    return statistics.median(rates)


def one_by_one(engine, queries):
    for i in range(len(queries)):
        engine.search(queries[i : i + 1])


def run_peer(name, base_path, queries_path, truth_path, threads, runs, out):
    queries = np.load(queries_path)
    truth = np.load(truth_path)
    base = np.load(base_path).astype(np.float32)
    before = resident_bytes()
    engine = PEERS[name](base)
    engine.threads(os.cpu_count())
    began = time.perf_counter()
    engine.build()
    built = time.perf_counter() - began
    points = []
    for value in engine.values:
        engine.use(value)
        engine.threads(threads)
        found = engine.search(queries)
        recall = recall_of(found, base, queries, truth)
        few = queries[: 200 if name == "faiss-flat" else len(queries)]
        batch = rate(lambda: engine.search(queries), len(queries), runs)
        engine.threads(1)
        single = rate(lambda: one_by_one(engine, few), len(few), runs)
        points.append({"setting": value, "recall": recall, "single": single, "batch": batch})
        if recall > 0.997:
            break
    memory = resident_bytes() - before
    out.put({"engine": name, "build": built, "memory": memory, "points": points})


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


# ---------------------------------------------------------------- kith


def kith(arguments, *command):
    done = subprocess.run(
        [arguments.kith, *map(str, command)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"ann: kith {command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def build_kith(arguments, base_path, work):
    """The collection, and the seconds of its index apart from those of the import."""
    collection = work / "ann.kith"
    shutil.rmtree(collection, ignore_errors=True)
    kith(arguments, "import", collection, "--vectors", base_path, "--ann", "never")
    one = work / "one.npy"
    np.save(one, np.load(base_path)[:1])
    began = time.perf_counter()
    kith(arguments, "import", collection, "--vectors", one, "--ann", "always")
    seconds = time.perf_counter() - began
    return collection, seconds, json.loads(kith(arguments, "status", collection, "--json"))


def ask_kith(arguments, collection, data, work, **settings):
    base, queries, truth = data
    ids = work / "ids.txt"
    raw = work / "queries.f32"
    queries.astype("<f4").tofile(raw)
    program = ROOT / "build/bench/search_vectors"
    done = subprocess.run(
        [program, collection, raw, ids, f"k={K}", f"runs={arguments.runs}",
         *(f"{name}={value}" for name, value in settings.items())],
        capture_output=True, text=True, check=True,
    ).stdout
    found = np.array(
        [[int(i) for i in line.split("\t")] for line in ids.read_text().splitlines()]
    )
    return {
        "rate": float(done.split()[0]),
        "memory": float(re.search(r"resident (\d+) MB", done)[1]) * 2**20,
        "recall": recall_of(found, base, queries, truth),
        "plan": done.strip().split(", ", 3)[-1],
    }


def run_kith(arguments, base_path, data, work):
    collection, built, status = build_kith(arguments, base_path, work)
    points = []
    memory = 0
    nprobes = sorted({p["nprobe"] for p in status["index"]["recall"] if p["k"] == K})
    for nprobe in [n for n in nprobes if n >= 8 or n == 0]:
        ask = {"ann": "always", "nprobe": nprobe}
        single = ask_kith(arguments, collection, data, work, **ask)
        batch = ask_kith(arguments, collection, data, work, **ask,
                         batch=len(data[1]), threads=arguments.threads)
        points.append({"setting": nprobe, "recall": single["recall"],
                       "single": single["rate"], "batch": batch["rate"]})
        memory = max(memory, single["memory"])
        if single["recall"] > 0.997:
            break
    few = (data[0], data[1][:200], data[2][:200])
    single = ask_kith(arguments, collection, few, work, ann="never")
    both = ask_kith(arguments, collection, few, work, ann="never",
                    threads=arguments.threads)
    batch = ask_kith(arguments, collection, data, work, ann="never",
                     batch=len(data[1]), threads=arguments.threads)
    say(f"kith exact, one query on {arguments.threads} threads: {1e3 / both['rate']:.2f} ms")
    exact = {"setting": "exact", "recall": batch["recall"], "single": single["rate"],
             "batch": batch["rate"]}
    os.environ["KITH_BENCH_FACTORY"] = status["index"]["factory"]
    derived = status["bytes"]["derived"]
    return [
        {"engine": "kith", "build": built, "memory": memory, "points": points,
         "factory": status["index"]["factory"], "file": derived},
        {"engine": "kith-exact", "build": 0, "memory": single["memory"],
         "points": [exact]},
    ]


# ---------------------------------------------------------------- the whole


def find_truth(base, queries):
    """The K-th best score of each query."""
    truth = np.full((len(queries), 1), 0, dtype=np.float32)
    for i in range(0, len(queries), 200):
        best = np.empty((len(queries[i : i + 200]), 0), dtype=np.float32)
        for j in range(0, len(base), 100000):
            scores = queries[i : i + 200] @ base[j : j + 100000].astype(np.float32).T
            best = np.partition(np.hstack([best, scores]), -K, axis=1)[:, -K:]
        truth[i : i + 200, 0] = best.min(axis=1)
    return truth[:, 0]


def best_at(result, level, way):
    rates = [p[way] for p in result["points"] if p["recall"] >= level]
    return max(rates, default=None)


def print_table(results, threads):
    print(f"{'engine':12} {'build s':>8} {'MB':>6}  "
          f"queries/s: one on 1 thread | all at once on {threads}")
    print(f"{'':12} {'':8} {'':6}  " + "".join(f"{f'>= {level}':>10}" for level in LEVELS) * 2)
    for result in results:
        cells = [best_at(result, level, way) for way in ("single", "batch")
                 for level in LEVELS]
        print(f"{result['engine']:12} {result['build']:8.1f} {result['memory'] / 2**20:6.0f}  "
              + "".join(f"{cell:10.0f}" if cell else f"{'-':>10}" for cell in cells))
    for result in results:
        for point in result["points"]:
            print(f"  {result['engine']:12} {point['setting']!s:>6}  recall "
                  f"{point['recall']:.4f}  {point['single']:9.1f} {point['batch']:9.1f}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/ann")
    parser.add_argument("--rows", type=int, default=146000, help="real vectors (146000)")
    parser.add_argument("--base", help="these vectors instead (.npy)")
    parser.add_argument("--queries", help="and these queries (.npy)")
    parser.add_argument("--engines", default="kith," + ",".join(PEERS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--svg", help="draw the curves into this file")
    parser.add_argument("--kith", default=ROOT / "build/tools/kith")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    work = arguments.work
    if arguments.base:
        base_path, queries_path = Path(arguments.base), Path(arguments.queries)
    else:
        base_path, queries_path = ann_data.prepare(arguments.rows, arguments.kith, work)
    queries = np.ascontiguousarray(np.load(queries_path), dtype=np.float32)
    base = np.load(base_path)
    say(f"{len(base)} vectors of {base.shape[1]}, {len(queries)} queries")
    truth = find_truth(base, queries)
    truth_path, float_path = work / "truth.npy", work / "queries-f32.npy"
    np.save(truth_path, truth)
    np.save(float_path, queries)
    results = []
    spawn = multiprocessing.get_context("spawn")
    for name in arguments.engines.split(","):
        say(name)
        if name == "kith":
            results += run_kith(arguments, base_path, (base, queries, truth), work)
            continue
        out = spawn.Queue()
        process = spawn.Process(target=run_peer, args=(
            name, base_path, float_path, truth_path, arguments.threads, arguments.runs, out))
        process.start()
        while process.is_alive() and out.empty():
            time.sleep(0.2)
        if out.empty():
            say(f"*** {name} failed: it is left out ***")
            continue
        results.append(out.get())
        process.join()
    print_table(results, arguments.threads)
    if arguments.svg:
        Path(arguments.svg).write_text(
            ann_picture.draw(results, len(base), arguments.threads), encoding="utf-8")


if __name__ == "__main__":
    main()
