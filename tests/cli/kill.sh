#!/usr/bin/env bash
# kill -9 at random moments of index --jsonl: the collection answers, and every record
# that a printed "committed" line counts is there. KITH_KILLS: how often (20).
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_tiny_model

cat >kill.py <<'END'
import json, os, random, signal, subprocess, sys, time

program, kills = sys.argv[1], int(sys.argv[2])
n_lines = 30000
with open("lines.txt", "w") as f:
    for i in range(n_lines):
        f.write(f"Line {i} of a text about the number {i * 7919 % 10007}.\n")
path = os.path.realpath("lines.txt")
command = [program, "index", "k.kith", "lines.txt", "--format", "lines", "--jsonl"]
ids = [f"{path}:{i}" for i in range(1, n_lines + 1)]

began = time.monotonic()
quiet = {"stderr": subprocess.DEVNULL}
subprocess.run(command, stdout=subprocess.DEVNULL, check=True, **quiet)
whole = time.monotonic() - began
seed = random.randrange(1 << 32)
random.seed(seed)
print(f"# seed {seed}, a whole run takes {whole:.2f} s")

n_cut = 0
for _ in range(kills):
    subprocess.run(["rm", "-rf", "k.kith"], check=True)
    durable = 0
    for attempt in range(2):  # kill the first run, then the one that resumes
        run = subprocess.Popen(command, stdout=subprocess.PIPE, **quiet)
        time.sleep(random.random() * whole / 2)
        run.send_signal(signal.SIGKILL)
        printed = run.communicate()[0].decode().splitlines()
        n_cut += run.returncode == -signal.SIGKILL
        committed = [json.loads(line).get("committed", 0) for line in printed]
        durable += max(committed, default=0)
        if not os.path.exists("k.kith/CURRENT"):
            if durable:
                sys.exit("records were committed, and there is no collection")
            continue
        listed = subprocess.run([program, "list", "k.kith", "--jsonl"],
                                stdout=subprocess.PIPE, check=True).stdout
        there = {json.loads(line)["id"] for line in listed.splitlines()}
        missing = [i for i in ids[:durable] if i not in there]
        if missing:
            sys.exit(f"{durable} committed, {len(missing)} missing: {missing[:3]}")
        answer = subprocess.run([program, "search", "k.kith", "--jsonl", "Line 5"],
                                stdout=subprocess.PIPE)
        hits = json.loads(answer.stdout)["hits"]
        if len(hits) != min(10, len(there)):
            sys.exit(f"{len(there)} records and {len(hits)} hits")
print(f"# {n_cut} of {2 * kills} runs were cut off")
if n_cut < kills:
    sys.exit("too few runs were cut off to mean anything")
END
run python3 kill.py "$KITH_PROGRAM" "${KITH_KILLS:-20}"
grep '^#' "$out"
is_status 0 "killed ${KITH_KILLS:-20} times, and resumed"
