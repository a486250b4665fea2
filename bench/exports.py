"""Makes the models of the peers from the model folder, once: they stay in the cache.

    python exports.py MODEL KIND FOLDER    makes one; called by ready_model()

Every one of them goes from token ids to unit vectors, so that the peers do the pooling
too; but for CTranslate2's, which ends with the hidden states.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
CALIBRATION = 75  # texts of each set that static quantisation sees: the last ones


def load_sentence(model, attention):
    """The model, from ids to unit vectors; attention: "sdpa", or "eager" plain code."""
    import torch
    from sentence_transformers import SentenceTransformer

    class Sentence(torch.nn.Module):
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

    loaded = SentenceTransformer(
        str(model), device="cpu", model_kwargs={"attn_implementation": attention}
    )
    return Sentence(loaded[0].auto_model).eval()


def write_onnx(model, path):
    """The graph as torch traces it, with plain attention, which ONNX Runtime fuses."""
    import torch

    example = torch.ones(2, 9, dtype=torch.long)
    torch.onnx.export(
        load_sentence(model, "eager"),
        (example, example, example),
        path,
        input_names=list(INPUTS),
        output_names=["vectors"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in INPUTS},
        opset_version=17,
        dynamo=False,
    )


def make_onnx(model, folder):
    """With attention, GELU and layer norms fused by ONNX Runtime's optimizer."""
    from onnxruntime.transformers import optimizer

    config = json.loads((model / "config.json").read_text())
    path = folder / "model.onnx"
    write_onnx(model, path)
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


def make_onnx_int8(model, folder):
    """As sentence-transformers exports qint8 for avx512_vnni: dynamic, weights by
    output channel with 8 bits and no zero point, activations by tensor."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain = folder / "plain.onnx"
    write_onnx(model, plain)
    quantize_dynamic(
        str(plain),
        str(folder / "model.onnx"),
        per_channel=True,
        reduce_range=False,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )
    plain.unlink()


def convert_openvino(model):
    import openvino
    import torch

    example = {name: torch.ones(2, 9, dtype=torch.long) for name in INPUTS}
    return openvino.convert_model(load_sentence(model, "sdpa"), example_input=example)


def make_openvino(model, folder):
    import openvino

    graph = convert_openvino(model)
    openvino.save_model(graph, folder / "model.xml", compress_to_fp16=False)


def make_openvino_int8(model, folder):
    """NNCF's static quantisation after training, for transformers."""
    import nncf
    import numpy as np
    import openvino

    import texts as bench_texts
    from engines import make_tokenizer

    tokenizer = make_tokenizer(model)

    def feed(text):
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        return dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids))))

    sets, _ = bench_texts.make_sets(list(bench_texts.SETS), tokenizer)
    seen = [text for texts in sets.values() for text in texts[-CALIBRATION:]]
    graph = nncf.quantize(
        convert_openvino(model),
        nncf.Dataset(seen, feed),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(seen),
    )
    openvino.save_model(graph, folder / "model.xml", compress_to_fp16=False)


def make_ctranslate2_int8(model, folder):
    from ctranslate2.converters import TransformersConverter

    converter = TransformersConverter(str(model))
    converter.convert(str(folder), quantization="int8", force=True)


MAKERS = {
    "onnx": make_onnx,
    "onnx-int8": make_onnx_int8,
    "openvino": make_openvino,
    "openvino-int8": make_openvino_int8,
    "ctranslate2-int8": make_ctranslate2_int8,
}


def forbid_telemetry():
    """OpenVINO and NNCF would send usage data; without this module they do not."""
    sys.modules["openvino_telemetry"] = None
    os.environ["NNCF_CI"] = "1"


def key_of(model):
    """Changes with the model, with the versions of the libraries and with this file."""
    digest = hashlib.sha256((model / "model.safetensors").read_bytes())
    digest.update((Path(sys.prefix) / "kith-peers").read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:16]


def ready_model(model, work, kind, say):
    """The folder of the model of this kind, made now if it is not in the cache."""
    cache = work / "models"
    ready = cache / f"{kind}.{key_of(model)}"
    if ready.is_dir():
        return ready
    say("making its model (a minute at most, once)")
    for former in cache.glob(f"{kind}.*"):
        shutil.rmtree(former)
    unfinished = cache / f"{kind}.{os.getpid()}"
    unfinished.mkdir(parents=True)
    # A process of its own: what the converters load would stay in memory.
    done = subprocess.run(
        [sys.executable, __file__, str(model), kind, str(unfinished)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        shutil.rmtree(unfinished)
        last = (done.stdout.strip() or "no message").splitlines()[-1]
        raise RuntimeError(f"its model cannot be made ({done.returncode}): {last}")
    unfinished.rename(ready)
    return ready


def main():
    model, kind, folder = sys.argv[1:]
    warnings.filterwarnings("ignore")
    forbid_telemetry()
    os.environ["HF_HUB_OFFLINE"] = "1"
    MAKERS[kind](Path(model), Path(folder))


if __name__ == "__main__":
    main()
