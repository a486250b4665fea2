"""Makes the golden set beside this file with the reference libraries (bench/peers).

    python make_golden.py MODEL_DIR

MODEL_DIR is the sentence-transformers folder of all-MiniLM-L6-v2. The tiny models are
made anew too. One text at a time, so that nothing is padded; fp32; one thread.
"""

import json
import os
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

import make_tiny_model
import make_tiny_others
from texts import TEXTS

HERE = Path(__file__).resolve().parent
POOLED_ROWS = 8  # texts that also get [CLS], max and pooler vectors
TINY_TEXTS = TEXTS[::4]


class Reference:
    """A model folder as sentence-transformers runs it."""

    def __init__(self, folder):
        self.model = SentenceTransformer(str(folder), device="cpu").eval().float()
        self.bert = self.model[0].auto_model
        self.limit = self.model.max_seq_length
        self.tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def tokenize(self, text):
        """The ids that the model is fed, and how many there are before truncation."""
        ids = self.tokenizer.encode(text).ids
        fed = ids if len(ids) <= self.limit else ids[: self.limit - 1] + ids[-1:]
        assert fed == self.model.preprocess([text])["input_ids"][0].tolist(), text
        return fed, len(ids)

    def embed(self, text):
        """The vector of the model as its modules.json makes it."""
        return self.model.encode(text, batch_size=1, show_progress_bar=False)

    def run(self, ids):
        """The last layer's rows of one sequence, and what the pooler makes of it."""
        with torch.no_grad():
            out = self.bert(input_ids=torch.tensor([ids]))
        return out.last_hidden_state[0], out.pooler_output[0]

    def average_words(self, text):
        """The mean of the input word embeddings of all pieces but [CLS] and [SEP]."""
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        words = self.bert.get_input_embeddings().weight.detach().double()
        if not ids:
            return np.zeros(words.shape[1])
        return words[torch.tensor(ids)].mean(dim=0).numpy()


def write_vectors(name, rows):
    rows = np.asarray(rows, dtype="<f4")
    assert np.isfinite(rows).all()
    rows.tofile(HERE / name)
    print(f"{name}: {rows.shape[0]} x {rows.shape[1]}")


def write_set(reference, texts, prefix):
    """Writes PREFIXtexts.jsonl and its vectors."""
    tokens = [reference.tokenize(text) for text in texts]
    with open(HERE / f"{prefix}texts.jsonl", "w", encoding="ascii") as out:
        for text, (ids, full) in zip(texts, tokens):
            line = {"t": text, "ids": ids, "full": full}
            out.write(json.dumps(line, separators=(",", ":")) + "\n")
    write_vectors(f"{prefix}vectors.f32", [reference.embed(text) for text in texts])
    runs = [reference.run(ids) for ids, _ in tokens[:POOLED_ROWS]]
    hidden = [rows.numpy() for rows, _ in runs]
    write_vectors(f"{prefix}cls.f32", [rows[0] for rows in hidden])
    write_vectors(f"{prefix}max.f32", [rows.max(axis=0) for rows in hidden])
    write_vectors(f"{prefix}pooler.f32", [pooled.numpy() for _, pooled in runs])
    return hidden


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    write_set(Reference(sys.argv[1]), TEXTS, "")
    tiny = HERE / "tiny-model"
    make_tiny_model.write(tiny)
    reference = Reference(tiny)
    hidden = write_set(reference, TINY_TEXTS, "tiny-")
    write_vectors("tiny-hidden.f32", np.concatenate(hidden))
    write_vectors("tiny-static.f32", [reference.average_words(t) for t in TINY_TEXTS])
    make_tiny_others.write()


if __name__ == "__main__":
    main()
