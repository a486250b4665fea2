#!/usr/bin/env python3
"""`kith eval` against trec_eval, scipy and scikit-learn, on random and edge input; run
by hand, prints TAP.

Runs and judgements: ties, graded and negative labels, documents that are not judged,
queries without results, without relevant documents and with fewer results than k. Every
measure of every query, the means, and both significance tests of two runs have to be
equal to 1e-6. With a model also MTEB's reranking, by its definition.

usage: ranking_measures.py [--model NAME|PATH] KITH
The libraries: python3 -m venv V
               V/bin/pip install pytrec_eval-terrier scipy scikit-learn
"""
import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile

try:
    import numpy
    import pytrec_eval
    import scipy.stats
    import sklearn.metrics
except ImportError as missing:
    print(f"1..0 # SKIP {missing}: see the head of {os.path.basename(__file__)}")
    sys.exit(0)

TOLERANCE = 1e-6
# Standard errors that p of 10,000 random swaps may differ by from scipy's of as many.
STANDARD_ERRORS = 5
ROUNDS = 10000


class Tap:
    def __init__(self):
        self.count = 0
        self.n_failed = 0

    def check(self, good, text):
        self.count += 1
        self.n_failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}", flush=True)


class Case:
    """Judgements and runs; queries that a run leaves out count as 0."""

    def __init__(self, rng, n_queries, n_docs, labels, scores, share_judged):
        docs = [f"d{i}" for i in range(n_docs)]
        self.qrels, self.runs = {}, ({}, {})
        for query in (f"q{i}" for i in range(n_queries)):
            n_judged = max(1, int(share_judged * n_docs))
            judged = rng.sample(docs, n_judged)
            self.qrels[query] = {doc: rng.choice(labels) for doc in judged}
            for run in self.runs:
                found = rng.sample(docs, rng.choice([0, 1, 3, n_docs // 2, n_docs]))
                if found:
                    run[query] = {d: scores(rng) for d in found}
        for run in self.runs:
            run.setdefault("q0", {"d0": 1.0})
            run["unjudged"] = {"d1": 0.5}

    def write(self, folder, is_beir):
        paths = [os.path.join(folder, name) for name in ("qrels", "run-a", "run-b")]
        with open(paths[0], "w", encoding="utf-8") as out:
            out.write("query-id\tcorpus-id\tscore\n" if is_beir else "")
            for query, labels in self.qrels.items():
                for doc, label in labels.items():
                    out.write(f"{query}\t{doc}\t{label}\n" if is_beir else
                              f"{query} 0 {doc} {label}\n")
        for path, run in zip(paths[1:], self.runs):
            with open(path, "w", encoding="utf-8") as out:
                for query, found in run.items():
                    for doc, score in found.items():
                        out.write(f"{query} Q0 {doc} 1 {score!r} x\n")
        return paths


def trec_eval(case, run, k):
    """The measures of each query by trec_eval, under kith's names."""
    names = {f"ndcg_cut_{k}": "ndcg", f"map_cut_{k}": "map", f"recall_{k}": "recall",
             f"P_{k}": "precision", f"success_{k}": "success"}
    wanted = {name.rsplit("_", 1)[0] + "." + str(k) for name in names}
    judge = pytrec_eval.RelevanceEvaluator(case.qrels, wanted | {"recip_rank"})
    answers = judge.evaluate(run)
    values = {}
    for query in case.qrels:
        got = answers.get(query, {})
        values[query] = {ours: got.get(name, 0.0) for name, ours in names.items()}
        rank = got.get("recip_rank", 0.0)
        values[query]["mrr"] = rank if rank > 0 and round(1 / rank) <= k else 0.0
    return values


def output_of(*command, lines=()):
    return subprocess.run(command, check=True, input="\n".join(lines).encode(),
                          stdout=subprocess.PIPE).stdout


def kith_eval(kith, *arguments):
    printed = output_of(kith, "eval", *arguments, "--json", "--per-query", "-q")
    return [json.loads(line) for line in printed.splitlines()]


def all_measures(case, run, cutoffs):
    """By query, then name: "ndcg@10" and so on."""
    values = {query: {} for query in case.qrels}
    for k in cutoffs:
        for query, of_query in trec_eval(case, run, k).items():
            values[query].update({f"{name}@{k}": v for name, v in of_query.items()})
    return values


def largest_difference(expected, lines, summary):
    """Of the measures, query by query and in the means, to trec_eval's."""
    worst = 0.0
    for line in lines:
        for name, value in expected[line["query_id"]].items():
            worst = max(worst, abs(line[name] - value))
    for name in next(iter(expected.values())):
        mean = sum(values[name] for values in expected.values()) / len(expected)
        worst = max(worst, abs(summary[name] - mean))
    return worst


def compare_rankings(kith, case, folder, k, is_beir, text, tap):
    qrels, run_a, run_b = case.write(folder, is_beir)
    cutoffs = sorted({10, 100, k})
    expected = [all_measures(case, run, cutoffs) for run in case.runs]
    lines = kith_eval(kith, "--qrels", qrels, "--run", run_a, "--run", run_b,
                      "-k", str(k))
    summary = lines.pop()
    for path, values, result in zip((run_a, run_b), expected, summary["runs"]):
        own = [line for line in lines if line["of"] == path]
        worst = largest_difference(values, own, result)
        name = os.path.basename(path)
        tap.check(len(own) == len(case.qrels) and worst <= TOLERANCE,
                  f"{text}: {name} differs from trec_eval by {worst:.1e}")
    compare_tests(expected, summary["difference"], text, tap)


def scipy_p(differences, rng):
    """The t-test's p and the randomisation test's, with the error that p may have."""
    t_test = math.nan
    if len(differences) > 1:
        t_test = scipy.stats.ttest_1samp(differences, 0).pvalue
    differences = differences[differences != 0]
    if len(differences) < 2:
        return t_test, 1.0, 0.0
    is_exact = 2 ** len(differences) <= ROUNDS
    n_rounds = math.inf if is_exact else ROUNDS
    p = scipy.stats.permutation_test((differences,), numpy.mean, vectorized=True,
                                     permutation_type="samples", n_resamples=n_rounds,
                                     rng=rng, batch=1000).pvalue
    # scipy doubles the smaller tail, whose share varies as one of p / 2.
    spread = math.sqrt((p * (1 - p) + 2 * p * (1 - p / 2)) / ROUNDS)
    return t_test, p, 0.0 if is_exact else STANDARD_ERRORS * spread + 1 / ROUNDS


def compare_tests(expected, found, text, tap):
    worst_t = worst_exact = 0.0
    n_wrong = 0
    rng = numpy.random.default_rng(7)
    for name in next(iter(expected[0].values())):
        differences = numpy.array([values[name] - expected[0][query][name]
                                   for query, values in expected[1].items()])
        t_test, p, error = scipy_p(differences, rng)
        if math.isnan(t_test):
            n_wrong += found[name]["p_t_test"] is not None
        else:
            worst_t = max(worst_t, abs(found[name]["p_t_test"] - t_test))
        if error > 0:
            n_wrong += abs(found[name]["p_randomisation"] - p) > error
        else:
            worst_exact = max(worst_exact, abs(found[name]["p_randomisation"] - p))
    tap.check(worst_t <= TOLERANCE and worst_exact <= TOLERANCE and n_wrong == 0,
              f"{text}: p differs from scipy's by {worst_t:.1e} (t-test) and "
              f"{worst_exact:.1e} (all swaps); {n_wrong} others")


def compare_reranking(kith, model, folder, rng, tap):
    words = "sea rain key door red tea bus map night song paper stone".split()

    def text():
        return " ".join(rng.choices(words, k=rng.randint(1, 6)))

    samples = [{"query": text(), "positive": [text() for _ in range(rng.randint(0, 4))],
                "negative": [text() for _ in range(rng.randint(0, 30))]}
               for _ in range(60)]
    samples[0]["negative"] = samples[0]["positive"] = ["the same text"] * 3
    path = os.path.join(folder, "reranking.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(sample) + "\n" for sample in samples)
    use = ["--model", model, "--precision", "fp32"]
    got = json.loads(output_of(kith, "eval", "--task", "reranking", path, "--json", *use))
    precisions, ranks = [], []
    for sample in samples:
        labels = [1] * len(sample["positive"]) + [0] * len(sample["negative"])
        if not sample["positive"] or not sample["negative"]:
            continue
        texts = [sample["query"], *sample["positive"], *sample["negative"]]
        raw = output_of(kith, "encode", "--format", "f32", "-", *use, lines=texts)
        vectors = numpy.frombuffer(raw, dtype="<f4").astype(float)
        vectors = vectors.reshape(len(texts), -1)
        vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
        # Equal texts have equal vectors; their products may differ in the last bit.
        scores = numpy.round(vectors[1:] @ vectors[0], 9)
        order = numpy.argsort(-scores, kind="stable")[:10]
        ranks.append(max((labels[i] / (r + 1) for r, i in enumerate(order)), default=0))
        precisions.append(sklearn.metrics.average_precision_score(labels, scores))
    for name, value in (("map", numpy.mean(precisions)), ("mrr@10", numpy.mean(ranks))):
        tap.check(abs(got[name] - value) <= TOLERANCE,
                  f"reranking: {name} is {got[name]}, by MTEB's definition {value:.9f}")


def cases(rng):
    yield "graded", Case(rng, 200, 60, [0, 0, 1, 2, 3], lambda r: r.random(), 0.5), 5
    yield "ties", Case(rng, 200, 40, [0, 1], lambda r: float(r.randint(0, 3)), 0.4), 3
    yield ("ties in 32 bits",
           Case(rng, 50, 30, [0, 1, 2], lambda r: 1 + r.random() * 1e-7, 0.9), 1)
    yield ("negative labels",
           Case(rng, 100, 50, [-2, -1, 0, 1, 4], lambda r: r.gauss(0, 9), 0.7), 20)
    yield ("no relevant documents",
           Case(rng, 20, 20, [0, -1], lambda r: r.random(), 1.0), 2)
    yield "one query", Case(rng, 1, 12, [0, 1], lambda r: r.random(), 0.5), 1
    yield "few queries", Case(rng, 9, 30, [0, 1, 1], lambda r: -r.random(), 0.5), 7
    yield "deep", Case(rng, 20, 900, [0, 0, 0, 1], lambda r: r.random(), 0.3), 500
    yield "wide", Case(rng, 600, 15, [0, 1], lambda r: r.random(), 0.6), 4


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("kith")
    options.add_argument("--model", help="for reranking, which is skipped without it")
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()
    rng = random.Random(args.seed)
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="kith-measures-") as folder:
        for i, (text, case, k) in enumerate(cases(rng)):
            compare_rankings(args.kith, case, folder, k, i % 2 == 0, text, tap)
        if args.model is not None:
            compare_reranking(args.kith, args.model, folder, rng, tap)
        else:
            tap.check(True, "reranking # SKIP no --model was given")
    print(f"1..{tap.count}")
    sys.exit(tap.n_failed > 0)


if __name__ == "__main__":
    main()
