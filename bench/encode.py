"""Called by bench/encode, which makes the environment and the program `peak`."""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import sys
from pathlib import Path

import texts as bench_texts
from limits import Limits, Work
from workers import EngineFailed, Worker

ROOT = Path(__file__).resolve().parent.parent
CHECKED = 256  # texts of a set whose vectors are compared
REFERENCE = "torch"  # its vectors are what the others are compared with
ENGINES = (
    "torch,onnx,onnx-int8,openvino,openvino-int8,ctranslate2-int8,kith,kith-int8"
).split(",")
KERNELS = "portable,avx2,avxvnni,avx512,avx512vnni,amx".split(",")


def say(message):
    print(f"encode: {message}", file=sys.stderr, flush=True)


def say_loudly(message):
    say(f"*** {message} ***")


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
    parser.add_argument(
        "--texts", type=count, metavar="N", help="the first N of each set (all)"
    )
    parser.add_argument(
        "--engines", type=names(ENGINES), default=ENGINES, metavar=",".join(ENGINES)
    )
    parser.add_argument(
        "--kernels",
        choices=KERNELS,
        metavar="NAME",
        help="KITH_CPU for kith, and the limit that all are compared with",
    )
    parser.add_argument(
        "--latency",
        action="store_true",
        help="instead: one text of 16 tokens after another, on one thread",
    )
    parser.add_argument(
        "--amx-peers", action="store_true", help="do not hold OpenVINO to AVX-512"
    )
    kith = str(ROOT / "build/tools/kith")
    parser.add_argument("--kith", default=kith, metavar="PROGRAM")
    parser.add_argument("--model", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.latency:
        args.threads = 1
    return args


def cpu_flags():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return value.split()
    return []


def describe_machine():
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            cpu = value.strip()
    wanted = "fma|avx2|avx_vnni|avx512f|avx512_vnni|avx512_bf16|amx_int8|amx_bf16|asimd"
    found = " ".join(sorted(f for f in cpu_flags() if re.fullmatch(wanted, f)))
    return f"{cpu}, {os.cpu_count()} CPUs; {found}"


def set_environment(threads):
    """What the libraries read when they load, in the processes of the engines."""
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        # The tokenizer of the peers gets the threads that all engines get.
        "TOKENIZERS_PARALLELISM": "true",
        "RAYON_NUM_THREADS": str(threads),
    }


def precision_of(name):
    return "int8" if name.endswith("-int8") else "fp32"


def is_kith(name):
    return name.startswith("kith")


class Bench:
    """The engines that still run, and what became of the others."""

    def __init__(self, args):
        from engines import Settings

        self.failures = {}
        self.engines = {}
        self.reference = None
        self.settings = Settings(
            model=args.model,
            work=args.work,
            threads=args.threads,
            kith=args.kith,
            kernels=args.kernels,
            # Its AMX code crashes where CPUID hides the tile palette.
            hold_avx512="amx_tile" in cpu_flags() and not args.amx_peers,
        )
        for name in args.engines:
            if is_kith(name) and not shutil.which(args.kith):
                self.fail(name, f"no program {args.kith}: build it, or give --kith")
                continue
            self.start(name)

    def start(self, name):
        say(f"loading {name}")
        try:
            self.engines[name] = Worker(name, self.settings, say)
        except EngineFailed as error:
            self.fail(name, error)

    def fail(self, name, error):
        self.engines.pop(name, None)
        self.failures[name] = str(error)
        say_loudly(f"{name} FAILED: {error}; going on without it")

    def each(self, call):
        """call(engine) of every engine that runs: a dict of what they gave."""
        given = {}
        for name, engine in list(self.engines.items()):
            try:
                given[name] = call(engine)
            except EngineFailed as error:
                self.fail(name, error)
        return given

    def close(self):
        for engine in {*self.engines.values(), self.reference} - {None}:
            engine.close()

    def reference_vectors(self, texts):
        """The vectors of sentence-transformers; None where it does not run."""
        try:
            if self.reference is None:
                self.reference = self.engines.get(REFERENCE)
            if self.reference is None and REFERENCE not in self.failures:
                say(f"loading {REFERENCE}, for its vectors")
                self.reference = Worker(REFERENCE, self.settings, say)
            return self.reference and self.reference.embed(texts)
        except EngineFailed as error:
            self.reference = None
            self.fail(REFERENCE, error)
            return None


def compare(vectors, reference):
    """Mean and 1st percentile of the cosine, largest difference of a component."""
    import numpy as np

    if reference is None:
        return ["-", "-", "-"]
    cosines = (vectors.astype(np.float64) * reference).sum(1)
    cosines /= np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    difference = abs(vectors - reference).max()
    mean, percentile = cosines.mean(), np.percentile(cosines, 1)
    return [f"{mean:.5f}", f"{percentile:.5f}", f"{difference:.1e}"]


def measure(args, bench, limits, name, texts):
    """Runs the engines in turn: seconds of each, and the limits before each round."""

    def prepare(engine):
        say(f"{name}: warming up {engine.name}")
        engine.prepare(texts)

    def run_once(engine):
        seconds = engine.seconds(texts)
        rate = len(texts) / seconds
        say(f"{name}: run {run} of {args.runs}: {engine.name} {rate:.0f}/s")
        return seconds

    bench.each(prepare)
    seconds = {engine: [] for engine in bench.engines}
    limits.reset()
    for run in range(1, args.runs + 1):
        limits.measure()
        for engine, elapsed in bench.each(run_once).items():
            seconds[engine].append(elapsed)
    return {of: times for of, times in seconds.items() if of in bench.engines}


