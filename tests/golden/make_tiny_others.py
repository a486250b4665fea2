"""Writes two more tiny models with seeded random weights, and what the reference library
makes of them: a DistilBERT encoder with Dense modules and prompts, and a cross-encoder.

    python make_tiny_others.py

Their tokenizer and texts are those of the tiny model. Called by make_golden.py.
"""

import json
import os
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import numpy as np
import torch
from safetensors.numpy import save_file
from sentence_transformers import CrossEncoder, SentenceTransformer

from make_tiny_model import VOCABULARY, tokenizer, vocabulary
from texts import TEXTS

HERE = Path(__file__).resolve().parent
HIDDEN = 24
HEADS = 3
INNER = 40
POSITIONS = 40
TINY_TEXTS = TEXTS[::4]
PROMPTS = {"query": "find: ", "document": "", "passage": "the text says "}


class Tensors:
    """Weights at scales like those of trained ones."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.all = {}

    def normal(self, name, std, *shape, mean=0.0):
        values = mean + std * self.rng.standard_normal(shape)
        self.all[name] = values.astype(np.float32)

    def dense(self, name, n_out, n_in, bias=True):
        self.normal(f"{name}.weight", 1.2 / n_in**0.5, n_out, n_in)
        if bias:
            self.normal(f"{name}.bias", 0.2, n_out)

    def norm(self, name):
        self.normal(f"{name}.weight", 0.2, HIDDEN, mean=1.0)
        self.normal(f"{name}.bias", 0.1, HIDDEN)

    def embeddings(self, prefix, n_types):
        name = prefix + "embeddings."
        self.normal(name + "word_embeddings.weight", 0.5, VOCABULARY, HIDDEN)
        self.normal(name + "position_embeddings.weight", 0.3, POSITIONS, HIDDEN)
        if n_types > 0:
            self.normal(name + "token_type_embeddings.weight", 0.3, n_types, HIDDEN)
        self.norm(name + "LayerNorm")

    def save(self, path):
        save_file(self.all, path, metadata={"format": "pt"})
        path.chmod(0o644)


def distilbert_weights():
    t = Tensors(1)
    t.embeddings("distilbert.", 0)
    layer = "distilbert.transformer.layer.0."
    for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
        t.dense(f"{layer}attention.{name}", HIDDEN, HIDDEN)
    t.norm(layer + "sa_layer_norm")
    t.dense(layer + "ffn.lin1", INNER, HIDDEN)
    t.dense(layer + "ffn.lin2", HIDDEN, INNER)
    t.norm(layer + "output_layer_norm")
    return t


def cross_encoder_weights():
    t = Tensors(2)
    t.embeddings("bert.", 2)
    layer = "bert.encoder.layer.0."
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        t.dense(f"{layer}attention.{name}", HIDDEN, HIDDEN)
    t.norm(layer + "attention.output.LayerNorm")
    t.dense(layer + "intermediate.dense", INNER, HIDDEN)
    t.dense(layer + "output.dense", HIDDEN, INNER)
    t.norm(layer + "output.LayerNorm")
    t.dense("bert.pooler.dense", HIDDEN, HIDDEN)
    t.dense("classifier", 3, HIDDEN)
    return t


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n")


def write_tokenizer(folder, max_tokens):
    write_json(folder / "tokenizer.json", tokenizer(vocabulary()))
    config = {"tokenizer_class": "BertTokenizer", "model_max_length": max_tokens}
    write_json(folder / "tokenizer_config.json", config)


def dense_config(n_in, n_out, bias, activation):
    return {
        "in_features": n_in,
        "out_features": n_out,
        "bias": bias,
        "activation_function": f"torch.nn.modules.{activation}",
    }


def write_distilbert(folder):
    """Transformer in a folder of its own, [CLS], Dense twice, Normalize, prompts."""
    transformer = folder / "0_Transformer"
    kinds = ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": f"{i}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, kind in enumerate(kinds)
    ]
    write_json(folder / "modules.json", modules)
    write_json(
        transformer / "config.json",
        {
            "architectures": ["DistilBertForMaskedLM"],
            "model_type": "distilbert",
            "dim": HIDDEN,
            "n_layers": 1,
            "n_heads": HEADS,
            "hidden_dim": INNER,
            "activation": "gelu",
            "vocab_size": VOCABULARY,
            "max_position_embeddings": POSITIONS,
        },
    )
    write_tokenizer(transformer, 28)
    distilbert_weights().save(transformer / "model.safetensors")
    write_json(
        folder / "1_Pooling" / "config.json",
        {"embedding_dimension": HIDDEN, "pooling_mode": "cls", "include_prompt": True},
    )
    first, second = folder / "2_Dense", folder / "3_Dense"
    write_json(first / "config.json", dense_config(HIDDEN, 20, True, "activation.Tanh"))
    write_json(second / "config.json", dense_config(20, 12, False, "linear.Identity"))
    for path, seed, shape in ((first, 3, (20, HIDDEN, True)), (second, 4, (12, 20, False))):
        t = Tensors(seed)
        t.dense("linear", *shape)
        t.save(path / "model.safetensors")
    (folder / "4_Normalize").mkdir(exist_ok=True)
    write_json(folder / "config_sentence_transformers.json", {"prompts": PROMPTS})


def write_cross_encoder(folder):
    """Three labels, and, which is unusual, the sigmoid of each."""
    write_json(
        folder / "config.json",
        {
            "architectures": ["BertForSequenceClassification"],
            "model_type": "bert",
            "hidden_size": HIDDEN,
            "num_hidden_layers": 1,
            "num_attention_heads": HEADS,
            "intermediate_size": INNER,
            "hidden_act": "gelu",
            "vocab_size": VOCABULARY,
            "max_position_embeddings": POSITIONS,
            "type_vocab_size": 2,
            "id2label": {str(i): f"LABEL_{i}" for i in range(3)},
            "sentence_transformers": {
                "activation_fn": "torch.nn.modules.activation.Sigmoid"
            },
        },
    )
    write_tokenizer(folder, 32)
    cross_encoder_weights().save(folder / "model.safetensors")


def write_rows(name, rows):
    rows = np.asarray(rows, dtype="<f4")
    assert np.isfinite(rows).all()
    rows.tofile(HERE / name)
    print(f"{name}: {rows.shape[0]} x {rows.shape[1]}, of texts {rows.std(0).mean():.3f}")


def write_vectors(folder):
    model = SentenceTransformer(str(folder), device="cpu").eval().float()
    for name, prompt in (("none", None), ("query", "query"), ("passage", "passage")):
        rows = model.encode(
            TINY_TEXTS,
            prompt=PROMPTS[prompt] if prompt else None,
            batch_size=1,
            show_progress_bar=False,
        )
        write_rows(f"tiny-distilbert-{name}.f32", rows)


def write_scores(folder):
    """tiny-pairs.jsonl: the second text of each pair and the ids of both; the first is the
    text of this line in tiny-texts.jsonl."""
    n = len(TINY_TEXTS)
    model = CrossEncoder(str(folder), device="cpu")
    pairs = [(TINY_TEXTS[i], TINY_TEXTS[(3 * i + 1) % n]) for i in range(n)]
    with open(HERE / "tiny-pairs.jsonl", "w", encoding="ascii") as out:
        for a, b in pairs:
            ids = model.tokenizer(a, b, truncation=True)["input_ids"]
            line = {"t": b, "ids": ids}
            out.write(json.dumps(line, separators=(",", ":")) + "\n")
    raw = torch.nn.Identity()
    for name, activation in (("logits", raw), ("scores", None)):
        rows = model.predict(
            pairs, activation_fn=activation, batch_size=1, show_progress_bar=False
        )
        write_rows(f"tiny-{name}.f32", rows)


def write():
    """Writes both models and their files, over those that are there."""
    write_distilbert(HERE / "tiny-distilbert")
    write_cross_encoder(HERE / "tiny-cross-encoder")
    write_vectors(HERE / "tiny-distilbert")
    write_scores(HERE / "tiny-cross-encoder")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write()
