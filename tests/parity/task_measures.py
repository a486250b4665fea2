"""eval/ against scikit-learn and scipy, on random and on edge input.

    PYTHON tests/parity/task_measures.py build/tests/parity/task_measures

By hand: PYTHON needs numpy, scipy and scikit-learn (bench/peers makes such a one).
Without them the exit status is 77. If it has mteb too, the measures of pair
classification are compared with its own.
"""
import subprocess
import sys
import warnings

try:
    import numpy as np
    from scipy import stats
    from sklearn import cluster, linear_model, metrics
    from sklearn.metrics import pairwise
except ImportError as problem:
    print(f"SKIPPED, nothing was compared: {problem}")
    sys.exit(77)
try:
    from mteb.abstasks.pair_classification import AbsTaskPairClassification
except ImportError:
    AbsTaskPairClassification = None
    print("mteb is not installed: it was not compared with")

warnings.simplefilter("ignore")
TOLERANCE = 1e-6
random = np.random.default_rng(42)
requests, checks = [], []


def ask(check, name, *numbers):
    words = [name]
    for number in numbers:
        words += [format(x, ".17g") for x in np.asarray(number, dtype=float).ravel()]
    requests.append(" ".join(words))
    checks.append(check)


def near(expected, what, tolerance=TOLERANCE):
    def check(found):
        want = np.asarray(expected, dtype=float)
        assert np.allclose(found[: len(want)], want, rtol=0, atol=tolerance,
                           equal_nan=True), (what, found[: len(want)], want)
    return check


def correlations():
    ramp = np.arange(20.0)
    cases = {
        "perfect": (ramp, 3 * ramp + 1), "reversed": (ramp, -ramp),
        "ties": (random.integers(0, 4, 50), random.integers(0, 3, 50)),
        "constant": (np.ones(10), np.arange(10)), "two": ([1, 2], [5, 3]),
        "large": (1e9 + random.random(100), random.random(100)),
    }
    for n in (3, 10, 1000):
        cases[f"random {n}"] = (random.random(n), random.random(n))
    for what, (x, y) in cases.items():
        ask(near([stats.pearsonr(x, y)[0], stats.spearmanr(x, y)[0]], what),
            "correlation", len(x), x, y)


def best_thresholds(scores, labels):
    """Accuracy and its threshold, F1, precision, recall and theirs: the best over all
    thresholds between two scores."""
    levels = np.unique(scores)[::-1]
    accuracy, f1 = (0.0, 0.0), (0.0, 0.0, 0.0, 0.0)
    for low, high in zip(levels[1:], levels[:-1]):
        threshold = (low + high) / 2
        predicted = scores > threshold
        if np.mean(predicted == labels) > accuracy[0] + 1e-12:
            accuracy = (np.mean(predicted == labels), threshold)
        found = metrics.precision_recall_fscore_support(
            labels, predicted, average="binary", zero_division=0)
        if found[2] > f1[0] + 1e-12:
            f1 = (found[2], found[0], found[1], threshold)
    return *accuracy, *f1


def binaries():
    cases = {
        "perfect": (np.arange(10.0), np.arange(10) > 4),
        "reversed": (-np.arange(10.0), np.arange(10) > 4),
        "constant": (np.ones(8), np.arange(8) % 2),
        "no positive": (np.arange(6.0), np.zeros(6)),
        "no negative": (np.arange(6.0), np.ones(6)),
        "one": ([0.5], [1]),
    }
    for n in (2, 5, 50, 500):
        cases[f"random {n}"] = (random.random(n), random.integers(0, 2, n))
        cases[f"ties {n}"] = (random.integers(0, 5, n) / 4, random.integers(0, 2, n))
    for what, (scores, labels) in cases.items():
        scores, labels = np.asarray(scores, float), np.asarray(labels, int)
        ap = metrics.average_precision_score(labels, scores)
        expected = [ap, *best_thresholds(scores, labels)]
        ask(near(expected, what), "binary", len(scores), scores, labels)
        if AbsTaskPairClassification is not None:
            theirs = object.__new__(AbsTaskPairClassification)._compute_metrics_values(
                list(scores), labels, True)
            places = {"ap": 0, "accuracy": 1, "f1": 3, "precision": 4, "recall": 5}
            for name, place in places.items():
                assert abs(theirs[name] - expected[place]) < TOLERANCE, (what, name)


