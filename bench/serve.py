"""Called by bench/serve, which makes the environment and the program `serve_load`."""

import argparse
import atexit
import contextlib
import json
import os
import random
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

import numpy as np

import texts as bench_texts
from encode import describe_machine
from engines import KithInt8, Kith, Settings, make_tokenizer
from sets import DIM, HEADER_BYTES

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared/data/questions"
K = 10

# Each line of the file is a body or, for GET, a path. Prints its counts as JSON.
SCRIPT = """
local requests, n, i = {}, 0, 0
function init()
    for line in io.lines("%(file)s") do
        n = n + 1
        if "%(method)s" == "GET" then
            requests[n] = wrk.format("GET", line)
        else
            requests[n] = wrk.format("POST", "%(path)s",
                {["Content-Type"] = "application/json", ["Host"] = "localhost"}, line)
        end
    end
end
function request()
    i = i %% n + 1
    return requests[i]
end
function done(summary)
    local e = summary.errors
    print(string.format('JSON {"requests": %%d, "seconds": %%f, "failed": %%d}',
        summary.requests, summary.duration / 1e6,
        e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def say(message):
    print(f"serve: {message}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/serve")
    parser.add_argument("--runs", type=int, default=3, metavar="N",
                        help="the median counts (3)")
    parser.add_argument("--seconds", type=int, default=10, metavar="N",
                        help="of each measurement (10)")
    parser.add_argument("--connections", type=int, default=32, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N",
                        help="of each server (2)")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="int8")
    parser.add_argument("--no-peer", action="store_true", help="kith alone")
    parser.add_argument("--kith", default=str(ROOT / "build/tools/kith"),
                        metavar="PROGRAM")
    parser.add_argument("--model", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


# ------------------------------------------------------------------ texts and records


def trivia():
    """The questions of the trivia files; without them, the sentences of texts.py."""
    found = []
    for path in sorted((DATA / "opentriviaqa/categories").glob("*")):
        with open(path, encoding="utf-8", errors="replace") as lines:
            found += [" ".join(line[3:].split()) for line in lines
                      if line.startswith("#Q ")]
    if found:
        return [text for text in found if text], "trivia questions"
    say(f"*** no {DATA}/opentriviaqa: the records are generated sentences ***")
    rng = random.Random(bench_texts.SEED)
    return list(bench_texts.make_sentences(rng, 50_000)), "generated sentences"


def questions(rng):
    """What is asked: not what is stored, where ../shared/data is."""
    path = DATA / "quora-dups-heldout/corpus.jsonl"
    if path.is_file():
        with open(path, encoding="utf-8") as lines:
            found = [" ".join(json.loads(line)["text"].split()) for line in lines]
    else:
        found = list(bench_texts.make_sentences(rng, 10_000))
    rng.shuffle(found)
    return found[:10_000]


class Files:
    """What servers and clients read, in a folder that goes away."""

    def __init__(self, args, folder):
        self.folder = Path(folder)
        tokenizer = make_tokenizer(args.model)
        sets, _ = bench_texts.make_sets(["S16"], tokenizer)
        self.texts = sets["S16"]
        for form in ("float", "base64"):
            self.write(form, (json.dumps({
                "input": text, "model": "all-MiniLM-L6-v2", "encoding_format": form,
            }) for text in self.texts))
        self.asked = questions(random.Random(bench_texts.SEED))
        self.write("search", (f"/search?k={K}&q={quote(q)}" for q in self.asked))
        self.records, self.source = trivia()
        self.write("records.jsonl", (json.dumps({"id": str(i), "text": text})
                                     for i, text in enumerate(self.records)))
        self.collection = self.folder / "records.kith"

    def write(self, name, lines):
        text = "".join(line + "\n" for line in lines)
        (self.folder / name).write_text(text, encoding="utf-8")

    def index(self, args):
        subprocess.run(
            [args.kith, "index", self.collection, self.folder / "records.jsonl",
             "--precision", args.precision, "--long", "truncate", "-q"], check=True)
        vectors = np.fromfile(self.collection / "g000001/vectors", np.float16,
                              offset=HEADER_BYTES)
        vectors = vectors.reshape(-1, DIM)[: len(self.records)].astype(np.float32)
        np.save(self.folder / "vectors.npy", vectors)


# ------------------------------------------------------------------ servers


class Server:
    """A process that answers on self.port."""

    def __init__(self, command, log, port=None):
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        atexit.register(self.process.kill)  # when a measurement fails
        self.port = port or self.wait_for_line()
        self.wait_for_answer()

    def check(self):
        if self.process.poll() is not None:
            sys.exit(f"serve: no server: {self.log.read_text(errors='replace')}")
        time.sleep(0.05)

    def wait_for_line(self):
        while True:
            self.check()
            found = re.search(r"http://127\.0\.0\.1:([0-9]+)/",
                              self.log.read_text(errors="replace"))
            if found:
                return int(found.group(1))

    def wait_for_answer(self):
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            self.check()

    def settle(self):
        """Waits until what clients left behind when they went is done."""
        url = f"http://localhost:{self.port}/search?q=settled&k=1"
        urllib.request.urlopen(url, timeout=60).read()

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s*([0-9]+)", status).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def start_kith(args, files):
    return Server([args.kith, "serve", files.collection, "--port", "0", "--host",
                   "127.0.0.1", "--threads", str(args.threads), "--precision",
                   args.precision], files.folder / "kith.log")


def start_peer(args, files, handlers):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Server(
        [sys.executable, ROOT / "bench/serve_peer.py", "--model", args.model,
         "--vectors", files.folder / "vectors.npy", "--records",
         files.folder / "records.jsonl", "--port", str(port), "--threads",
         str(args.threads), "--handlers", handlers], files.folder / "peer.log", port)


# ------------------------------------------------------------------ measuring


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def throughput(args, files, server, name, seconds=None):
    """Answers a second; the CPUs that the server and wrk had."""
    seconds = seconds or args.seconds
    script = files.folder / "script.lua"
    script.write_text(SCRIPT % {
        "file": files.folder / name, "path": "/v1/embeddings",
        "method": "GET" if name == "search" else "POST"})
    server.settle()
    before, wrk_before = server.cpu_seconds(), children_cpu()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{args.connections}", f"-d{seconds}s", "--timeout", "10s",
         "-s", script, f"http://localhost:{server.port}/"],
        check=True, capture_output=True, text=True)
    found = json.loads(re.search(r"^JSON (.*)", done.stdout, re.MULTILINE).group(1))
    if found["failed"]:
        say(f"*** {name}: {found['failed']} of {found['requests']} failed ***")
    return {"rate": found["requests"] / found["seconds"],
            "server": (server.cpu_seconds() - before) / found["seconds"],
            "client": (children_cpu() - wrk_before) / found["seconds"]}


def latencies(args, files, server, rate):
    server.settle()
    done = subprocess.run(
        [ROOT / "build/bench/serve_load", str(server.port), str(rate), str(args.seconds),
         str(args.connections), files.folder / "search"],
        check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    if found["failed"]:
        say(f"*** {found['failed']} of {found['requests']} failed ***")
    return found


def measure_encoder(args, encoder, files):
    seconds = encoder.seconds(files.texts)
    return {"rate": len(files.texts) / seconds}


def measure_server(args, files, server, names):
    found = {}
    for name in names:
        throughput(args, files, server, name, seconds=2)  # warms up
        found[name] = throughput(args, files, server, name)
        say(f"  {name}: {found[name]['rate']:.0f} a second")
    found["load"] = latencies(args, files, server, found["search"]["rate"] / 2)
    say(f"  at {found['load']['rate']:.0f} a second: p99 {found['load']['p99']:.1f} ms")
    return found


def faster_handlers(args, files):
    """How the peer is faster: what FastAPI does in threads, or one after the other."""
    rates = {}
    for handlers in ("def", "async"):
        server = start_peer(args, files, handlers)
        throughput(args, files, server, "search", seconds=2)
        rates[handlers] = throughput(args, files, server, "search", seconds=5)["rate"]
        server.stop()
    say("peer: " + ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items()))
    return max(rates, key=rates.get)


def measure(args, files):
    """Everything, --runs times, in turns."""
    settings = Settings(model=args.model, work=files.folder, threads=args.threads,
                        kith=args.kith, kernels=None, hold_avx512=False)
    encoder = {"fp32": Kith, "int8": KithInt8}[args.precision](settings, say)
    handlers = None if args.no_peer else faster_handlers(args, files)
    runs = {"encoder": [], "kith": [], "peer": []}
    for i in range(args.runs):
        say(f"run {i + 1} of {args.runs}: kith encode")
        runs["encoder"].append({"encode": measure_encoder(args, encoder, files)})
        say(f"  {runs['encoder'][-1]['encode']['rate']:.0f} texts a second")
        say("kith serve")
        server = start_kith(args, files)
        runs["kith"].append(measure_server(args, files, server,
                                           ("float", "base64", "search")))
        runs["kith"][-1]["peak"] = server.peak_mb()
        server.stop()
        if handlers:
            say("FastAPI server")
            server = start_peer(args, files, handlers)
            runs["peer"].append(measure_server(args, files, server,
                                               ("base64", "search")))
            runs["peer"][-1]["peak"] = server.peak_mb()
            server.stop()
    return runs, handlers


# ------------------------------------------------------------------ telling


def median(runs, *path):
    values = []
    for run in runs:
        for key in path:
            run = run[key]
        values.append(run)
    return statistics.median(values)


def tell_rate(runs, what, name, beside):
    rates = sorted(run[name]["rate"] for run in runs)
    print(f"{what:28} {statistics.median(rates):8.0f} a second "
          f"({rates[0]:.0f} to {rates[-1]:.0f}; CPUs: server "
          f"{median(runs, name, 'server'):.2f}, wrk {median(runs, name, 'client'):.2f})"
          f"{beside}")


def tell_load(runs, what):
    def get(key):
        return median(runs, "load", key)

    print(f"{what:28} {get('rate'):8.0f} a second: p50 {get('p50'):.1f}, p95 "
          f"{get('p95'):.1f}, p99 {get('p99'):.1f}, most {get('max'):.1f} ms "
          f"(client: p99 {get('lag_p99'):.2f} ms late, {get('cpu'):.2f} CPUs)")


def tell(args, files, runs, handlers):
    kith, peer = runs["kith"], runs["peer"]
    encode = median(runs["encoder"], "encode", "rate")
    print(describe_machine())
    print(f"{args.threads} threads, {args.precision}, {args.connections} connections, "
          f"{args.runs} runs of {args.seconds} s; client and server share the CPUs")
    print(f"{'kith encode':28} {encode:8.0f} texts of 16 tokens a second")
    for name in ("float", "base64"):
        share = median(kith, name, "rate") / encode
        tell_rate(kith, f"/v1/embeddings, {name}", name,
                  f": {share:.1%} of the encoder")
    tell_rate(kith, f"/search, {len(files.records)} records", "search", "")
    tell_load(kith, "/search at half of it")
    print(f"{'memory':28} {max(run['peak'] for run in kith):8.0f} MB")
    if not peer:
        return
    print(f"FastAPI, sentence-transformers, IndexFlatIP (handlers: {handlers})")
    for name, path in (("base64", "/v1/embeddings, base64"), ("search", "/search")):
        ratio = median(kith, name, "rate") / median(peer, name, "rate")
        tell_rate(peer, path, name, f": kith is {ratio:.1f} times as fast")
    tell_load(peer, "/search at half of it")
    print(f"{'memory':28} {max(run['peak'] for run in peer):8.0f} MB")


def main():
    args = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="kith-serve-") as folder:
        say("texts")
        files = Files(args, folder)
        say(f"indexing {len(files.records)} {files.source}")
        files.index(args)
        runs, handlers = measure(args, files)
        tell(args, files, runs, handlers)


if __name__ == "__main__":
    main()
