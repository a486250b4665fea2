#!/usr/bin/env python3
"""`kith serve` among hostile clients: slow, many, malformed, and by chance.

usage: hostile.py KITH

Prints TAP. KITH_CONNECTIONS (1,500), KITH_MUTATIONS (5,000), KITH_SEED and
KITH_BODY_MIB (64) set how many connections are open together, how many mutated requests
are sent, from which seed, and how large a body in chunks is. By hand:

    KITH_CONNECTIONS=10000 KITH_BODY_MIB=1024 tests/serve/hostile.py build/tools/kith
    tests/serve/hostile.py build-asan/tools/kith
"""

import json
import os
import re
import resource
import subprocess
import sys
import threading
import time

import crowds
import refusals
from mutations import Storm, unmutated
from raw_http import INSPECTOR, MARKER, Connection, answers, ask, request, send_raw
from refusals import KEY
from tap import Tap
from work import ROOT, TINY, Work

CONNECTIONS = int(os.environ.get("KITH_CONNECTIONS", 1500))
BODY_BYTES = int(os.environ.get("KITH_BODY_MIB", 64)) << 20
SEED = os.environ.get("KITH_SEED", "20261121")


def texts(count):
    """By id."""
    words = "the river and a day cook miles sailed ship water time fish soup".split()
    return {f"r{i}": f"{words[i % 13]} {words[i * 7 % 13]} {words[i // 13 % 13]} {i}"
            for i in range(count)}


def index(work, name, records):
    lines = "".join(json.dumps({"id": id, "text": text, "title": f"about {id}",
                                "lang": "en", "year": 2000 + i % 30}) + "\n"
                    for i, (id, text) in enumerate(records.items()))
    work.run("index", f"{name}.kith", "-", "--format", "jsonl", "--model", TINY,
             data=lines.encode())


def faults_of_log(server):
    """What a log may never hold."""
    faults = []
    for line in server.log_path.read_bytes().splitlines():
        if MARKER.encode() in line or KEY.encode() in line:
            faults.append(f"text of a request: {line[:300]!r}")
        if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", line):
            faults.append(f"a control byte: {line[:300]!r}")
        if b"Sanitizer" in line or b"runtime error" in line:
            faults.append(f"{line[:300]!r}")
    return faults


def starts(tap, work):
    """What does not start, and how it says so."""
    key_file = work.folder / "key"
    key_file.write_text(KEY + "\n", encoding="ascii")
    (work.folder / "empty").write_text("\n", encoding="ascii")
    faults = []
    for arguments in (
        ["--host", "0.0.0.0"], ["--host", "::"], ["--host", "192.0.2.1"],
        ["--host", "localhost.evil.example"], ["--host", ""], ["--port", "65536"],
        ["--port", "-1"], ["--port", "x"], ["--threads", "x"], ["c.kith"],
        ["--host", "127.0.0.1", "--host", "0.0.0.0"],
    ):
        arguments = ["c.kith", *arguments]
        if "--port" not in arguments:
            arguments += ["--port", "0"]
        try:
            done = work.attempt("serve", *arguments, seconds=10)
        except subprocess.TimeoutExpired:
            faults.append(f"{arguments}: it runs")
            continue
        if done.returncode != 2 or not done.stderr:
            faults.append(f"{arguments}: {done.returncode} {done.stderr}")
    tap.none("another address without a key, and nonsense: exit 2", faults)
    for name in ("empty", "none"):
        done = work.attempt("serve", "c.kith", "--host", "0.0.0.0", "--port", "0",
                            "--api-key-file", name, seconds=10)
        tap.check(f"a file of the key that is {name}",
                  done.returncode > 0 and name in done.stderr, done.stderr)
    for arguments, environment in ((["--api-key-file", "key"], {}),
                                   ([], {"KITH_API_KEY": KEY})):
        server = work.serve("c.kith", *arguments, host="0.0.0.0", **environment)
        statuses = [ask(server.port, "GET", "/status", headers=headers).status
                    for headers in ([], [f"Authorization: Bearer {KEY}"])]
        tap.equal(f"with a key it starts ({arguments or 'environment'})", statuses,
                  [401, 200])
        tap.equal("SIGTERM ends an idle server", server.stop(5), 0)


