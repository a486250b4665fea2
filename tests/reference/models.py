#!/usr/bin/env python3
"""Models of every class that kith takes, made by the reference library with seeded random
weights, imported and compared with it in fp32. By hand:

    $(bench/peers)/bin/python tests/reference/models.py build/tools/kith build/libkith.so

Prints TAP, with the largest difference of each model. Without the libraries that
bench/peers installs it says so and skips everything.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"
try:
    import numpy as np
    import torch
    import transformers
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Normalize,
        Pooling,
        Transformer,
    )
    from transformers import AutoTokenizer
except ImportError as missing:
    print(f"1..0 # SKIP {missing}: bench/peers makes an environment that has it")
    sys.exit(0)

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TOKENIZER = GOLDEN / "tiny-model"
VOCABULARY = 400
TOLERANCE = 5e-5
POSITIONS = 96
sys.path.insert(0, str(GOLDEN))
from texts import TEXTS  # noqa: E402

PAIRS = [(TEXTS[i], TEXTS[(7 * i + 3) % len(TEXTS)]) for i in range(len(TEXTS))]

n_tests = 0
n_failed = 0


def report(name, good, detail):
    global n_tests, n_failed
    n_tests += 1
    n_failed += not good
    print(f"{'ok' if good else 'not ok'} {n_tests} - {name} # {detail}", flush=True)


# ---------------------------------------------------------------- kith


class Text(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("n_bytes", ctypes.c_size_t)]


class Pair(ctypes.Structure):
    _fields_ = [("first", Text), ("second", Text)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("errno", ctypes.c_int),
                ("message", ctypes.c_char * 496)]  # fmt: skip


class ModelOpts(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("precision", ctypes.c_int),
                ("n_threads", ctypes.c_uint), ("cpu", ctypes.c_char_p)]  # fmt: skip


class ScoreOpts(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("logits", ctypes.c_bool)]


def text_of(text):
    data = text.encode()
    return Text(data, len(data))


class Kith:
    def __init__(self, program, library, home):
        self.program = program
        self.library = ctypes.CDLL(library)
        self.home = home

    def run(self, *args, text=None):
        return subprocess.run(
            [self.program, *args],
            input=text,
            check=True,
            capture_output=True,
            env=os.environ | {"KITH_HOME": self.home},
        ).stdout

    def model(self, folder, *options):
        """Imports a folder; the path of the model."""
        return self.run("model", "import", folder, *options).decode().strip()

    def encode(self, model, texts, *options, precision="fp32"):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        out = self.run("encode", "-", "--model", model, "--precision", precision, "-q",
                       "--text-field", "text", *options, text=lines.encode())  # fmt: skip
        return np.frombuffer(out, "<f4").reshape(len(texts), -1)

    def ids(self, model, texts):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        out = self.run("tokens", "--jsonl", "-", "--model", model, "--text-field", "text",
                       text=lines.encode())  # fmt: skip
        return [json.loads(line)["ids"] for line in out.splitlines()]

    def score(self, path, pairs, n_labels, logits, precision=1):
        error = Error()
        model = ctypes.c_void_p()
        opts = ModelOpts(ctypes.sizeof(ModelOpts), precision, 2, None)
        scoring = ScoreOpts(ctypes.sizeof(ScoreOpts), logits)
        scores = np.zeros((len(pairs), n_labels), np.float32)
        n_dropped = np.zeros(len(pairs), np.uint32)
        given = (Pair * len(pairs))(*[Pair(text_of(a), text_of(b)) for a, b in pairs])
        assert self.library.kith_model_open(
            path.encode(), ctypes.byref(opts), ctypes.byref(model), ctypes.byref(error)
        ) == 0, error.message  # fmt: skip
        assert self.library.kith_model_score(
            model, given, ctypes.c_size_t(len(pairs)), ctypes.byref(scoring),
            scores.ctypes.data_as(ctypes.c_void_p),
            n_dropped.ctypes.data_as(ctypes.c_void_p), ctypes.byref(error)
        ) == 0, error.message  # fmt: skip
        self.library.kith_model_close(model)
        return scores, n_dropped


# ---------------------------------------------------------------- reference


def randomize(model, seed):
    """Weights of the size that trained ones have: the default ones hide differences."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in name.lower() and name.endswith("weight"):
                p.copy_(1 + 0.2 * noise)
            elif "embeddings" in name:
                p.copy_(0.5 * noise)
            elif name.endswith("bias"):
                p.copy_(0.1 * noise)
            else:
                p.copy_(noise * 1.2 / p.shape[-1] ** 0.5)
    return model


