#!/usr/bin/env python3
"""kill -9 at random moments of `kith compact`, and of the deletions before it; prints TAP.

After each kill the collection must answer, with every record that is to be there, its text,
and none of those deleted; the next compaction must work, and leave one generation and no
deleted text in any file.

usage: kill_compact.py KITH MODEL KILLS [SEED]     MODEL: a .kmodel file or a model folder
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

RECORDS = 20000


def text_of(i):
    return f"item {i} of {i * 7919 % 1000}, keyword{i}keyword"


def run(kith, *arguments):
    return subprocess.run([kith, *arguments], capture_output=True, text=True)


def make(kith, model, folder):
    """A collection of which every second record was deleted; its path."""
    source = os.path.join(folder, "source.jsonl")
    coll = os.path.join(folder, "full.kith")
    with open(source, "w") as out:
        for i in range(RECORDS):
            out.write(json.dumps({"id": f"r{i}", "text": text_of(i)}) + "\n")
    subprocess.run([kith, "index", "-q", coll, source, "--model", model, "--ann", "never"],
                   check=True)
    deleted = [f"r{i}" for i in range(1, RECORDS, 2)]
    subprocess.run([kith, "delete", "-q", coll, *deleted], check=True)
    return coll


def compact(kith, coll, kill_after):
    """The exit status, negative when it was killed."""
    child = subprocess.Popen([kith, "compact", "-q", coll, "--ann", "never"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.wait(kill_after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
    return child.returncode


def generations(coll):
    return sorted(name for name in os.listdir(coll) if name.startswith("g"))


def check(kith, coll, model):
    """What is wrong, or None."""
    listed = run(kith, "list", coll)
    if listed.returncode != 0:
        return "list failed: " + listed.stderr.strip()
    if sorted(listed.stdout.split()) != sorted(f"r{i}" for i in range(0, RECORDS, 2)):
        return "other records than before"
    numbers = random.sample(range(0, RECORDS, 2), 50)
    got = run(kith, "get", coll, "--jsonl", *[f"r{i}" for i in numbers])
    texts = ["".join(p["text"] for p in json.loads(line)["passages"])
             for line in got.stdout.splitlines()]
    if got.returncode != 0 or texts != [text_of(i) for i in numbers]:
        return "get failed, or gives other texts: " + got.stderr.strip()
    found = run(kith, "search", coll, text_of(numbers[0]), "--model", model, "-k", "1",
                "--json")
    if found.returncode != 0:
        return "search failed: " + found.stderr.strip()
    if json.loads(found.stdout)["hits"][0]["text"] != text_of(numbers[0]):
        return "search found something else"
    return None


def holds_deleted(coll):
    for folder, _, names in os.walk(coll):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            for i in random.sample(range(1, RECORDS, 2), 20):
                if f"keyword{i}keyword".encode() in content:
                    return f"{name} holds a deleted text"
    return None


def finish(kith, coll, model):
    """A compaction to the end puts everything in order: what is wrong, or None."""
    if compact(kith, coll, None) != 0:
        return "the next compaction failed"
    if len(generations(coll)) != 1:
        return "leftovers: " + " ".join(generations(coll))
    return holds_deleted(coll) or check(kith, coll, model)


def main():
    kith, model, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else int(time.time())
    random.seed(seed)
    print("1..4")
    print(f"# seed {seed}, {kills} kills, {RECORDS} records, half of them deleted")
    folder = tempfile.mkdtemp(prefix="kith-kill-compact-")
    complaint = None
    n_kills = n_old = n_new = n_leftovers = 0
    try:
        if os.path.isdir(model):
            home = os.path.join(folder, "home")
            os.environ["KITH_HOME"] = home
            subprocess.run([kith, "model", "import", model, "--name", "m"], check=True,
                           capture_output=True)
            model = os.path.join(home, "models", "m.kmodel")
        full = make(kith, model, folder)
        coll = os.path.join(folder, "c.kith")
        shutil.copytree(full, coll)
        begun = time.monotonic()
        if compact(kith, coll, None) != 0:
            complaint = "an undisturbed compaction failed"
        duration = time.monotonic() - begun
        while complaint is None and n_kills < kills:
            shutil.rmtree(coll)
            shutil.copytree(full, coll)
            # Some kills in a row: the next one meets what the former has left.
            for _ in range(random.choice([1, 1, 2, 3])):
                former = generations(coll)
                status = compact(kith, coll, random.uniform(0.0, 1.1 * duration))
                if status not in (0, -signal.SIGKILL):
                    complaint = f"a compaction ended with {status}"
                    break
                n_kills += status != 0
                n_leftovers += len(generations(coll)) > 1
                n_old += status != 0 and former[0] in generations(coll)
                n_new += status != 0 and former[0] not in generations(coll)
                complaint = complaint or check(kith, coll, model)
            complaint = complaint or finish(kith, coll, model)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"# {n_kills} kills: {n_old} left the old files, {n_new} only the new ones; "
          f"{n_leftovers} left something to sweep")
    print(("ok" if complaint is None else "not ok") + " 1 - the collection stays whole")
    if complaint is not None:
        print("# " + complaint)
    print(("ok" if n_kills >= kills else "not ok") + " 2 - every kill took place")
    print(("ok" if n_leftovers > 0 else "not ok") + " 3 - kills met a compaction half done")
    print(("ok" if n_old > 0 else "not ok") + " 4 - before it was done")
    return 0 if complaint is None else 1


if __name__ == "__main__":
    sys.exit(main())
