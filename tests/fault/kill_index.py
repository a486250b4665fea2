#!/usr/bin/env python3
"""kill -9 at random moments of `kith index --jsonl`; prints TAP.

After each kill the collection must answer, every record that a `committed` line counted
must be there with its text, and no record may be half there. The next run resumes where the
killed one stopped; a finished collection is thrown away and begun anew.

usage: kill_index.py KITH MODEL KILLS [SEED]     MODEL: a .kmodel file or a model folder
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RECORDS = 40000


def text_of(i):
    return f"item {i} of {i * 7919 % 1000}"


def write_source(path):
    with open(path, "w") as out:
        for i in range(RECORDS):
            out.write(json.dumps({"id": f"r{i}", "text": text_of(i)}) + "\n")


def run_index(kith, coll, source, model, kill_after):
    """Returns (committed, killed): the last durable count that was printed."""
    with open(coll + ".out", "w+") as out:
        child = subprocess.Popen(
            [kith, "index", coll, source, "--model", model, "--ann", "never", "--jsonl"],
            stdout=out, stderr=subprocess.DEVNULL)
        try:
            child.wait(kill_after)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        out.seek(0)
        lines = [line for line in out.read().split("\n")[:-1]]
    committed = 0
    for line in lines:
        committed = json.loads(line).get("committed", committed)
    return committed, child.returncode == -signal.SIGKILL, child.returncode


def check(kith, coll, model, least):
    """What is wrong, or None, and the number of records. All ids, and a sample of texts."""
    if not os.path.exists(os.path.join(coll, "CURRENT")):
        return (None if least == 0 else "the collection is gone"), 0
    listed = subprocess.run([kith, "list", coll], capture_output=True, text=True)
    if listed.returncode != 0:
        return "list failed: " + listed.stderr.strip(), 0
    ids = set(listed.stdout.split())
    missing = [i for i in range(least) if f"r{i}" not in ids]
    if missing:
        return f"{len(missing)} of {least} committed records are gone", len(ids)
    if not ids:
        return None, 0
    sample = random.sample(sorted(ids), min(100, len(ids)))
    got = subprocess.run([kith, "get", coll, "--jsonl"] + sample, capture_output=True,
                         text=True)
    records = [json.loads(line) for line in got.stdout.splitlines()]
    if got.returncode != 0 or len(records) != len(sample):
        return "get failed: " + got.stderr.strip(), len(ids)
    for record in records:
        if record["passages"][0]["text"] != text_of(int(record["id"][1:])):
            return f"record {record['id']} holds another text", len(ids)
    wanted = text_of(int(sample[0][1:]))
    found = subprocess.run([kith, "search", coll, wanted, "--model", model, "-k", "1",
                            "--json"], capture_output=True, text=True)
    if found.returncode != 0:
        return "search failed: " + found.stderr.strip(), len(ids)
    if json.loads(found.stdout)["hits"][0]["text"] != wanted:
        return "search found something else", len(ids)
    return None, len(ids)


def main():
    kith, model, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else int(time.time())
    random.seed(seed)
    print("1..3")
    print(f"# seed {seed}, {kills} kills, {RECORDS} records")
    folder = tempfile.mkdtemp(prefix="kith-kill-")
    complaint = None
    n_kills = n_committed = n_tail = n_finished = 0
    try:
        if os.path.isdir(model):
            path = os.path.join(folder, "home")
            env_home = dict(os.environ, KITH_HOME=path)
            subprocess.run([kith, "model", "import", model, "--name", "m"], env=env_home,
                           check=True, capture_output=True)
            model = os.path.join(path, "models", "m.kmodel")
        source = os.path.join(folder, "source.jsonl")
        write_source(source)
        coll = os.path.join(folder, "c.kith")
        begun = time.monotonic()
        _, killed, code = run_index(kith, coll, source, model, None)
        duration = time.monotonic() - begun
        if killed or code != 0:
            complaint = f"an undisturbed run ended with {code}"
        shutil.rmtree(coll, ignore_errors=True)
        least = 0 # durable records, known from the printed lines of this collection
        while complaint is None and n_kills < kills:
            before = least
            moment = random.uniform(0.0, 0.8 * duration)
            printed, killed, code = run_index(kith, coll, source, model, moment)
            n_kills += killed
            if not killed and code != 0:
                complaint = f"a resumed run ended with {code}"
                break
            # A run counts what it made durable; what was there before stays.
            least = max(least, before + printed)
            complaint, n = check(kith, coll, model, min(least, RECORDS))
            n_committed += printed > 0 and killed
            n_tail += n > least
            least = max(least, n)
            if not killed or random.random() < 0.25:
                n_finished += not killed
                shutil.rmtree(coll, ignore_errors=True)
                least = 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"# {n_kills} kills, {n_committed} of them after a commit; "
          f"{n_tail} commits were durable and not yet printed; {n_finished} runs finished")
    print(("ok" if complaint is None else "not ok") + " 1 - no committed record is lost")
    if complaint is not None:
        print("# " + complaint)
    print(("ok" if n_kills >= kills else "not ok") + " 2 - every kill took place")
    print(("ok" if n_committed > 0 else "not ok") + " 3 - kills met runs that had committed")
    return 0 if complaint is None else 1


if __name__ == "__main__":
    sys.exit(main())
