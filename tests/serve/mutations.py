"""Valid requests of every route, and what becomes of them by chance."""

import json
import random
import socket
import threading
import time
from urllib.parse import quote

from raw_http import MARKER, Connection, answers, ask, request

WORKERS = 4
# How long a request may be without an answer before its sender says that it has ended:
# what lacks a part of its body would wait for it.
PATIENCE = 0.1

TEXT = f"{MARKER} river soup"
BODIES = [
    ("POST", "/v1/embeddings", {"input": TEXT, "model": "tiny"}),
    ("POST", "/v1/embeddings", {"input": [TEXT, "a day"], "model": "tiny",
                                "encoding_format": "base64", "dimensions": 48}),
    ("POST", "/v1/embeddings", {"input": [[2, 9, 30, 3], [7]], "model": "tiny",
                                "user": "somebody"}),
    ("POST", "/v1/vector_stores/c/search", {
        "query": [TEXT, "a day"], "max_num_results": 3, "rewrite_query": False,
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
        "filters": {"type": "and", "filters": [
            {"type": "eq", "key": "lang", "value": "en"},
            {"type": "or", "filters": [
                {"type": "gte", "key": "year", "value": 2001},
                {"type": "in", "key": "year", "value": [1, 2000]}]}]}}),
    ("POST", "/retrieval", {
        "knowledge_id": "c", "query": TEXT,
        "retrieval_setting": {"top_k": 3, "score_threshold": 0.0},
        "metadata_condition": {"logical_operator": "or", "conditions": [
            {"name": ["lang"], "comparison_operator": "is", "value": "en"},
            {"name": ["year"], "comparison_operator": "≥", "value": 2001},
            {"name": ["lang"], "comparison_operator": "start with", "value": "e"},
            {"name": ["x"], "comparison_operator": "empty"}]}}),
    ("POST", "/search", {"query": TEXT, "k": 4, "min_score": -1, "passages": True,
                         "where": 'lang = "en" AND year >= 2000', "exact": False,
                         "collection": "c", "min_recall": 0.9}),
    ("POST", "/search", {"query": TEXT, "mmr": 0.5, "max_per_source": 2}),
    ("POST", "/similar", {"id": "r1", "k": 2, "exact": True}),
    ("POST", "/compare", {"sentences": [TEXT, "a day", "a day", ""]}),
    ("PUT", "/records/p%201?collection=c", {"text": TEXT, "title": "a title",
                                            "metadata": {"lang": "de", "year": 7}}),
    ("PUT", "/records/r1", {"text": TEXT}),
]
QUERIES = [
    ("GET", "/"), ("GET", "/healthz"), ("GET", "/openapi.json"), ("GET", "/metrics"),
    ("GET", "/status"), ("GET", "/v1/models"),
    ("GET", f"/search?q={quote(TEXT)}&k=3&where={quote('year < 2010')}&exact=true"),
    ("GET", "/search?q=river&mmr=0.3&passages=true&min_score=0.1&collection=c"),
    ("GET", "/similar?id=r2&k=5&min_recall=0.5&max_per_source=1"),
    ("GET", "/records/r1?collection=c"), ("GET", "/records/a%2Fb"),
    ("HEAD", "/status"), ("DELETE", "/records/r3"), ("DELETE", "/records/none"),
]
VALUES = [
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, -(2**63), 1e308, 5e-324, 0.5, "",
    "\0",
    "a", "\ufeff", "\U0010ffff", "\u202e", "%s%n", "../..", "' OR 1=1 --", "a" * 70000,
    [], {}, [[]], [None], {"": {}}, [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], ["a"] * 300,
    [1] * 3000, "year =", "((((", '"', "\\", "\r\nX: y", "😀" * 50, "́" * 400,
]
PIECES = [
    b"\0", b"\r\n", b"\n", b"\r\n\r\n", b"%00", b"%", b"\xff", b"\xc0\x80", b"{", b"}",
    b'"',
    b"\\u0000", b"\\ud800", b"[" * 40, b"A" * 9000, b":", b" ", b"\t", b",", b"-",
    b"1e999",
    b"HTTP/1.1", b"Host: evil.example\r\n", b"Content-Length: 5\r\n", b"&k=1", b"?",
    b"/",
    b"../", b"\x1b[31m", b"\x80", b"NaN", b"99999999999999999999",
]
HEADERS = [
    "Host: evil.example", "Host:", "Host: localhost", "Origin: null",
    "Content-Length: 0",
    "Origin: http://localhost", "Origin: http://evil.example",
    "Content-Type: text/plain",
    "Content-Type: application/json; charset=utf-8", "Transfer-Encoding: chunked",
    "Content-Length: 10", "Content-Length: 1000000000", "Content-Length: -1",
    "Transfer-Encoding: gzip", "Expect: 100-continue", "Expect: x", "Connection: close",
    "Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c", "Range: bytes=0-1",
    "If-None-Match: *", "Accept: text/plain", "Accept-Encoding: gzip",
    "Cookie: a=b; a=c",
    "Authorization: Bearer x", "Authorization: Basic eDp4", "X: \x01\x1b[31m", ": x",
    "X",
    "X: " + "a" * 9000, "Forwarded: host=evil.example",
    "X-HTTP-Method-Override: DELETE",
    "Content-Encoding: gzip", "Trailer: X", "TE: trailers", "Keep-Alive: timeout=99999",
    "Content-Length : 3", "\tfolded", "Proxy: evil.example",
]
METHODS = "GET POST PUT DELETE HEAD OPTIONS TRACE PATCH CONNECT get X".split()