def print_limits(limits, work, count):
    for precision in ("fp32", "int8"):
        best = limits.of(precision)
        if best is None:
            print(f"limit {precision}: not measured for this CPU")
            continue
        low, high = limits.spread(precision)
        rate = count / work.seconds(limits, precision)
        attention = " and fp32 attention" if precision == "int8" else ""
        print(
            f"limit {precision}: {best[0]:.0f} ({low:.0f}-{high:.0f}) Gop/s with "
            f"{best[1]}{attention} = {rate:.0f} sentences/s"
        )


def fastest_peer(rates, precision=None):
    """The name of the fastest engine that is not kith, of one precision or of any."""
    peers = {
        name: rate
        for name, rate in rates.items()
        if not is_kith(name) and precision in (None, precision_of(name))
    }
    return max(peers, key=peers.get, default=None)


def print_comparison(rates):
    """What one asks first: kith against the fastest peer, and against that of fp32."""
    for name in filter(is_kith, rates):
        for precision, what in ((None, "any precision"), ("fp32", "fp32")):
            peer = fastest_peer(rates, precision)
            if peer:
                ratio = rates[name] / rates[peer]
                print(f"{name}: {ratio:.2f} x {peer}, the fastest peer of {what}")


def report(config, name, lengths, seconds, limits, compared):
    count, tokens = len(lengths), sum(lengths)
    work = Work(config, lengths)
    print(f"\n{name}: {count} texts, {tokens / count:.1f} tokens on average")
    print_limits(limits, work, count)
    medians = {engine: statistics.median(times) for engine, times in seconds.items()}
    rates = {engine.name: count / median for engine, median in medians.items()}
    best = rates.get(fastest_peer(rates))
    row = "{:<17}{:>6}{:>12}{:>15}{:>10}{:>10}{:>7}{:>10}{:>10}{:>12}"
    heads = "engine,batch,sentences/s,min-max,tokens/s,of limit,ratio,cosine,p1"
    print(row.format(*heads.split(","), "difference"))
    for engine, median in medians.items():
        times = seconds[engine]
        at_limit = work.seconds(limits, precision_of(engine.name))
        print(
            row.format(
                engine.name,
                engine.batch,
                f"{count / median:.0f}",
                f"{count / max(times):.0f}-{count / min(times):.0f}",
                f"{tokens / median:.0f}",
                f"{at_limit / median:.1%}" if at_limit else "-",
                f"{rates[engine.name] / best:.2f}" if best else "-",
                *compared[engine.name],
            )
        )
    print_comparison(rates)


def print_head(args, bench, source):
    print(f"machine  {describe_machine()}")
    now = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
    print(f"date     {now}, load {os.getloadavg()[0]:.2f}")
    runs = "" if args.latency else f", runs {args.runs} (median)"
    print(f"threads  {args.threads}{runs}")
    print(f"texts    {source}")
    for name, engine in bench.engines.items():
        print(f"{name:<17}{engine.about}")


def run_sets(args, bench, config, sets, tokenizer):
    limits = Limits(args.work / "peak", args.threads, args.kernels)
    for name, texts in sets.items():
        texts = texts[: args.texts]
        lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts)]
        by_name = measure(args, bench, limits, name, texts)
        checked = texts[:CHECKED]
        reference = bench.reference_vectors(checked)
        vectors = bench.each(lambda engine: engine.embed(checked))
        compared = {of: compare(rows, reference) for of, rows in vectors.items()}
        # An engine that fails late is in no dict of engines any more.
        seconds = {bench.engines[of]: by_name[of] for of in vectors}
        report(config, name, lengths, seconds, limits, compared)


def run_latency(bench, text, tokens):
    print(f"\none text of {tokens} tokens, one thread, warm: median of 200 calls")
    for name, seconds in bench.each(lambda engine: engine.latency(text)).items():
        print(f"{name:<17}{1e3 * seconds:>8.2f} ms")


def main():
    args = parse_arguments()
    if not (args.model / "model.safetensors").is_file():
        sys.exit(f"encode: no model in {args.model}: run tools/setup")
    sys.stdout.reconfigure(line_buffering=True)
    set_environment(args.threads)
    config = json.loads((args.model / "config.json").read_text())

    from engines import make_tokenizer

    tokenizer = make_tokenizer(args.model)
    sets, source = bench_texts.make_sets(
        ["S16"] if args.latency else args.sets, tokenizer
    )
    bench = Bench(args)
    print_head(args, bench, source)
    if args.latency:
        text = next(t for t in sets["S16"] if len(tokenizer.encode(t).ids) == 16)
        run_latency(bench, text, 16)
    else:
        run_sets(args, bench, config, sets, tokenizer)
    bench.close()
    for name, why in bench.failures.items():
        say_loudly(f"{name} FAILED: {why}")
    if not bench.engines:
        sys.exit("encode: nothing was measured")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
