"""Called by bench/encode, which makes the environment and the program `peak`."""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import texts as bench_texts

ROOT = Path(__file__).resolve().parent.parent
CHECKED = 256  # texts of a set whose vectors are compared


def say(message):
    print(f"encode: {message}", file=sys.stderr, flush=True)


def parse_arguments():
    def count(value):
        number = int(value)
        if number < 1:
            raise argparse.ArgumentTypeError("at least 1")
        return number

    def names(of):
        def parse(value):
            chosen = value.split(",")
            if not set(chosen) <= set(of):
                raise argparse.ArgumentTypeError(f"choose from {','.join(of)}")
            return chosen

        return parse

    parser = argparse.ArgumentParser(prog="bench/encode")
    parser.add_argument(
        "--runs", type=count, default=5, metavar="N", help="timed runs of each (5)"
    )
    parser.add_argument(
        "--threads", type=count, default=2, metavar="N", help="of each engine (2)"
    )
    sets = list(bench_texts.SETS)
    parser.add_argument(
        "--sets", type=names(sets), default=sets, metavar=",".join(sets)
    )
    engines = ["torch", "onnx", "kith"]
    parser.add_argument(
        "--engines", type=names(engines), default=engines, metavar=",".join(engines)
    )
    kith = str(ROOT / "build/tools/kith")
    parser.add_argument("--kith", default=kith, metavar="PROGRAM")
    parser.add_argument("--model", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def flop_of(config, n_tokens):
    """Of one text: matrix products only, two operations a multiply-add."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    linear = 4 * hidden**2 + 2 * hidden * config["intermediate_size"]
    return 2 * layers * (linear * n_tokens + 2 * hidden * n_tokens**2)


def measure_limit(work, threads):
    """The best GFLOP/s of this moment, and the instruction set that gave it."""
    lines = subprocess.run(
        [work / "peak", str(threads), "0.4"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return max((float(line.split()[2]), line.split()[0]) for line in lines)


def describe_machine():
    cpu, flags = platform.processor(), ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            cpu = value.strip()
        elif key.strip() in ("flags", "Features"):
            flags = value
    wanted = "fma|avx2|avx_vnni|avx512f|avx512_vnni|avx512_bf16|amx_int8|amx_bf16|asimd"
    found = " ".join(sorted(re.findall(rf"\b(?:{wanted})\b", flags)))
    return f"{cpu}, {os.cpu_count()} CPUs; {found}"


def set_environment(threads):
    """What the libraries read when they load."""
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        # The tokenizer of the peers gets the threads that all engines get.
        "TOKENIZERS_PARALLELISM": "true",
        "RAYON_NUM_THREADS": str(threads),
    }


def make_engines(args, config, max_tokens):
    # Loads torch, which takes seconds: not before the arguments are known to be good.
    import engines

    made = []
    for name in args.engines:
        say(f"loading {name}")
        if name == "torch":
            made.append(engines.Torch(args.model, args.threads))
        elif name == "onnx":
            made.append(
                engines.Onnx(args.model, config, max_tokens, args.threads, args.work)
            )
        elif shutil.which(args.kith):
            hidden = config["hidden_size"]
            made.append(engines.Kith(args.kith, args.threads, hidden, args.work))
        else:
            say(f"no program {args.kith} (build it, or give --kith PROGRAM)")
    return made


def compare_vectors(engines, texts):
    """The largest difference of a component from the vectors of the first engine."""
    first, *others = (engine.embed(texts[:CHECKED]) for engine in engines)
    return ["-", *(f"{abs(first - other).max():.1e}" for other in others)]


def measure(args, engines, name, texts):
    """Runs the engines in turn: seconds of each, and the limit before each round."""
    for engine in engines:
        say(f"{name}: warming up {engine.name}")
        engine.prepare(texts)
    seconds = {engine: [] for engine in engines}
    limits = []
    for run in range(args.runs):
        limits.append(measure_limit(args.work, args.threads))
        for engine in engines:
            seconds[engine].append(engine.seconds(texts))
            rate = len(texts) / seconds[engine][-1]
            say(f"{name}: run {run + 1} of {args.runs}: {engine.name} {rate:.0f}/s")
    return seconds, limits


def report(config, name, lengths, seconds, limits, differences):
    limit = statistics.median(gflops for gflops, _ in limits)
    flop = sum(flop_of(config, n) for n in lengths)
    count = len(lengths)
    low, high = min(limits)[0], max(limits)[0]
    print(
        f"\n{name}: {count} texts, {sum(lengths) / count:.1f} tokens on average; limit "
        f"{limit:.0f} GFLOP/s ({limits[0][1]}, {low:.0f}-{high:.0f}) = "
        f"{count * limit * 1e9 / flop:.0f} sentences/s"
    )
    row = "{:<22}{:>6}{:>13}{:>13}{:>10}{:>9}{:>10}{:>11}{:>12}"
    heads = "engine,batch,sentences/s,min-max,tokens/s,GFLOP/s,of limit,kith/this"
    print(row.format(*heads.split(","), "difference"))
    medians = {engine: statistics.median(times) for engine, times in seconds.items()}
    kith = next((t for engine, t in medians.items() if engine.name == "kith"), None)
    for engine, median in medians.items():
        times = seconds[engine]
        print(
            row.format(
                engine.name,
                engine.batch,
                f"{count / median:.0f}",
                f"{count / max(times):.0f}-{count / min(times):.0f}",
                f"{sum(lengths) / median:.0f}",
                f"{flop / median / 1e9:.0f}",
                f"{flop / median / 1e9 / limit:.1%}",
                f"{median / kith:.2f}" if kith else "-",
                differences[engine],
            )
        )


def main():
    args = parse_arguments()
    if not (args.model / "model.safetensors").is_file():
        sys.exit(f"encode: no model in {args.model}: run tools/setup")
    sys.stdout.reconfigure(line_buffering=True)
    set_environment(args.threads)
    config = json.loads((args.model / "config.json").read_text())
    sentence_config = json.loads((args.model / "sentence_bert_config.json").read_text())
    max_tokens = sentence_config["max_seq_length"]

    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    sets, source = bench_texts.make_sets(args.sets, tokenizer)
    engines = make_engines(args, config, max_tokens)
    if not engines:
        sys.exit("encode: nothing to measure")

    print(f"machine  {describe_machine()}")
    now = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
    print(f"date     {now}, load {os.getloadavg()[0]:.2f}")
    print(f"threads  {args.threads}, runs {args.runs} (median), fp32")
    print(f"texts    {source}")
    for name, texts in sets.items():
        lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts)]
        seconds, limits = measure(args, engines, name, texts)
        differences = dict(zip(engines, compare_vectors(engines, texts)))
        report(config, name, lengths, seconds, limits, differences)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"encode: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
