#!/usr/bin/env python3
"""The same question by the program, by the library and by HTTP: the same ids, in the
same order, with the same scores to the last bit.

HTTP is asked by many clients at once, so that questions meet in batches; the program
and the library are asked one by one. Two collections: one without an approximate index,
and one with. There the server chooses for itself, says which way it took, and the
others are told to take the same.

usage: same_answers.py KITH SEARCH_TEXTS
"""

import http.client
import json
import random
import struct
import subprocess
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tap import Tap
from work import TINY, Work

K = 10
N_QUERIES = 60
N_CLIENTS = 32
N_TEXTS = 2000
N_VECTORS = 20000
N_CENTRES = 300
DIM = 48  # of the tiny model
WORDS = (
    """sea river stone bird house road winter light paper glass bread milk horse train
           field garden music letter doctor market""".split()
)


def sentence(rng):
    return " ".join(rng.choices(WORDS, k=5))


def make_vectors(path, rng):
    """Vectors around centres, as those of real texts are, in the format of NumPy."""

    def gauss(n, width):
        return [rng.gauss(0, width) for _ in range(n)]

    centres = [gauss(DIM, 1) for _ in range(N_CENTRES)]
    header = (
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({N_VECTORS}, {DIM}), }}"
    )
    header = header.ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(
            b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
        )
        for _ in range(N_VECTORS):
            centre = rng.choice(centres)
            file.write(
                struct.pack(
                    f"<{DIM}f", *(a + b for a, b in zip(centre, gauss(DIM, 0.5)))
                )
            )


def bits(score):
    """Of the 32-bit float that was printed with nine digits."""
    return struct.pack(">f", score).hex()


def hits(answer):
    return [(bits(hit["score"]), hit["id"]) for hit in answer["hits"]]


class Asker:
    """The same questions to a collection in three ways."""

    def __init__(self, work, search_texts, queries):
        self.work = work
        self.search_texts = search_texts
        self.queries = queries

    def by_http(self, server, method, collection):
        """The answers, by many clients at once."""
        host = urllib.parse.urlsplit(server.url).netloc

        def ask(query):
            link = http.client.HTTPConnection(host, timeout=60)
            if method == "GET":
                link.request(
                    "GET",
                    "/search?"
                    + urllib.parse.urlencode(
                        {"q": query, "k": K, "collection": collection}
                    ),
                )
            else:
                link.request(
                    "POST",
                    "/search",
                    json.dumps({"query": query, "k": K, "collection": collection}),
                    {"Content-Type": "application/json"},
                )
            response = link.getresponse()
            body = response.read()
            link.close()
            if response.status != 200:
                raise RuntimeError(f"status {response.status}: {body[:300]!r}")
            return json.loads(body)

        with ThreadPoolExecutor(N_CLIENTS) as pool:
            return list(pool.map(ask, self.queries))

    def by_program(self, collection, exact):
        way = ["--exact"] if exact else ["--ann", "always"]
        return [
            hits(self.work.json("search", f"{collection}.kith", query, "-k", K, *way))
            for query in self.queries
        ]

    def by_library(self, collection, exact):
        done = subprocess.run(
            [
                self.search_texts,
                self.work.folder / f"{collection}.kith",
                self.work.models / f"{TINY}.kmodel",
                str(K),
                "exact" if exact else "always",
            ],
            input="".join(query + "\n" for query in self.queries),
            text=True,
            check=True,
            stdout=subprocess.PIPE,
        )
        return [
            [tuple(line.split(" ", 1)) for line in answer.splitlines()]
            for answer in done.stdout.split("\n\n")[:-1]
        ]


def differing(queries, got, expected):
    """What to print of answers that are not the same."""
    return "\n".join(
        f"{query!r}:\n  {a[:3]}\n  {b[:3]}"
        for query, a, b in zip(queries, got, expected)
        if a != b
    )


def compare(tap, asker, server, collection):
    """Returns how many answers by HTTP were not exact."""
    ways = {
        (exact, way): ask(collection, exact)
        for exact in (True, False)
        for way, ask in (
            ("the program", asker.by_program),
            ("the library", asker.by_library),
        )
    }
    for exact in (True, False):
        tap.check(
            f"{collection}, {'exact' if exact else 'approximate'}: {N_QUERIES} "
            f"questions, {K} hits each by the library",
            [len(answer) for answer in ways[exact, "the library"]] == [K] * N_QUERIES,
        )
    n_approximate = 0
    for method in "GET", "POST":
        answers = asker.by_http(server, method, collection)
        n_approximate += sum(not answer["exact"] for answer in answers)
        for way in "the program", "the library":
            expected = [
                ways[answer["exact"], way][i] for i, answer in enumerate(answers)
            ]
            got = [hits(answer) for answer in answers]
            tap.check(
                f"{collection}: {method} /search gives ids and scores of {way}",
                got == expected,
                differing(asker.queries, got, expected),
            )
    return n_approximate


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tap = Tap()
    rng = random.Random(7)
    with Work(sys.argv[1], TINY) as work:
        texts = [f"{sentence(rng)} {n}" for n in range(N_TEXTS)]
        (work.folder / "texts.txt").write_text("".join(text + "\n" for text in texts))
        work.run("index", "texts.kith", "texts.txt", "--format", "lines", "--quiet")
        make_vectors(work.folder / "vectors.npy", rng)
        work.run(
            "import",
            "vectors.kith",
            "--vectors",
            "vectors.npy",
            "--model",
            TINY,
            "--ann",
            "always",
            "--quiet",
        )
        queries = [sentence(rng) for _ in range(N_QUERIES)]
        asker = Asker(work, str(Path(sys.argv[2]).resolve()), queries)
        with work.serve("texts.kith", "vectors.kith") as server:
            n = compare(tap, asker, server, "texts")
            tap.equal("texts: every answer was exact", n, 0)
            n = compare(tap, asker, server, "vectors")
            print(f"# vectors: {n} of {2 * N_QUERIES} answers by HTTP were approximate")
            tap.check("vectors: the server used the approximate index", n > 0)
        tap.equal("SIGTERM ends it with status 0", server.status, 0)
    tap.finish()


if __name__ == "__main__":
    main()
