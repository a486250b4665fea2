"""Writes a tiny sentence-transformers folder with seeded random weights.

For tests that need a model but not its meaning. Its sizes, special ids, epsilon and
length differ from those of all-MiniLM-L6-v2, so that code which assumes those fails
here. Called by make_golden.py.
"""

import json
import re
from collections import Counter

import numpy as np
from safetensors.numpy import save_file

from texts import TEXTS

HIDDEN = 48
LAYERS = 2
HEADS = 4
INTERMEDIATE = 96
POSITIONS = 64
MAX_TOKENS = 32
VOCABULARY = 400
SEED = 20261121

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
# Letters of some other scripts, so that not every foreign word is [UNK]; the jamo are
# those of a decomposed syllable.
FOREIGN = "ßøıσςжя東京天气かא中\u1100\u1161\u11a8"
ENDINGS = "es ed ing er ers est ly ion tion al able ness ment ful less th ty".split()


def vocabulary():
    """Specials, printable ASCII, continuations, endings, and the commonest words."""
    ascii_chars = [chr(c) for c in range(0x21, 0x7F) if not chr(c).isupper()]
    pieces = SPECIALS + ascii_chars + ["##" + c for c in LETTERS + FOREIGN]
    pieces += list(FOREIGN) + ["##" + ending for ending in ENDINGS]
    words = Counter(re.findall(r"\b[a-z]{2,12}\b", " ".join(TEXTS).lower()))
    # Ties by spelling: the order in which words are met must not matter.
    by_count = sorted(words, key=lambda word: (-words[word], word))
    pieces += by_count[: VOCABULARY - len(pieces)]
    assert len(pieces) == len(set(pieces)) == VOCABULARY
    return pieces


def weights():
    """Tensors under the names of a BertModel, at scales like those of trained ones."""
    rng = np.random.default_rng(SEED)

    def normal(std, *shape, mean=0.0):
        return (mean + std * rng.standard_normal(shape)).astype(np.float32)

    tensors = {}

    def dense(name, n_out, n_in):
        # 1.2 / sqrt(n_in) keeps the variance of activations near that of the input.
        tensors[f"{name}.weight"] = normal(1.2 / n_in**0.5, n_out, n_in)
        tensors[f"{name}.bias"] = normal(0.05, n_out)

    def layer_norm(name):
        tensors[f"{name}.weight"] = normal(0.1, HIDDEN, mean=1.0)
        tensors[f"{name}.bias"] = normal(0.05, HIDDEN)

    tensors["embeddings.word_embeddings.weight"] = normal(0.06, VOCABULARY, HIDDEN)
    tensors["embeddings.position_embeddings.weight"] = normal(0.02, POSITIONS, HIDDEN)
    tensors["embeddings.token_type_embeddings.weight"] = normal(0.02, 2, HIDDEN)
    layer_norm("embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        for name in ("query", "key", "value"):
            dense(f"{layer}.attention.self.{name}", HIDDEN, HIDDEN)
        dense(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
        layer_norm(f"{layer}.attention.output.LayerNorm")
        dense(f"{layer}.intermediate.dense", INTERMEDIATE, HIDDEN)
        dense(f"{layer}.output.dense", HIDDEN, INTERMEDIATE)
        layer_norm(f"{layer}.output.LayerNorm")
    dense("pooler.dense", HIDDEN, HIDDEN)
    return tensors


def config():
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "vocab_size": VOCABULARY,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
    }


def tokenizer(pieces):
    ids = {piece: i for i, piece in enumerate(pieces)}

    def special(token):
        return {"id": token, "ids": [ids[token]], "tokens": [token]}

    def added(token):
        return {
            "id": ids[token],
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }

    def template(parts):
        return [
            {kind: {"id": name, "type_id": type_id}} for kind, name, type_id in parts
        ]

    cls, sep = ("SpecialToken", "[CLS]", 0), ("SpecialToken", "[SEP]", 0)
    single = [cls, ("Sequence", "A", 0), sep]
    pair = single + [("Sequence", "B", 1), ("SpecialToken", "[SEP]", 1)]
    return {
        "version": "1.0",
        # Shorter than MAX_TOKENS, and padded: both must be ignored, as for MiniLM.
        "truncation": {"max_length": 16, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 16},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": [added(token) for token in SPECIALS],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": template(single),
            "pair": template(pair),
            "special_tokens": {"[CLS]": special("[CLS]"), "[SEP]": special("[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }


def write(folder):
    """Writes the model's files into the folder, over those that are there."""
    pieces = vocabulary()
    module = "sentence_transformers.models."
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": module + "Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": module + "Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": module + "Normalize"},
    ]
    pooling = {"word_embedding_dimension": HIDDEN} | {
        f"pooling_mode_{mode}": mode == "mean_tokens"
        for mode in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    }
    special_tokens = {f"{piece[1:-1].lower()}_token": piece for piece in SPECIALS}
    files = {
        "config.json": config(),
        "tokenizer.json": tokenizer(pieces),
        "tokenizer_config.json": special_tokens
        | {"do_lower_case": True, "tokenizer_class": "BertTokenizer"},
        "modules.json": modules,
        "sentence_bert_config.json": {
            "max_seq_length": MAX_TOKENS,
            "do_lower_case": False,
        },
        "1_Pooling/config.json": pooling,
    }
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
        (folder / name).write_text(text, encoding="ascii")
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    save_file(weights(), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
