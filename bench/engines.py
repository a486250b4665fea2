"""The three encoders that bench/encode measures, behind one method."""

import logging
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.transformers import optimizer
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

BATCHES = (16, 32, 64)


class Peer:
    """An engine of this process; its batch is the one that is fastest on the texts."""

    batch = BATCHES[0]

    def embed(self, texts):
        raise NotImplementedError

    def seconds(self, texts):
        start = time.perf_counter()
        self.embed(texts)
        return time.perf_counter() - start

    def prepare(self, texts):
        """Warms up, and chooses the batch by a trial on some of the texts."""
        trial = texts[: max(256, len(texts) // 10)]
        times = {}
        for self.batch in BATCHES:
            self.embed(trial[:128])
            times[self.batch] = min(self.seconds(trial) for _ in range(2))
        self.batch = min(times, key=times.get)


class Torch(Peer):
    name = "sentence-transformers"

    def __init__(self, model, threads):
        torch.set_num_threads(threads)
        self.model = SentenceTransformer(str(model), device="cpu")

    def embed(self, texts):
        # Sorts by length itself.
        return self.model.encode(texts, batch_size=self.batch, show_progress_bar=False)


class Sentence(torch.nn.Module):
    """From ids to unit vectors, so that ONNX Runtime does the pooling too."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        hidden = self.bert(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
        ).last_hidden_state
        mask = attention_mask.unsqueeze(2).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)


INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export_onnx(model, config, path):
    """Writes the model as an ONNX graph with fused attention, GELU and layer norms."""
    warnings.filterwarnings("ignore", category=UserWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    # ONNX Runtime fuses the patterns of the plain attention code, traced.
    bert = SentenceTransformer(
        str(model), device="cpu", model_kwargs={"attn_implementation": "eager"}
    )[0].auto_model
    example = torch.ones(2, 9, dtype=torch.long)
    torch.onnx.export(
        Sentence(bert).eval(),
        (example, example, example),
        path,
        input_names=list(INPUTS),
        output_names=["vectors"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in INPUTS},
        opset_version=17,
        dynamo=False,
    )
    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    graph = optimizer.optimize_model(
        str(path),
        model_type="bert",
        num_heads=config["num_attention_heads"],
        hidden_size=config["hidden_size"],
        opt_level=1,
    )
    fused = graph.get_fused_operator_statistics()["Attention"]
    if fused != config["num_hidden_layers"]:
        raise RuntimeError(f"ONNX Runtime fused {fused} attention layers only")
    graph.save_model_to_file(str(path))


class Onnx(Peer):
    name = "ONNX Runtime"

    def __init__(self, model, config, max_tokens, threads, work):
        path = Path(work) / "model.onnx"
        export_onnx(model, config, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.no_padding()

    def embed(self, texts):
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        rows = [None] * len(ids)
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            shape = (len(part), len(ids[part[-1]]))
            feed = {name: np.zeros(shape, np.int64) for name in INPUTS}
            for row, i in enumerate(part):
                feed["input_ids"][row, : len(ids[i])] = ids[i]
                feed["attention_mask"][row, : len(ids[i])] = 1
            for i, vector in zip(part, self.session.run(None, feed)[0]):
                rows[i] = vector
        return np.stack(rows)


class Kith:
    """The program as people run it: its start and its reading are part of the time."""

    name = "kith"
    batch = "-"

    def __init__(self, program, threads, width, work):
        self.command = [program, "encode", "--format", "f32", "--threads", str(threads)]
        self.width = width
        self.file = Path(work) / "texts.txt"

    def run(self, texts, stdout):
        self.file.write_text("\n".join(texts) + "\n", encoding="utf-8")
        start = time.perf_counter()
        done = subprocess.run(
            [*self.command, str(self.file)], stdout=stdout, stderr=subprocess.PIPE
        )
        elapsed = time.perf_counter() - start
        if done.returncode != 0:
            message = done.stderr.decode("utf-8", "replace").strip()
            raise RuntimeError(f"kith encode ended with {done.returncode}: {message}")
        return elapsed, done.stdout

    def prepare(self, texts):
        self.seconds(texts[:256])

    def embed(self, texts):
        _, out = self.run(texts, subprocess.PIPE)
        return np.frombuffer(out, "<f4").reshape(len(texts), self.width)

    def seconds(self, texts):
        return self.run(texts, subprocess.DEVNULL)[0]