def nodes(value, path=()):
    """The path of every value in a document."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from nodes(value[key], path + (key,))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from nodes(item, path + (i,))


def change_node(rng, document):
    """Replaces, takes away, renames, repeats or adds to a value somewhere."""
    document = json.loads(json.dumps(document))
    path = rng.choice(list(nodes(document))[1:] or [()])
    if not path:
        return rng.choice(VALUES)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    kind = rng.randrange(6)
    if kind <= 2:
        parent[key] = rng.choice(VALUES)
    elif kind == 3:
        del parent[key]
    elif kind == 4:
        parent[key] = [parent[key]] * rng.choice((1, 2, 50))
    elif isinstance(parent, dict):
        parent[rng.choice(("x", "", "k", "query", "input", "a" * 5000, "\0"))] = (
            parent[key] if rng.random() < 0.5 else rng.choice(VALUES))
    else:
        parent.append(rng.choice(VALUES))
    return document


def change_target(rng, target):
    path, _, query = target.partition("?")
    kind = rng.randrange(5)
    if kind == 0 or not query:
        parts = path.split("/")
        i = rng.randrange(len(parts))
        parts[i] = rng.choice(("", "..", "%2e%2e", "%00", "x" * 300, parts[i] + "x",
                               "%zz",
                               parts[i].upper(), "%ff", parts[i] + "%00", "c",
                               "status"))
        return "/".join(parts) + ("?" + query if query else "")
    members = query.split("&")
    i = rng.randrange(len(members))
    if kind == 1:
        del members[i]
    elif kind == 2:
        members.append(members[i])
    else:
        value = rng.choice(VALUES)
        text = value if isinstance(value, str) else json.dumps(value)
        members[i] = members[i].split("=")[0] + "=" + quote(text)[:6000]
    return path + "?" + "&".join(members)


def change_bytes(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 30))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 2, 8, 40)))
        kind = rng.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:at] = rng.choice(PIECES)
        elif kind == 4:
            data[at:at] = data[at:end]
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


def mutated(rng):
    method, target, *body = rng.choice(BODIES if rng.random() < 0.7 else QUERIES)
    body = body[0] if body else None
    headers, host, version = [], "localhost", "1.1"
    kinds = rng.choices(("body", "target", "header", "method", "bytes"),
                        (5, 3, 4, 1, 5), k=rng.choice((1, 1, 2)))
    if "body" in kinds and body is not None:
        body = change_node(rng, body)
    if "target" in kinds:
        target = change_target(rng, target)
    if "method" in kinds:
        method = rng.choice(METHODS)
    if "header" in kinds:
        headers = rng.sample(HEADERS, rng.choice((1, 1, 2, 4)))
        if rng.random() < 0.05:
            headers *= 40
        host = rng.choice(("localhost",) * 8 + (None, "evil.example", "[::1]:99"))
        version = rng.choice(("1.1",) * 8 + ("1.0", "1.2", "0.9"))
    data = request(method, target, body, headers, host=host, version=version)
    if "bytes" in kinds:
        data = change_bytes(rng, data)
    return data


def exchange(port, data):
    """The responses to what was sent, and whether the server closed."""
    responses = []
    with Connection(port) as connection:
        whole = connection.send(data)
        is_head = data.startswith(b"HEAD ")
        end = time.monotonic() + 20
        patience = PATIENCE
        while not connection.closed and time.monotonic() < end:
            response = connection.read(timeout=patience, is_head=is_head)
            if response:
                responses.append(response)
            elif not connection.closed and patience == PATIENCE:
                patience = 20
                if whole:
                    connection.socket.shutdown(socket.SHUT_WR)
            if responses and responses[-1].status >= 200:
                break
    return responses, connection.closed


class Storm:
    def __init__(self, server, seed, count):
        self.server = server
        self.seed = seed
        self.count = count
        self.next = 0
        self.lock = threading.Lock()
        self.faults = []
        self.statuses = {}

    def take(self):
        with self.lock:
            if self.next >= self.count or len(self.faults) >= 20:
                return None
            self.next += 1
            return self.next - 1

    def one(self, i):
        data = mutated(random.Random(f"{self.seed}-{i}"))
        try:
            responses, closed = exchange(self.server.port, data)
        except OSError as error:
            self.faults.append(f"{i}: {error}: {data[:300]!r}")
            return
        if not responses and not closed:
            self.faults.append(f"{i}: no end: {data[:300]!r}")
        for response in responses:
            self.faults += [f"{i}: {fault} for {data[:300]!r}"
                            for fault in response.faults]
        for status in [response.status for response in responses] or [0]:
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
        if i % 50 == 0 and not answers(self.server):
            self.faults.append(f"{i}: no answer afterwards; {data[:300]!r}")
        if not self.server.is_alive():
            self.faults.append(f"{i}: THE SERVER IS GONE: {data[:2000]!r}")

    def work(self):
        while (i := self.take()) is not None:
            self.one(i)

    def run(self):
        workers = [threading.Thread(target=self.work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return self.faults


def unmutated(port):
    """Faults of the requests as they are: all of them have to succeed."""
    faults = []
    for method, target, *body in BODIES + QUERIES:
        response = ask(port, method, target, body[0] if body else None)
        wanted = {"/records/a%2Fb": 404, "/records/none": 404}.get(target)
        good = response and response.status in ((wanted,) if wanted else (200, 201))
        if not good:
            faults.append(f"{method} {target}: {response!r}")
    return faults
