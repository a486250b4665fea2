#!/usr/bin/env python3
"""compare and encode against sentence-transformers on the same sentences; by hand.

Every metric, pooling, token vector, word vector and average of word embeddings of kith in
fp32 has to be within 1e-4 of what the reference library gives. Prints the largest
difference of each. Scores of vectors that are not normalised, up to 140, are compared with
those of the reference's model in double: its floats alone are up to 7e-5 from them. Words are found in the reference by its own word boundaries (word_ids of
the fast tokenizer) and normaliser; stop words are read from docs/man/kith.1.

usage: inside_sentences.py KITH MODEL.kmodel MODEL_FOLDER

    $(bench/peers)/bin/python tests/parity/inside_sentences.py build/tools/kith \\
        ~/.local/share/kith/models/all-MiniLM-L6-v2.kmodel \\
        ~/.cache/kith/models/all-MiniLM-L6-v2
"""
import copy
import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

try:
    import numpy as np
    import torch
    from sentence_transformers import SentenceTransformer, util
except ImportError as missing:
    print(f"SKIP: {missing}: bench/peers makes an environment with it", file=sys.stderr)
    sys.exit(77)

TOLERANCE = 1e-4
ROOT = Path(__file__).resolve().parents[2]
WORD = "bank"

SENTENCES = [
    "Today is a sunny day",
    "The weather today is beautiful",
    "It's raining!",
    "Dogs are awesome",
    "Today is a sunny day",
    "I like this film very much",
    "I do not like this film at all",
    "",
    "   ",
    "The kids play in the park.",
    "The play was for kids in the park.",
    "the of and to in",
    "The river bank was flooded in spring.",
    "The savings bank was robbed; a bank-clerk called the BANK's owner.",
    "Bänk on it: bánk holidays, but no banks and no embankment.",
    "They don't know that we won't, can't and mustn't.",
    "Zoë paid 12.50 € for a crème brûlée at the café.",
    "Die Straße nach Köln führt über die Brücke.",
    "Москва – столица России.",
    "東京は日本の首都です。",
    "مرحبا بالعالم",
    "no space👍🏻between words and 🎉emoji🎉",
    "unbelievableness antidisestablishmentarianism xyzzyqwerty",
    "a" * 101,
    "[SEP] in the middle [MASK] of a sentence [UNK]",
    "SELECT name, COUNT(*) FROM people WHERE age >= 18 GROUP BY name;",
    "The bank lends money to the river authority. " * 40,
    "word " * 253 + "bank bank unbelievableness bank",
]
METRICS = {
    "cosine": util.cos_sim,
    "dot": util.dot_score,
    "euclidean": util.euclidean_sim,
    "manhattan": util.manhattan_sim,
}


class Kith:
    """The program, with the sentences as its input."""

    def __init__(self, program, model):
        self.program, self.model = program, model

    def run(self, command, *arguments, input_text=None, expected=0):
        done = subprocess.run(
            [self.program, command, "--precision", "fp32", "--model", self.model,
             *arguments], input=input_text, capture_output=True)
        if done.returncode != expected:
            sys.exit(f"{command} {arguments}: exit status {done.returncode}\n"
                     f"{done.stderr.decode()}")
        return done.stdout

    def encode(self, *arguments, expected=0):
        text = "".join(json.dumps({"text": s}) + "\n" for s in SENTENCES).encode()
        out = self.run("encode", "-", "--format", "jsonl", "--text-field", "text",
                       *arguments, input_text=text, expected=expected)
        return [json.loads(line) for line in out.decode().splitlines()]

    def matrix(self, *arguments):
        out = self.run("compare", "--matrix", "--json", *arguments, "--", *SENTENCES)
        return np.array(json.loads(out)["matrix"])

    def table(self, *arguments):
        out = self.run("compare", "--matrix", "--csv", *arguments, "--", *SENTENCES)
        rows = list(csv.reader(io.StringIO(out.decode(), newline="")))
        assert rows[0][1:] == SENTENCES and [row[0] for row in rows[1:]] == SENTENCES
        return np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])