def second_server(tap, work, server):
    done = work.attempt("serve", "c.kith", "--port", server.port, "--host",
                        "127.0.0.1", seconds=10)
    tap.check("a second server on a port does not start, and says why",
              done.returncode not in (0, 2) and str(server.port) in done.stderr
              and "port" in done.stderr, done.returncode, done.stderr)
    tap.check("and the first goes on", answers(server))


def hits(server, text, collection="c"):
    response = ask(server.port, "POST", "/search",
                   {"query": text, "k": 1000, "collection": collection})
    if not response or response.status != 200:
        return response
    return {hit["id"] for hit in response.json()["hits"]}


def changes(tap, work):
    """What other processes do to a collection while it is served."""
    index(work, "live", texts(20))
    live = work.serve("live.kith", "c.kith", "--writable")
    tap.equal("20 records", len(hits(live, "river", "live")), 20)
    index(work, "live", texts(30))
    tap.equal("30 after `kith index`", len(hits(live, "river", "live")), 30)
    work.run("delete", "live.kith", "r1")
    tap.check("r1 is gone after `kith delete`", "r1" not in hits(live, "river", "live"))
    tap.equal("and by its id", ask(live.port, "GET", "/records/r1").status, 404)
    work.run("compact", "live.kith")
    found = hits(live, "river", "live")
    tap.check("all others are there after `kith compact`", len(found) == 29, found)
    while_others_write(tap, work, live)
    (work.folder / "live.kith").rename(work.folder / "away")
    faults = []
    for method, target, body in (
        ("GET", "/search?q=river", None), ("GET", "/records/r2", None),
        ("GET", "/similar?id=r2", None), ("GET", "/status", None),
        ("PUT", "/records/new", {"text": "a"}), ("DELETE", "/records/r2", None),
        ("POST", "/v1/vector_stores/live/search", {"query": "a"}),
        ("POST", "/v1/embeddings", {"input": "a", "model": "tiny"}),
        ("POST", "/search", {"query": "a", "collection": "c"}),
    ):
        response = ask(live.port, method, target, body)
        if response is None or response.status not in (200, 201, 404, 500, 503):
            faults.append(f"{method} {target}: {response!r}")
    tap.none("a folder that is taken away is no crash", faults)
    tap.check("the other collection is still served", len(hits(live, "a", "c")) > 0)
    (work.folder / "away").rename(work.folder / "live.kith")
    tap.check("and this one again when it is back",
              isinstance(hits(live, "river", "live"), set), hits(live, "river", "live"))
    tap.equal("it ends well", live.stop(), 0)
    tap.none("its log", faults_of_log(live))
    # 500 is documented for what is damaged: here alone it may have been given.
    INSPECTOR.faults[:] = [f for f in INSPECTOR.faults if "status: 500" not in f]


