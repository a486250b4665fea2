"""Real vectors for bench/ann: texts of ../shared/data, encoded by kith, kept in the
cache."""

import gzip
import io
import json
import random
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent.parent / "shared/data"
DIM = 384
N_QUERIES = 2000  # half of them like the corpus, half of them unlike
SEED = 20261121


def clean(text):
    return " ".join(text.split())


def sentences(text):
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        sentence = clean(sentence)
        if 20 < len(sentence) < 300:
            yield sentence


def read_questions():
    with open(DATA / "questions/quora-dups-heldout/corpus.jsonl", encoding="utf-8") as lines:
        for line in lines:
            yield clean(json.loads(line)["text"])
    for path in sorted((DATA / "questions/opentriviaqa/categories").iterdir()):
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("#Q "):
                    yield clean(line[3:])


def read_answers():
    with gzip.open(DATA / "questions/medquad/qa.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield clean(record["question"])
            yield from sentences(record.get("answer") or "")


def read_corpora():
    for path in sorted((DATA / "corpora").glob("*.tar.*")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith((".txt", ".md", ".rst")):
                    file = io.TextIOWrapper(
                        archive.extractfile(member), encoding="utf-8", errors="replace")
                    yield from sentences(file.read())


def read_unlike():
    with open(DATA / "retrieval/scifact/corpus.jsonl", encoding="utf-8") as lines:
        for line in lines:
            yield clean(json.loads(line)["title"])


def encode(texts, kith, path):
    lines = path.with_suffix(".txt")
    lines.write_text("\n".join(texts) + "\n", encoding="utf-8")
    with open(path.with_suffix(".f32"), "wb") as out:
        subprocess.run([kith, "encode", "--format", "f32", lines], stdout=out, check=True)
    rows = np.fromfile(path.with_suffix(".f32"), dtype="<f4").reshape(-1, DIM)
    np.save(path, rows.astype(np.float16))
    path.with_suffix(".f32").unlink()
    lines.unlink()


def prepare(n_rows, kith, work):
    """Paths of the vectors and of the queries; minutes at the first call."""
    base, queries = work / f"ann-{n_rows}.npy", work / f"ann-{n_rows}-queries.npy"
    if base.exists() and queries.exists():
        return base, queries
    if not DATA.is_dir():
        sys.exit("ann: there is no ../shared/data: give --base and --queries")
    texts = []
    seen = set()
    for source in (read_questions(), read_answers(), read_corpora()):
        for text in source:
            if text and text not in seen and len(texts) < n_rows + N_QUERIES // 2:
                seen.add(text)
                texts.append(text)
    if len(texts) < n_rows + N_QUERIES // 2:
        sys.exit(f"ann: the data give {len(texts) - N_QUERIES // 2} rows at most")
    random.Random(SEED).shuffle(texts)
    like = texts[: N_QUERIES // 2]
    unlike = [text for text, _ in zip(read_unlike(), range(N_QUERIES // 2))]
    encode(like + unlike, kith, queries)
    encode(texts[N_QUERIES // 2 :], kith, base)
    return base, queries