def make(folder, kind, seed, **shape):
    """A transformers model of a class, saved with the tiny model's tokenizer."""
    config_class = transformers.DistilBertConfig if "Distil" in kind else (
        transformers.BertConfig)  # fmt: skip
    config = config_class(vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, **shape)
    model = randomize(getattr(transformers, kind)(config), seed).eval()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)
    return folder


def bert(width, layers, heads, inner, **more):
    return dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
                intermediate_size=inner, **more)  # fmt: skip


def distil(width, layers, heads, inner, **more):
    return dict(dim=width, n_layers=layers, n_heads=heads, hidden_dim=inner, **more)


def dense(n_in, n_out, seed, **more):
    return randomize(Dense(n_in, n_out, **more), seed)


class Check:
    def __init__(self, kith, work):
        self.kith = kith
        self.work = work

    def folder(self, name):
        return str(self.work / name)

    def encoder(self, name, kind, shape, pooling="mean", tail=None, prompts=None,
                options=(), length=64):  # fmt: skip
        """One encoder: ids, vectors without and with prompts, int8."""
        width = shape.get("hidden_size") or shape["dim"]
        plain = make(self.folder(name + "-plain"), kind, len(name), **shape)
        tail = [Normalize()] if tail is None else tail
        model = SentenceTransformer(
            modules=[Transformer(plain, max_seq_length=length), Pooling(width, pooling), *tail],
            prompts=prompts,
        ).eval()  # fmt: skip
        model.save(self.folder(name))
        if "For" in kind:  # the tensors with their prefix, as a model with a head has them
            os.replace(f"{plain}/model.safetensors", f"{self.folder(name)}/model.safetensors")
        path = self.kith.model(self.folder(name), *options)
        ids = self.kith.ids(path, TEXTS)
        theirs = model.tokenizer(TEXTS, truncation=True, max_length=length)["input_ids"]
        report(f"{name}: ids", ids == theirs, f"{len(ids)} texts")
        self.vectors(name, path, model, None)
        for key in ("query", "passage"):
            if prompts and prompts.get(key):
                self.vectors(name, path, model, prompts[key], "--prompt", key)
        return path, model

    def vectors(self, name, path, model, prompt, *options):
        reference = model.encode(TEXTS, prompt=prompt, batch_size=1, show_progress_bar=False)
        ours = self.kith.encode(path, TEXTS, *options)
        worst = np.abs(ours - reference).max() if ours.shape == reference.shape else np.inf
        coarse = self.kith.encode(path, TEXTS, *options, precision="int8")
        cosine = (ours * coarse).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(
            coarse, axis=1)  # fmt: skip
        spread = reference.std(0).mean()
        label = f"{name}{' ' + options[1] if options else ''}"
        report(f"{label}: {ours.shape[1]} dimensions", worst <= TOLERANCE,
               f"difference {worst:.1e}, of texts {spread:.2f}, int8 {cosine.mean():.5f}")  # fmt: skip

    def cross_encoder(self, name, kind, shape, n_labels, activation=None, as_saved=True):
        folder = make(self.folder(name), kind, len(name) + n_labels, num_labels=n_labels,
                      **shape)  # fmt: skip
        config = Path(folder) / "config.json"
        if activation is not None:
            content = json.loads(config.read_text())
            content.update(activation)
            config.write_text(json.dumps(content))
        model = CrossEncoder(folder)
        model.eval()
        if as_saved:
            folder = self.folder(name + "-saved")
            model.save_pretrained(folder)
        path = self.kith.model(folder)
        for logits in (True, False):
            function = torch.nn.Identity() if logits else None
            theirs = model.predict(PAIRS, activation_fn=function, batch_size=1,
                                   show_progress_bar=False).reshape(len(PAIRS), -1)  # fmt: skip
            ours, n_dropped = self.kith.score(path, PAIRS, n_labels, logits)
            worst = np.abs(ours - theirs).max()
            coarse, _ = self.kith.score(path, PAIRS, n_labels, logits, precision=2)
            alike = np.corrcoef(ours.ravel(), coarse.ravel())[0, 1]
            report(f"{name}: {n_labels} {'logits' if logits else 'scores'}",
                   worst <= TOLERANCE,
                   f"difference {worst:.1e}, of pairs {theirs.std(0).mean():.2f}, "
                   f"{(n_dropped > 0).sum()} of {len(PAIRS)} cut, int8 {alike:.5f}")  # fmt: skip


