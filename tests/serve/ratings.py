#!/usr/bin/env python3
"""The figures of the page's "what it means" against the STS Benchmark; prints TAP.

usage: ratings.py KITH PAGE STS_FOLDER

The page says how people rated pairs of sentences whose score falls between two bounds.
Here the same figures are made from the data, with kith's own vectors in fp32 and int8.
"""

import csv
import re
import statistics
import sys
from array import array
from pathlib import Path

from tap import Tap, skip_all
from work import REAL, Work

FILES = ("stsb-en-dev.csv", "stsb-en-test.csv")
DIM = 384
INT8_TOLERANCE = 0.02


def read_pairs(folder):
    """(sentence, sentence, rating) of both files; sentences are one line each."""
    for name in FILES:
        with open(folder / name, newline="", encoding="utf-8") as file:
            for first, second, rating in csv.reader(file):
                yield " ".join(first.split()), " ".join(second.split()), float(rating)


def scores(work, pairs, precision):
    lines = "".join(f"{a}\n{b}\n" for a, b, _ in pairs)
    encoded = work.run(
        "encode", "-", "--format", "f32", "--precision", precision, data=lines.encode()
    )
    values = array("f", encoded)
    vectors = [values[at : at + DIM] for at in range(0, len(values), DIM)]
    return [
        sum(x * y for x, y in zip(vectors[i], vectors[i + 1]))
        for i in range(0, len(vectors), 2)
    ]


def bands_of(page):
    """The rows of RATINGS: (score from, pairs, mean, quartile, quartile)."""
    table = re.search(r"const RATINGS = \[(.*?)\n\];", page, re.S)[1]
    number = r"(-?[\d.]+)"
    rows = re.findall(r"\[" + ", ".join([number] * 5) + ", '", table)
    return [tuple(map(float, row)) for row in rows]


def measured(bounds, rated):
    for i, low in enumerate(bounds):
        high = bounds[i - 1] if i else 2
        ratings = [rating for score, rating in rated if low <= score < high]
        quarter, _, three_quarters = statistics.quantiles(
            ratings, n=4, method="inclusive"
        )
        yield low, len(ratings), statistics.fmean(ratings), quarter, three_quarters


def check_bands(tap, bands, fp32, int8):
    for band, exact, quick in zip(bands, fp32, int8):
        low, n, mean, quarter, three_quarters = exact
        shown = (low, n, round(mean, 1), round(quarter, 2), round(three_quarters, 2))
        print(
            f"# from {low}: {n} pairs, mean {mean:.3f} (int8 {quick[2]:.3f}), "
            f"half between {quarter:.2f} and {three_quarters:.2f}"
        )
        tap.equal(f"from {low}: the page's figures", band, shown)
        tap.check(
            f"from {low}: int8 has the same mean within {INT8_TOLERANCE}",
            abs(mean - quick[2]) <= INT8_TOLERANCE,
        )


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    page, folder = Path(sys.argv[2]).read_text(), Path(sys.argv[3])
    if not all((folder / name).exists() for name in FILES):
        skip_all(f"no STS Benchmark in {folder.name}/")
    tap = Tap()
    pairs = list(read_pairs(folder))
    bands = bands_of(page)
    bounds = [band[0] for band in bands]
    ratings = [rating for _, _, rating in pairs]
    with Work(sys.argv[1], REAL) as work:
        fp32, int8 = (
            list(measured(bounds, list(zip(scores(work, pairs, precision), ratings))))
            for precision in ("fp32", "int8")
        )
    total = int(re.search(r"const RATED_PAIRS = (\d+);", page)[1])
    tap.check(
        "all pairs are in a band",
        total == len(pairs) == sum(band[1] for band in bands) and len(bands) > 1,
    )
    check_bands(tap, bands, fp32, int8)
    tap.finish()


if __name__ == "__main__":
    main()