class Reference:
    """The same, one sentence at a time."""

    def __init__(self, folder):
        self.model = SentenceTransformer(folder, device="cpu").eval().float()
        self.bert = self.model[0].auto_model
        self.precise_bert = copy.deepcopy(self.bert).double()
        self.tokenizer = self.model.tokenizer
        self.stopwords = read_stopwords()

    def vectors(self):
        return np.stack([self.model.encode(s, batch_size=1) for s in SENTENCES])

    def tokens(self):
        return [self.model.encode(s, output_value="token_embeddings").numpy()
                for s in SENTENCES]

    def pooled(self, mode, bert):
        rows = [self.run(s, bert) for s in SENTENCES]
        return np.stack([{"mean": hidden.mean(axis=0), "cls": hidden[0],
                          "max": hidden.max(axis=0), "pooler": pooler}[mode]
                         for hidden, pooler in rows])

    def run(self, sentence, bert):
        features = self.model.preprocess([sentence])
        with torch.no_grad():
            out = bert(input_ids=features["input_ids"],
                       attention_mask=features["attention_mask"])
        return out.last_hidden_state[0].numpy(), out.pooler_output[0].numpy()

    def normalise(self, text):
        return self.tokenizer.backend_tokenizer.normalizer.normalize_str(text).strip()

    def word_pieces(self, sentence, limit):
        """(spelling, pieces) of each word; pieces count [CLS]."""
        got = self.tokenizer(sentence, truncation=limit is not None, max_length=limit,
                             return_offsets_mapping=True)
        words = {}
        for piece, word in enumerate(got.word_ids()):
            if word is not None:
                words.setdefault(word, []).append(piece)
        offsets = got["offset_mapping"]
        return [(self.normalise(sentence[offsets[p[0]][0]:offsets[p[-1]][1]]), p)
                for p in words.values()]

    def word(self, limit):
        """The mean of the pieces of each occurrence that is whole within the limit."""
        rows = []
        for sentence in SENTENCES:
            whole = self.word_pieces(sentence, None)
            hidden = self.run(sentence, self.bert)[0]
            rows += [hidden[pieces].mean(axis=0) for spelling, pieces in whole
                     if spelling == WORD and pieces[-1] < limit - 1]
        return np.stack(rows)

    def static(self, drop):
        words = self.bert.get_input_embeddings().weight.detach()
        rows = []
        for sentence in SENTENCES:
            ids = self.tokenizer(sentence, truncation=False)["input_ids"]
            kept = list(range(1, len(ids) - 1))
            if drop:
                gone = {piece for spelling, pieces in self.word_pieces(sentence, None)
                        if spelling in self.stopwords for piece in pieces}
                kept = [piece for piece in kept if piece not in gone]
            rows.append(words[[ids[i] for i in kept]].mean(dim=0).numpy() if kept
                        else np.zeros(words.shape[1], dtype=np.float32))
        return np.stack(rows)


def read_stopwords():
    page = (ROOT / "docs/man/kith.1").read_text(encoding="utf-8")
    listed = page.split(".SH STOP WORDS")[1].split(".EX\n")[1].split(".EE")[0]
    return set(listed.split())


class Results:
    def __init__(self):
        self.good = True

    def compare(self, what, ours, theirs, note=""):
        if ours.shape != theirs.shape:
            self.good = False
            print(f"NOT OK {what}: {ours.shape} against {theirs.shape}")
            return
        largest = float(np.abs(ours - theirs).max())
        good = largest <= TOLERANCE
        self.good &= good
        print(f"{'ok    ' if good else 'NOT OK'} {what}: {ours.size} numbers up to "
              f"{np.abs(theirs).max():.4g}, largest difference {largest:.3g}{note}",
              flush=True)


def compare_metrics(results, what, vectors, matrix):
    """The reference's vectors through its score functions, in double: in float its euclidean
    distance of a sentence to itself is up to 0.01 (cdist by a matrix product). How far its
    float scores are from its double ones is printed too."""
    double = torch.from_numpy(vectors.astype(np.float64))
    single = double.float()
    for name, score in METRICS.items():
        exact = score(double, double).numpy()
        rounding = np.abs(score(single, single).numpy() - exact).max()
        results.compare(f"{what}, {name}", matrix(name), exact,
                        f"; the reference's own rounding {rounding:.2g}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    kith, reference, results = Kith(*sys.argv[1:3]), Reference(sys.argv[3]), Results()
    torch.set_num_threads(1)

    whole = reference.vectors()
    compare_metrics(results, "compare", whole, lambda m: kith.matrix("--metric", m))
    results.compare("compare --csv", kith.table(), util.cos_sim(whole, whole).numpy())
    scores = json.loads(kith.run("compare", "--json", "--", *SENTENCES))["scores"]
    results.compare("compare, the first alone", np.array(scores),
                    util.cos_sim(whole[:1], whole[1:]).numpy()[0])
    for mode in ("mean", "cls", "max", "pooler"):
        rows = reference.pooled(mode, reference.bert)
        ours = np.array([d["vector"] for d in kith.encode("--pooling", mode)])
        results.compare(f"encode --pooling {mode}", ours, rows)
        compare_metrics(results, f"compare --pooling {mode}",
                        reference.pooled(mode, reference.precise_bert),
                        lambda m: kith.matrix("--pooling", mode, "--metric", m))

    lines = kith.encode("--tokens")
    results.compare("encode --tokens", np.array([d["vector"] for d in lines]),
                    np.concatenate(reference.tokens()))
    lines = kith.encode("--word", WORD, expected=3)
    results.compare(f"encode --word {WORD}", np.array([d["vector"] for d in lines]),
                    reference.word(reference.model.max_seq_length))

    for drop in (False, True):
        options = ["--static", "--drop-stopwords"] if drop else ["--static"]
        rows = reference.static(drop)
        ours = np.array([d["vector"] for d in kith.encode(*options)])
        results.compare(f"encode {' '.join(options)}", ours, rows)
        compare_metrics(results, f"compare {' '.join(options)}", rows,
                        lambda m: kith.matrix(*options, "--metric", m))
    sys.exit(0 if results.good else 1)


if __name__ == "__main__":
    main()