def encoders(check):
    check.encoder("bert-128", "BertModel", bert(128, 2, 2, 512))
    check.encoder("bert-312", "BertModel", bert(312, 4, 12, 1200), pooling="cls")
    check.encoder("bert-768", "BertModel", bert(768, 4, 12, 3072))
    check.encoder("bert-1024", "BertModel", bert(1024, 2, 16, 4096), pooling="max")
    check.encoder("bert-24-layers", "BertModel", bert(256, 24, 4, 1024))
    check.encoder("bert-prefix", "BertForMaskedLM", bert(128, 2, 4, 200, hidden_act="relu"))
    check.encoder("bert-tokenizer-length", "BertModel", bert(128, 2, 2, 128), length=None)
    check.encoder("distilbert", "DistilBertModel", distil(192, 3, 6, 700))
    check.encoder("distilbert-prefix", "DistilBertForMaskedLM", distil(312, 2, 12, 640),
                  pooling="cls")  # fmt: skip
    check.encoder("dense-tanh", "BertModel", bert(128, 2, 2, 256),
                  tail=[dense(128, 72, 1), Normalize()])  # fmt: skip
    check.encoder("dense-no-bias", "DistilBertModel", distil(128, 2, 2, 256),
                  tail=[dense(128, 300, 2, bias=False,
                              activation_function=torch.nn.Identity()), Normalize()])  # fmt: skip
    check.encoder("dense-last", "BertModel", bert(128, 2, 2, 256), tail=[dense(128, 40, 3)])
    check.encoder("dense-twice", "BertModel", bert(128, 2, 2, 256),
                  tail=[Normalize(), dense(128, 200, 4), dense(200, 50, 5), Normalize()])  # fmt: skip
    check.encoder("prompts", "BertModel", bert(128, 2, 2, 256),
                  prompts={"query": "query: ", "passage": "passage: "})  # fmt: skip
    check.encoder("instruction", "BertModel", bert(128, 2, 2, 256), pooling="cls",
                  prompts={"query": "Represent this sentence: "})  # fmt: skip


def given_prompts(check):
    path, model = check.encoder("given", "BertModel", bert(128, 2, 2, 256),
                                options=("--query-prompt", "ask:", "--passage-prompt", "é "))  # fmt: skip
    check.vectors("given", path, model, "ask:", "--prompt", "query")
    check.vectors("given", path, model, "é ", "--prompt", "passage")


def cross_encoders(check):
    old = "sbert_ce_default_activation_function"
    identity = "torch.nn.modules.linear.Identity"
    check.cross_encoder("ce-1", "BertForSequenceClassification", bert(312, 3, 12, 1200), 1)
    check.cross_encoder("ce-3", "BertForSequenceClassification", bert(128, 4, 2, 512), 3)
    check.cross_encoder("ce-plain", "BertForSequenceClassification", bert(384, 2, 12, 1536),
                        1, as_saved=False)  # fmt: skip
    check.cross_encoder("ce-old-identity", "BertForSequenceClassification",
                        bert(128, 2, 2, 512), 1, {old: identity}, as_saved=False)  # fmt: skip
    check.cross_encoder("ce-identity", "BertForSequenceClassification", bert(128, 2, 2, 512),
                        1, {"sentence_transformers": {"activation_fn": identity}}, as_saved=False)  # fmt: skip
    check.cross_encoder("ce-distilbert", "DistilBertForSequenceClassification",
                        distil(192, 3, 6, 700), 2)  # fmt: skip


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as work:
        kith = Kith(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), work + "/home")
        check = Check(kith, Path(work))
        encoders(check)
        given_prompts(check)
        cross_encoders(check)
    print(f"1..{n_tests}")
    sys.exit(n_failed > 0)


if __name__ == "__main__":
    main()