def label_measures():
    for what, n, k in (("few", 30, 3), ("many", 200, 40), ("one", 1, 1),
                       ("never predicted", 20, 6)):
        truth = random.integers(0, k, n)
        predicted = random.integers(0, max(1, k // 2), n)
        for guess in (predicted, truth):
            weighted = metrics.precision_recall_fscore_support(
                truth, guess, average="weighted", zero_division=0)[:3]
            ask(near([metrics.accuracy_score(truth, guess),
                      metrics.f1_score(truth, guess, average="macro", zero_division=0),
                      *weighted], what), "labels", n, k, truth, guess)


def v_measures():
    same = np.arange(12) % 3
    cases = {"perfect": (same, (same + 1) % 3), "one cluster": (same, np.zeros(12)),
             "one class": (np.zeros(12), same), "all alone": (same, np.arange(12)),
             "one of each": (np.zeros(5), np.zeros(5)),
             "nothing shared": (np.arange(12) % 2, np.arange(12) // 2 % 2)}
    for n, k in ((10, 2), (300, 7), (1000, 50)):
        cases[f"random {n}"] = (random.integers(0, k, n), random.integers(0, k, n))
    for what, (classes, clusters) in cases.items():
        ask(near(metrics.homogeneity_completeness_v_measure(classes, clusters), what),
            "v_measure", len(classes), classes, clusters)


def blobs(n, dim, k, spread):
    centres = random.normal(size=(k, dim))
    labels = np.concatenate([np.arange(k), random.integers(0, k, n - k)])
    vectors = centres[labels] + spread * random.normal(size=(n, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def logistics():
    for n, dim, k, spread in ((16, 24, 2, 1), (60, 10, 3, 1), (80, 40, 10, 0.7),
                              (24, 5, 2, 3), (616, 64, 77, 0.8)):
        vectors, labels = blobs(2 * n, dim, k, spread)
        train, test = vectors[:n], vectors[n:]
        theirs = linear_model.LogisticRegression(solver="newton-cg", max_iter=10000,
                                                 tol=1e-12)
        theirs.fit(train.astype(float), labels[:n])
        usual = linear_model.LogisticRegression(max_iter=100).fit(train, labels[:n])
        rows = np.hstack([theirs.coef_, theirs.intercept_[:, None]])
        if k == 2:
            rows = np.vstack([np.zeros(dim + 1), rows])
        def check(found, test=test, rows=rows, theirs=theirs, usual=usual, k=k):
            predicted, weights = found[: len(test)], found[len(test):]
            near(rows.ravel(), f"logistic, {k} labels")(weights)
            assert np.array_equal(predicted, theirs.predict(test.astype(float))), k
            same = np.mean(predicted == usual.predict(test))
            print(f"logistic, {k} labels: weights within "
                  f"{np.abs(weights - rows.ravel()).max():.1e}; {100 * same:.1f} % of "
                  "labels as with max_iter=100 and tol=1e-4")
        ask(check, "logistic", n, dim, k, len(test), train, labels[:n], test)


def inertia(vectors, clusters):
    parts = (vectors[clusters == c] for c in np.unique(clusters))
    return sum(((part - part.mean(axis=0)) ** 2).sum() for part in parts)


def kmeans():
    for n, dim, k, spread in ((40, 8, 3, 0.1), (500, 32, 10, 0.6), (1000, 64, 20, 1),
                              (300, 16, 300, 1), (30, 4, 1, 1)):
        vectors, labels = blobs(n, dim, k, spread)
        theirs = [cluster.KMeans(k, n_init=3, random_state=seed).fit(vectors).labels_
                  for seed in range(5)]
        def check(found, vectors=vectors, labels=labels, theirs=theirs, n=n, k=k):
            found = found.astype(int)
            ours = inertia(vectors, found)
            worst = max(inertia(vectors, other) for other in theirs)
            assert ours <= 1.02 * worst + 1e-9, (n, k, ours, worst)
            v = [metrics.v_measure_score(labels, x) for x in (found, *theirs)]
            print(f"k-means, {n} in {k}: V {v[0]:.4f}, scikit-learn's {min(v[1:]):.4f} "
                  f"to {max(v[1:]):.4f}; inertia {ours:.4f}, at worst {worst:.4f}")
        ask(check, "kmeans", n, dim, k, vectors)


def vectors():
    for dim in (1, 7, 16, 384):
        for scale in (1, 30):
            a = (scale * random.normal(size=(1, dim))).astype(np.float32)
            b = (scale * random.normal(size=(1, dim))).astype(np.float32)
            for x, y in ((a, b), (a, a), (a, -a)):
                x, y = x.astype(float), y.astype(float)
                ask(near([1 - pairwise.paired_cosine_distances(x, y)[0],
                          (x @ y.T)[0, 0],
                          -pairwise.paired_euclidean_distances(x, y)[0],
                          -pairwise.paired_manhattan_distances(x, y)[0]], dim),
                    "similarity", dim, x, y)
    for n, m, dim in ((20, 30, 384), (100, 200, 20), (1, 1, 3)):
        a = random.normal(size=(n, dim)).astype(np.float32)
        b = random.normal(size=(m, dim)).astype(np.float32)
        ask(near(pairwise.cosine_similarity(a, b).argmax(axis=1), "nearest"),
            "nearest", n, m, dim, a, b)


for make in (correlations, binaries, label_measures, v_measures, logistics, kmeans,
             vectors):
    make()
answers = subprocess.run([sys.argv[1]], input="\n".join(requests), text=True,
                         capture_output=True, check=True).stdout.splitlines()
assert len(answers) == len(checks), (len(answers), len(checks))
for check, answer in zip(checks, answers):
    check(np.array(answer.split(), dtype=float))
print(f"{len(checks)} comparisons: equal to {TOLERANCE}")