def while_others_write(tap, work, live):
    """PUT and DELETE, two at once, and beside a `kith index`."""
    steps = [
        ask(live.port, method, "/records/a/b%20%C3%A9?collection=live", body)
        for method, body in (("PUT", {"text": MARKER, "metadata": {"n": 1}}),
                             ("GET", None), ("PUT", {"text": "other", "title": "t"}),
                             ("GET", None), ("DELETE", None), ("DELETE", None),
                             ("GET", None))]
    tap.equal("PUT, PUT again, DELETE, DELETE again", [r.status for r in steps],
              [201, 200, 200, 200, 200, 404, 404])
    tap.equal("a record is as it was put", [
        (d["id"], d["passages"][0]["text"], d["title"] or None) for d in
        (steps[1].json(), steps[3].json())],
        [("a/b é", MARKER, None), ("a/b é", "other", "t")])
    with Connection(live.port) as one, Connection(live.port) as other:
        for i, connection in enumerate((one, other) * 10):
            connection.send(request("PUT", f"/records/two{i}", {"text": f"text {i}"}))
        statuses = [connection.read().status for connection in (one, other) * 10]
    tap.equal("PUTs at the same time", statuses, [201] * 20)
    tap.check("are all found", {f"two{i}" for i in range(20)} <= hits(live, "text",
                                                                      "live"))
    # It holds the writer as long as its input has no end.
    writer = subprocess.Popen(
        [work.kith, "index", "live.kith", "-", "--format", "jsonl"],
        cwd=work.folder, env=work.env, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    writer.stdin.write(b'{"id": "w", "text": "a"}\n')
    writer.stdin.flush()
    time.sleep(0.5)
    begun = time.monotonic()
    busy = ask(live.port, "PUT", "/records/late", {"text": "late"})
    seconds = time.monotonic() - begun
    tap.check("PUT while `kith index` writes: 503 busy, at once",
              busy and busy.status == 503 and busy.code() == "busy" and seconds < 5,
              busy, f"{seconds:.1f} s")
    tap.check("searches go on meanwhile", isinstance(hits(live, "river", "live"), set))
    writer.stdin.close()
    tap.equal("the writer is not disturbed", writer.wait(30), 0)
    response = ask(live.port, "PUT", "/records/late", {"text": "late"})
    tap.check("PUT when it has ended", response.status == 201, response)


def endings(tap, work):
    """SIGTERM while requests are in flight."""
    server = work.serve("c.kith")
    big = {"input": [f"the river and the sea {i} " * 10 for i in range(2048)],
           "model": "tiny"}
    connections = [Connection(server.port) for _ in range(8)]
    idle, late = connections[6:]
    for connection in connections:
        connection.send(request("GET", "/healthz"))
        connection.read()
    for connection in connections[:6]:
        connection.send(request("POST", "/v1/embeddings", big))
    data = request("POST", "/search", {"query": "river"})
    late.send(data[:-5])
    time.sleep(0.1)
    begun = time.monotonic()
    server.terminate()
    time.sleep(0.3)
    late.send(data[-5:])
    refused = False
    try:
        refused = send_raw(server.port, request("GET", "/healthz"), 2) is None
    except OSError:
        refused = True
    statuses = [r.status if (r := connection.read()) else None
                for connection in connections[:6] + [late]]
    tap.equal("SIGTERM: what is in flight is answered", statuses, [200] * 7)
    tap.check("a new connection is not", refused)
    status = server.wait(15)
    seconds = time.monotonic() - begun
    tap.equal("exit status", status, 0)
    tap.check("an idle connection does not hold it", seconds < 8 and idle is not None,
              f"{seconds:.1f} s")
    tap.none("its log", faults_of_log(server))
    for connection in connections:
        connection.socket.close()


class Stalled(threading.Thread):
    """SIGTERM with a body that never ends: 10 s, beside everything else."""

    def __init__(self, work):
        super().__init__()
        self.server = work.serve("c.kith")
        self.seconds = None

    def run(self):
        with Connection(self.server.port) as connection:
            connection.send(request("POST", "/search", {"query": "river"})[:-5])
            time.sleep(0.5)
            begun = time.monotonic()
            self.server.terminate()
            self.server.wait(30)
            self.seconds = time.monotonic() - begun

    def check(self, tap):
        self.join()
        tap.check("a body that never ends holds it for 10 s at most",
                  self.seconds < 13 and self.server.status == 0,
                  f"{self.seconds:.1f} s, {self.server.status}")


def with_key(tap, work):
    server = work.serve("c.kith", "--api-key-file", "key", "--writable")
    refusals.keys(tap, server.port)
    tap.equal("it ends well", server.stop(), 0)
    tap.none("its log", faults_of_log(server))


def figures(server):
    time.sleep(0.5)
    return {"threads": server.in_proc("Threads"), "descriptors": server.descriptors(),
            "KiB": server.in_proc("VmRSS")}


def check_figures(tap, name, server, before, kib):
    """As before: threads and descriptors exactly, memory within `kib`."""
    after = figures(server)
    end = time.monotonic() + 10
    while after["descriptors"] > before["descriptors"] and time.monotonic() < end:
        after = figures(server)
    tap.check(f"{name}: threads and descriptors as before",
              after["threads"] <= before["threads"]
              and after["descriptors"] <= before["descriptors"], before, after)
    if server.work.has_asan:
        tap.skip(f"{name}: memory", "freed memory is kept under AddressSanitizer")
    else:
        tap.check(f"{name}: memory as before", after["KiB"] - before["KiB"] < kib,
                  before, after)


def crowd(tap, server):
    """Many connections at once, twice: the second time nothing may be left over."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < CONNECTIONS + 100:
        tap.skip(f"{CONNECTIONS} connections", f"only {hard} files may be open")
        return
    crowds.Crowd(server.port, CONNECTIONS).run()
    answers(server)
    before = figures(server)
    statuses = crowds.Crowd(server.port, CONNECTIONS).run()
    tap.check(f"{CONNECTIONS} connections at once: each is served or told 503",
              set(statuses) == {200, 503}, statuses)
    tap.check("256 are served", 240 <= statuses.get(200, 0) <= 256 or
              server.work.has_asan and statuses.get(200, 0) >= 240, statuses)
    tap.check("afterwards all is as before", answers(server))
    check_figures(tap, "after the crowd", server, before, 2048)


def storm(tap, work):
    count = int(os.environ.get("KITH_MUTATIONS", 5000))
    server = work.serve("c.kith", "--writable")
    tap.none("requests of every route succeed as they are", unmutated(server.port))
    Storm(server, f"warm-{SEED}", 300).run()
    before = figures(server)
    begun = time.monotonic()
    found = Storm(server, SEED, count)
    tap.none(f"{count} mutated requests, seed {SEED}", found.run())
    print(f"# {time.monotonic() - begun:.1f} s; statuses (0: closed without one) "
          f"{dict(sorted(found.statuses.items()))}")
    tap.check("most are understood so far as to be answered",
              found.statuses.get(0, 0) < count / 3
              and min(found.statuses.get(s, 0) for s in (200, 400, 404)) > count / 100,
              found.statuses)
    tap.check("the server answers afterwards", answers(server))
    check_figures(tap, "after them", server, before, 4096)
    tap.equal("it ends well", server.stop(), 0)
    tap.none("its log", faults_of_log(server))


def documents(tap, server):
    """/metrics counts, and tells of no more than it should."""
    text = ask(server.port, "GET", "/metrics").body.decode()
    refused = re.search(r"^kith_refused_connections_total ([0-9]+)", text, re.MULTILINE)
    tap.check("/metrics counts the connections that were refused",
              refused and int(refused.group(1)) >= 2 * (CONNECTIONS - 300), refused)
    lines = re.findall(r"^kith_requests_total.*", text, re.MULTILINE)
    tap.check("a path that is not known makes no series of its own",
              0 < len(lines) < 200 and "nope" not in text and "%" not in text,
              len(lines))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tap = Tap()
    print(f"# seed {SEED}, {CONNECTIONS} connections")
    with Work(sys.argv[1], TINY) as work:
        INSPECTOR.paths = [str(work.folder), str(ROOT / "tests"), work.kith]
        index(work, "c", texts(300))
        stalled = Stalled(work)
        server = work.serve("c.kith")
        slow = crowds.Slow(server.port)
        slow_thread = threading.Thread(target=slow.run)
        slow_thread.start()
        stalled.start()
        tap.part(starts, work)
        for part in (refusals.hosts, refusals.origins, refusals.content_types,
                     refusals.paths, refusals.long_heads, refusals.methods,
                     refusals.framing, refusals.protocol, refusals.json_bombs,
                     refusals.members, refusals.largest):
            tap.part(part, server.port)
        tap.part(second_server, work, server)
        for part in (with_key, changes, endings, storm):
            tap.part(part, work)
        stalled.check(tap)
        slow_thread.join()
        slow.check(tap)
        before = figures(server)
        tap.part(crowds.large_bodies, server, BODY_BYTES)
        check_figures(tap, "after large bodies", server, before, 32768)
        # malloc() may keep what the first ones took; later ones must find it there.
        crowds.repeat_large_bodies(server)
        before = figures(server)
        crowds.repeat_large_bodies(server)
        check_figures(tap, "after the same again", server, before, 4096)
        tap.part(crowd, server)
        tap.part(documents, server)
        tap.equal("it ends well", server.stop(), 0)
        tap.none("its log", faults_of_log(server))
        tap.none(f"{INSPECTOR.seen} answers: no path, no control byte, no text of the "
                 "request, no CORS; the headers that all have", INSPECTOR.faults)
    tap.finish()


if __name__ == "__main__":
    main()
