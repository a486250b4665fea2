"""Paraphrase mining and community detection: kith beside sentence-transformers, on the
vectors that kith has stored. Run by bench/sets."""

import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

DIM = 384
HEADER_BYTES = 4096  # of the file of vectors: docs/format.md
TOP = 10_000  # pairs of the reference that are looked for
MIN_SCORE, MIN_SIZE = 0.75, 5  # of communities


def sample_questions(root):
    data = f"{root}/../shared/data/questions"
    questions = []
    with open(f"{data}/quora-dups-heldout/corpus.jsonl", encoding="utf-8") as lines:
        questions += [json.loads(line)["text"] for line in lines]
    for path in sorted(glob.glob(f"{data}/opentriviaqa/categories/*")):
        with open(path, encoding="utf-8", errors="replace") as lines:
            questions += [line[3:] for line in lines if line.startswith("#Q ")]
    return [text for text in (" ".join(q.split()) for q in questions) if text]


def peak_of(process):
    """MB; what wait4() tells would count the memory of the process that forked."""
    try:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as lines:
            return max((int(line.split()[1]) / 1024 for line in lines
                        if line.startswith("VmHWM")), default=0)
    except OSError:
        return 0


def measure(command, out):
    """Seconds and MB of a process that writes to a file."""
    peak = 0
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=out)
    while process.poll() is None:
        peak = max(peak, peak_of(process))
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return seconds, peak


# ------------------------------------------------------------------ the reference


def peer(what, vectors_path, out_path, threads):
    """In a process of its own: prints the seconds of the call alone."""
    import torch
    from sentence_transformers import util

    torch.set_num_threads(threads)
    vectors = torch.from_numpy(np.load(vectors_path))
    start = time.perf_counter()
    if what == "pairs":
        found = util.paraphrase_mining_embeddings(vectors)
    else:
        found = util.community_detection(
            vectors, threshold=MIN_SCORE, min_community_size=MIN_SIZE
        )
    print(time.perf_counter() - start)
    if what == "pairs":
        found = [[int(i), int(j)] for _, i, j in found]
    else:
        found = [[int(i) for i in group] for group in found]
    with open(out_path, "w", encoding="utf-8") as out:
        json.dump(found, out)


def run_peer(what, folder, threads):
    out_path = f"{folder}/peer.json"
    command = [sys.executable, os.path.abspath(__file__), "--peer", what,
               f"{folder}/vectors.npy", out_path, str(threads)]
    with open(f"{folder}/seconds", "w+", encoding="utf-8") as out:
        _, megabytes = measure(command, out)
        out.seek(0)
        seconds = float(out.read())
    with open(out_path, encoding="utf-8") as found:
        return json.load(found), seconds, megabytes


# ------------------------------------------------------------------ kith


def run_kith(kith, command, folder):
    """The objects of `kith COMMAND --jsonl`, from the start of the process to its end."""
    with open(f"{folder}/out.jsonl", "w+b") as out:
        seconds, megabytes = measure([kith] + command + ["--jsonl", "-q"], out)
        out.seek(0)
        return [json.loads(line) for line in out], seconds, megabytes


def store(kith, texts, folder):
    with open(f"{folder}/texts.jsonl", "w", encoding="utf-8") as out:
        for i, text in enumerate(texts):
            out.write(json.dumps({"id": str(i), "text": text}) + "\n")
    collection = f"{folder}/c.kith"
    subprocess.run(
        [kith, "index", collection, f"{folder}/texts.jsonl", "--long", "truncate",
         "--ann", "never", "-q"], check=True)
    rows = np.fromfile(f"{collection}/g000001/vectors", np.float16, offset=HEADER_BYTES)
    rows = rows.reshape(-1, DIM)[: len(texts)].astype(np.float32)
    np.save(f"{folder}/vectors.npy", rows)
    return collection


# ------------------------------------------------------------------ comparing


def labels(groups, n):
    """What belongs to no group is a group of its own."""
    label = np.arange(n) + len(groups)
    for i, group in enumerate(groups):
        label[group] = i
    return label


def adjusted_rand(a, b):
    def pairs(counts):
        counts = counts.astype(np.float64)
        return float((counts * (counts - 1) / 2).sum())

    both = pairs(np.unique(np.stack([a, b]), axis=1, return_counts=True)[1])
    in_a = pairs(np.unique(a, return_counts=True)[1])
    in_b = pairs(np.unique(b, return_counts=True)[1])
    expected = in_a * in_b / (len(a) * (len(a) - 1) / 2)
    most = (in_a + in_b) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def tell(what, kith_runs, peer_runs):
    ours, theirs = (statistics.median(run[1] for run in runs)
                    for runs in (kith_runs, peer_runs))
    print(f"{what}: kith {ours:.2f} s {max(run[2] for run in kith_runs):.0f} MB; "
          f"sentence-transformers {theirs:.2f} s "
          f"{max(run[2] for run in peer_runs):.0f} MB; {theirs / ours:.1f} times as fast")


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    options = argparse.ArgumentParser(prog="bench/sets", description=__doc__)
    options.add_argument("file", nargs="?", help="of texts, one a line")
    options.add_argument("--texts", type=int, help="the first so many alone")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--runs", type=int, default=1, help="the median counts")
    options.add_argument("--kith", default=f"{root}/build/tools/kith")
    args = options.parse_args()
    if args.file:
        with open(args.file, encoding="utf-8") as lines:
            texts = [line.strip() for line in lines if line.strip()]
    else:
        texts = sample_questions(root)
    texts = texts[: args.texts]
    with tempfile.TemporaryDirectory(prefix="kith-sets-") as folder:
        print(f"indexing {len(texts)} texts", file=sys.stderr)
        collection = store(args.kith, texts, folder)
        threads = ["--threads", str(args.threads)]
        pairs = ["pairs", collection] + threads
        cluster = ["cluster", collection, "--min-score", str(MIN_SCORE), "--min-size",
                   str(MIN_SIZE)] + threads
        runs = {"pairs": [], "cluster": []}
        peers = {"pairs": [], "cluster": []}
        for i in range(args.runs):
            for what, command in (("pairs", pairs), ("cluster", cluster)):
                print(f"run {i + 1}: {what}", file=sys.stderr)
                runs[what].append(run_kith(args.kith, command, folder))
                peers[what].append(run_peer(what, folder, args.threads))
    tell("pairs", runs["pairs"], peers["pairs"])
    found = {tuple(sorted((int(p["a"]["id"]), int(p["b"]["id"]))))
             for p in runs["pairs"][0][0]}
    wanted = [tuple(sorted(pair)) for pair in peers["pairs"][0][0][:TOP]]
    share = sum(pair in found for pair in wanted) / max(len(wanted), 1)
    print(f"of its {len(wanted)} best pairs {share:.2%} found; {len(found)} pairs, "
          f"{len(peers['pairs'][0][0])} there")
    tell("cluster", runs["cluster"], peers["cluster"])
    ours = [[int(m["id"]) for m in c["members"]] for c in runs["cluster"][0][0]]
    theirs = peers["cluster"][0][0]
    index = adjusted_rand(labels(ours, len(texts)), labels(theirs, len(texts)))
    print(f"adjusted Rand index {index:.6f}; {len(ours)} communities, {len(theirs)} there")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    else:
        main()
