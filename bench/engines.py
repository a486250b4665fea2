"""The encoders that bench/encode measures, behind one set of methods.

Each library is loaded by the engine that needs it, in the process of that engine (see
workers.py), so that nothing of one peer is in the way of another.
"""

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

import exports

BATCHES = (16, 32, 64)
WARM_CALLS, CALLS = 20, 200  # of the latency


@dataclass
class Settings:
    """What all engines get."""

    model: Path
    work: Path
    threads: int
    kith: str  # the program
    kernels: str | None  # of kith; None: its choice
    hold_avx512: bool  # OpenVINO does not use AMX


def make_tokenizer(model):
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    config = json.loads((model / "sentence_bert_config.json").read_text())
    tokenizer.enable_truncation(config["max_seq_length"])
    tokenizer.no_padding()
    return tokenizer


class Peer:
    """A library; its batch is the one that is fastest on the texts."""

    batch = BATCHES[0]

    def embed(self, texts):
        """An array with the unit vectors of the texts, in their order."""
        raise NotImplementedError

    def seconds(self, texts):
        start = time.perf_counter()
        self.embed(texts)
        return time.perf_counter() - start

    def prepare(self, texts):
        """Warms up, chooses the batch by a trial on some of the texts; returns it."""
        trial = texts[: max(128, len(texts) // 10)]
        times = {}
        for self.batch in BATCHES:
            self.embed(trial[:64])
            times[self.batch] = min(self.seconds(trial) for _ in range(2))
        self.batch = min(times, key=times.get)
        return self.batch

    def latency(self, text):
        """Seconds of one text alone, warm: the median."""
        times = [self.seconds([text]) for _ in range(WARM_CALLS + CALLS)]
        return statistics.median(times[WARM_CALLS:])


class Torch(Peer):
    def __init__(self, settings, say):
        import torch
        from sentence_transformers import SentenceTransformer

        self.about = (
            f"sentence-transformers {version('sentence-transformers')}, "
            f"torch {version('torch')}"
        )
        torch.set_num_threads(settings.threads)
        self.model = SentenceTransformer(str(settings.model), device="cpu")

    def embed(self, texts):
        # Sorts by length itself.
        return self.model.encode(texts, batch_size=self.batch, show_progress_bar=False)


class Batched(Peer):
    """A library that takes ids: tokenized, sorted by length and cut in batches here."""

    def __init__(self, settings):
        self.tokenizer = make_tokenizer(settings.model)

    def run(self, ids):
        """The vectors of a batch of lists of ids, the longest one last."""
        raise NotImplementedError

    def embed(self, texts):
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        rows = [None] * len(ids)
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            for i, vector in zip(part, self.run([ids[i] for i in part])):
                rows[i] = vector
        return np.stack(rows)


def pad(ids):
    """The three inputs of BERT, padded to the longest text, which is the last one."""
    shape = (len(ids), len(ids[-1]))
    feed = {name: np.zeros(shape, np.int64) for name in exports.INPUTS}
    for row, text_ids in enumerate(ids):
        feed["input_ids"][row, : len(text_ids)] = text_ids
        feed["attention_mask"][row, : len(text_ids)] = 1
    return feed


class Onnx(Batched):
    kind = "onnx"

    def __init__(self, settings, say):
        super().__init__(settings)
        import onnxruntime

        self.about = f"ONNX Runtime {version('onnxruntime')}"
        folder = exports.ready_model(settings.model, settings.work, self.kind, say)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def run(self, ids):
        return self.session.run(None, pad(ids))[0]


class OnnxInt8(Onnx):
    kind = "onnx-int8"


class OpenVino(Batched):
    kind = "openvino"
    # Otherwise OpenVINO computes in bf16 where the CPU has it.
    options = {"INFERENCE_PRECISION_HINT": "f32"}

    def __init__(self, settings, say):
        super().__init__(settings)
        exports.forbid_telemetry()
        if settings.hold_avx512:
            os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_BF16"
        import openvino

        self.about = f"OpenVINO {version('openvino')}"
        if settings.hold_avx512:
            self.about += ", held to AVX-512"
        folder = exports.ready_model(settings.model, settings.work, self.kind, say)
        threads = {"INFERENCE_NUM_THREADS": settings.threads, "NUM_STREAMS": 1}
        self.compiled = openvino.compile_model(
            folder / "model.xml", "CPU", threads | self.options
        )

    def run(self, ids):
        return self.compiled(pad(ids))[0]


class OpenVinoInt8(OpenVino):
    kind = "openvino-int8"
    options = {}  # what is not int8 in the precision that it finds best


class CTranslate2(Batched):
    kind = "ctranslate2-int8"

    def __init__(self, settings, say):
        super().__init__(settings)
        import ctranslate2

        self.about = f"CTranslate2 {version('ctranslate2')}"
        folder = exports.ready_model(settings.model, settings.work, self.kind, say)
        self.encoder = ctranslate2.Encoder(
            str(folder),
            device="cpu",
            compute_type="int8",
            inter_threads=1,
            intra_threads=settings.threads,
        )

    def run(self, ids):
        hidden = np.asarray(self.encoder.forward_batch(ids).last_hidden_state)
        lengths = np.array([[len(text_ids)] for text_ids in ids])
        weights = (np.arange(hidden.shape[1]) < lengths).astype(np.float32) / lengths
        mean = np.einsum("bl,bld->bd", weights, hidden)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)


class Kith:
    """The program as people run it: its start and its reading are part of the time."""

    precision = "fp32"
    batch = "-"

    def __init__(self, settings, say):
        self.program = settings.kith
        self.about = f"kith {self.precision}"
        if settings.kernels:
            os.environ["KITH_CPU"] = settings.kernels
            self.about += f", KITH_CPU={settings.kernels}"
        options = ["--format", "f32", "--precision", self.precision]
        self.command = [self.program, "encode", *options, "--quiet"]
        self.command += ["--threads", str(settings.threads)]
        config = json.loads((settings.model / "config.json").read_text())
        self.width = config["hidden_size"]
        self.file = settings.work / f"texts-{self.precision}.txt"
        self.embed(["the program runs, and has this precision"])

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
        return self.batch

    def embed(self, texts):
        _, out = self.run(texts, subprocess.PIPE)
        return np.frombuffer(out, "<f4").reshape(len(texts), self.width)

    def seconds(self, texts):
        return self.run(texts, subprocess.DEVNULL)[0]

    def latency(self, text):
        """Of one process that answers line by line: the pipes are part of the time."""
        line = text.encode() + b"\n"
        times = []
        with subprocess.Popen(
            [*self.command, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            for _ in range(WARM_CALLS + CALLS):
                start = time.perf_counter()
                process.stdin.write(line)
                process.stdin.flush()
                vector = process.stdout.read(4 * self.width)
                times.append(time.perf_counter() - start)
                if len(vector) != 4 * self.width:
                    raise RuntimeError("kith encode ended before its input did")
            process.stdin.close()
        return statistics.median(times[WARM_CALLS:])


class KithInt8(Kith):
    precision = "int8"


ENGINES = {
    "torch": Torch,
    "onnx": Onnx,
    "onnx-int8": OnnxInt8,
    "openvino": OpenVino,
    "openvino-int8": OpenVinoInt8,
    "ctranslate2-int8": CTranslate2,
    "kith": Kith,
    "kith-int8": KithInt8,
}
