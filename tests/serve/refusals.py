"""Requests that a careful server refuses, and those beside them that it takes."""

import json

from raw_http import MARKER, Connection, ask, request, send_raw

KEY = "a-key-of-this-test-0123456789"
SEARCH = {"query": f"{MARKER} river", "k": 2}
EMBED = {"input": f"{MARKER} river", "model": "tiny"}
STORE = "/v1/vector_stores/c/search"
ROUTES = {
    "/healthz": "GET", "/": "GET", "/openapi.json": "GET", "/metrics": "GET",
    "/status": "GET", "/v1/models": "GET", "/v1/embeddings": "POST",
    STORE: "POST", "/retrieval": "POST", "/search": "GET POST",
    "/similar": "GET POST", "/compare": "POST", "/records/r1": "GET PUT DELETE",
}


def expect(faults, what, response, statuses, code=None):
    if response is None:
        faults.append(f"{what}: closed without an answer")
    elif response.status not in statuses or (code and response.code() != code):
        faults.append(f"{what}: {response!r}, wanted {statuses} {code or ''}")


def hosts(tap, port):
    faults = []
    for host in ("localhost", f"localhost:{port}", "localhost:1", "LocalHost:80",
                 "127.0.0.1", f"127.0.0.1:{port}", "[::1]", "[::1]:5484"):
        response = ask(port, "GET", "/status", host=host)
        expect(faults, host, response, [200])
    tap.none("Host: names and addresses of this machine, with any port", faults)
    faults = []
    for host in (
        "evil.example", f"evil.example:{port}", "localhost.", f"localhost.:{port}",
        "localhost.evil.example", "127.0.0.1.evil.example", "127.1", "0.0.0.0", "[::]",
        "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "user@localhost",
        "localhost@evil.example", "evil.example@localhost", "localhost:80@evil.example",
        "localhost/", "localhost,evil.example", "localhost evil.example", "[::1",
        "[::1]evil.example", "::1", "localhost:80:80", "localhost:x", "localhost#",
        "localhost\\", "localhost%00", "a" * 3000, "", " ", "l\u00f6calhost",
    ):
        for target in ("/status", "/healthz", "/no-such-route"):
            response = ask(port, "GET", target, host=host)
            wanted = [400, 403] if len(host.strip()) < 1 else [403]
            expect(faults, f"'{host[:40]}' {target}", response, wanted,
                   None if len(host.strip()) < 1 else "host_not_allowed")
    tap.none("Host: all others are refused, on every path", faults)
    faults = []
    for host, headers, target in (
        (None, [], "/status"), (None, ["X-Host: localhost"], "/status"),
        ("localhost", ["Host: evil.example"], "/status"),
        ("evil.example", ["Host: localhost"], "/status"),
        ("localhost", ["Host: localhost"], "/status"),
        ("localhost", [], "http://evil.example/status"),
        ("evil.example", [], "http://localhost/status"),
        ("evil.example", ["X-Forwarded-Host: localhost"], "/status"),
    ):
        response = ask(port, "GET", target, host=host, headers=headers)
        expect(faults, f"{host} {headers} {target}", response, [400, 403, 404])
    tap.none("Host: missing, twice, or another in the request line", faults)


def origins(tap, port):
    faults = []
    for host, origin in (
        ("localhost", "http://localhost"),
        (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"),
        (f"[::1]:{port}", f"http://[::1]:{port}"), ("localhost", "https://localhost"),
    ):
        response = ask(port, "POST", "/search", SEARCH, [f"Origin: {origin}"],
                       host=host)
        expect(faults, f"{host} {origin}", response, [200])
    tap.none("Origin: the server's own", faults)
    faults = []
    for origin in (
        "null", "http://evil.example", "http://localhost.evil.example", "file://",
        "http://localhost:1", "http://127.0.0.1", "http://user@localhost", "localhost",
        "http://localhost/", "http://localhost http://evil.example", "ftp://localhost",
        "chrome-extension://abc", "",
    ):
        for method, target, body in (("POST", "/search", SEARCH),
                                     ("GET", "/status", None),
                                     ("GET", "/", None)):
            response = ask(port, method, target, body, [f"Origin: {origin}"])
            expect(faults, f"'{origin}' {target}", response, [403],
                   "origin_not_allowed")
    tap.none("Origin: null and all others", faults)
    faults = []
    for headers in (["Origin: http://evil.example"],
                    [f"Origin: http://evil.example:{port}"]):
        host = headers[0].removeprefix("Origin: http://")
        for method, target, body in (("GET", "/search?q=a", None),
                                     ("POST", "/search", SEARCH),
                                     ("PUT", "/records/r1", {"text": "a"})):
            response = ask(port, method, target, body, headers, host=host)
            expect(faults, f"{host} {target}", response, [403], "host_not_allowed")
    both = ["Origin: http://localhost", "Origin: http://evil.example"]
    expect(faults, "two Origins", ask(port, "POST", "/search", SEARCH, both),
           [400, 403])
    tap.none("a page whose name was bound to this machine gets nothing", faults)


def content_types(tap, port):
    faults = []
    for kind in (
        "text/plain", "application/x-www-form-urlencoded", "text/json", "*/*", "",
        "multipart/form-data; boundary=x", "application/jsonp", "application/json2",
        "application/json; charset=latin1", "text/plain; application/json",
        "application/x-www-form-urlencoded, application/json",
    ):
        for target, body in (("/search", SEARCH), ("/v1/embeddings", EMBED),
                             ("/retrieval", {}), ("/compare", {})):
            response = ask(port, "POST", target, body, [f"Content-Type: {kind}"])
            expect(faults, f"'{kind}' {target}", response, [415])
    data = request("POST", "/search", SEARCH).replace(b"Content-Type", b"X-Type")
    expect(faults, "no type", send_raw(port, data), [415], "unsupported_media_type")
    tap.none("a form of another site is refused by its type", faults)
    faults = []
    for kind in ("application/json", "Application/JSON",
                 "application/json; charset=utf-8",
                 'application/json;charset="UTF-8"'):
        response = ask(port, "POST", "/search", SEARCH, [f"Content-Type: {kind}"])
        expect(faults, kind, response, [200])
    tap.none("JSON is taken by any way to write its type", faults)


def paths(tap, port):
    faults = []
    for target in (
        "//", "//healthz", "/healthz/", "/./healthz", "/../healthz", "/healthz/..",
        "/%2e%2e/etc/passwd", "/../../../../etc/passwd", "/healthz%00",
        "/healthz%00.html",
        "/status%2f", "/STATUS", "/status;a=b", "/status\\", "/.", "/..", "/%", "/%z",
        "/%2",
        "/searchx", "/search/", "/v1", "/v1/", "/v1/embeddings/", "/v1//models",
        "/v1/models/../models", "/records", "/index.html", "/favicon.ico", "/%ff%fe",
        "/~",
        "/status%0d%0aX-Evil:%20yes", "/%00", "/status%20", "/metrics/../status",
    ):
        expect(faults, target, ask(port, "GET", target), [400, 404])
    for target in ("/records/%00", "/records/", "/records/%", "/records/%zz",
                   "/records/r1%00", "/records/%2e%2e/%2e%2e/etc/passwd",
                   "/records/r1/",
                   "/records/../../../etc/passwd", "/records/" + "a" * 5000,
                   "/records/%ff%fe", "/records/r1?collection=..",
                   "/records//etc/passwd",
                   "/records/r1?collection=/tmp", "/records/r1?collection=c.kith",
                   "/records/r1?collection=c%00", "/records/r1?nonsense=1"):
        for method in ("GET", "HEAD"):
            expect(faults, f"{method} {target[:60]}", ask(port, method, target),
                   [400, 404])
    for name in ("..", "..%2f..%2fetc", "c.kith", "%00", "c%00", "a" * 5000, "C", "",
                 "c/c"):
        response = ask(port, "POST", f"/v1/vector_stores/{name}/search", {"query": "a"})
        expect(faults, f"store {name[:60]}", response, [400, 404])
    for query in ("q=%ff", "q=%", "q=%zz", "q=a&q=b", "q=a&k=1&k=2", "q=a&nonsense=1",
                  "q=",
                  "q", "", "&&&", "q=a&k=", "q=a&k=0", "q=a&k=-1", "q=a&k=1001",
                  "q=a&k=99999999999999999999", "q=a&k=0x10", "q=a&k=+5",
                  "q=a&k=5%00", "q=a&min_score=nan", "q=a&min_score=inf",
                  "q=a&min_score=2", "q=a&min_recall=-0", "q=a&min_recall=1.5",
                  "q=a&exact=maybe", "q=a&where=((((", "q=a&where=%00", "q=a&where=%ff",
                  "q=a&where=" + "(" * 3000,
                  "q=a&collection=nope", "q=a&mmr=nan"):
        response = ask(port, "GET", f"/search?{query}")
        wanted = [200, 400] if query.endswith(("k=+5", "=-0")) else [400, 404]
        expect(faults, f"/search?{query[:60]}", response, wanted)
    tap.none("paths and queries that mean nothing", faults)


def long_heads(tap, port):
    faults = []
    for size in (9000, 20000, 100000):
        for data in (request("GET", "/" + "a" * size),
                     request("GET", "/search?q=" + "a" * size),
                     request("GET", "/status", headers=["X: " + "a" * size]),
                     request("GET", "/status", headers=["X: y"] * (size // 6)),
                     request("G" * size, "/status")):
            with Connection(port) as connection:
                connection.send(data)
                response = connection.read()
            # What follows a refused head may reset the connection before it is read.
            if response is not None:
                expect(faults, f"{size} {data[:20]!r}", response, [400, 413, 414, 431])
            elif size == 9000:
                faults.append(f"{size} {data[:20]!r}: no answer")
    tap.none("a head of more than 8 KiB", faults)


def methods(tap, port):
    faults = []
    for target, allowed in ROUTES.items():
        allowed = set(allowed.split())
        if "GET" in allowed:
            allowed.add("HEAD")
        for method in ("OPTIONS", "TRACE", "PATCH", "DELETE", "PUT", "POST", "GET",
                       "HEAD",
                       "CONNECT", "PROPFIND", "get", "Get", "FOO", "POST1"):
            if method in allowed:
                continue
            body = {} if method in ("PUT", "POST", "PATCH") else None
            response = ask(port, method, target, body)
            expect(faults, f"{method} {target}", response, [405])
            if response and response.status == 405:
                told = set(response.header("allow").replace(",", " ").split())
                if not told or not told <= allowed or method in told:
                    faults.append(f"{method} {target}: Allow: {told}")
    tap.none("another method is 405, with those that are allowed", faults)
    faults = []
    for target in [t for t, allowed in ROUTES.items() if "GET" in allowed]:
        target += {"/search": "?q=river", "/similar": "?id=r1"}.get(target, "")
        with Connection(port) as connection:
            connection.send(request("HEAD", target) + request("GET", "/healthz"))
            head, after = connection.read(is_head=True), connection.read()
            if not head or head.status != 200 or not after or after.status != 200:
                faults.append(f"HEAD {target}: {head!r}, then {after!r}")
    tap.none("HEAD has a head alone", faults)


def framing(tap, port):
    """What two readers could take for different requests: refused, or the connection
    ends behind the first answer, so that nothing behind it is taken for a request."""
    hidden = request("GET", "/status")
    body = json.dumps(SEARCH).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    n = len(body)
    whole = [f"Content-Length: {n + len(hidden)}", "Transfer-Encoding: chunked"]
    shapes = {
        "both": (whole, chunked),
        "both, the other way round": (whole[::-1], chunked),
        "two lengths": ([f"Content-Length: {n}", "Content-Length: 0"], body),
        "two lengths, the first empty": (["Content-Length: 0", f"Content-Length: {n}"],
                                         body),
        "a list of lengths": ([f"Content-Length: {n}, 0"], body),
        "a length with a sign": ([f"Content-Length: +{n}"], body),
        "a negative length": (["Content-Length: -1"], body),
        "a hexadecimal length": ([f"Content-Length: 0x{n:x}"], body),
        "a length in words": ([f"Content-Length: {n} {n}"], body),
        "no length": (["Content-Length:"], body),
        "a huge length": (["Content-Length: 18446744073709551617"], body),
        "another encoding": (["Transfer-Encoding: xchunked"], chunked),
        "identity": (["Transfer-Encoding: identity"], chunked),
        "two encodings": (["Transfer-Encoding: chunked, identity"], chunked),
        "an encoding twice": (["Transfer-Encoding: x", "Transfer-Encoding: chunked"],
                              chunked),
        "a blank before the colon": (["Transfer-Encoding : chunked"], chunked),
        "a negative chunk": (["Transfer-Encoding: chunked"], b"-1\r\n" + chunked),
        "a chunk of 0x": (["Transfer-Encoding: chunked"], b"0x" + chunked),
        "a huge chunk": (["Transfer-Encoding: chunked"], b"1" + b"0" * 20 + b"\r\n"),
        "a chunk too long": (["Transfer-Encoding: chunked"],
                             b"3\r\n%s\r\n0\r\n\r\n" % body),
        "a folded line": (["Transfer-Encoding:", " chunked"], chunked),
        "no name": ([": x", f"Content-Length: {n}"], body),
        "NUL in a header": (["X: a\0b", "Content-Length\0: 3"], body),
    }
    faults = []
    for name, (headers, content) in shapes.items():
        lines = ["POST /search HTTP/1.1", "Host: localhost",
                 "Content-Type: application/json", *headers, "", ""]
        with Connection(port) as connection:
            connection.send("\r\n".join(lines).encode() + content + hidden)
            responses = []
            while len(responses) < 4 and (response := connection.read(timeout=1)):
                responses.append(response)
        # One that ignores the header altogether reads the body as the next request.
        if len(responses) > 1 and any(b'"version"' in r.body for r in responses):
            faults.append(f"{name}: {responses}")
        if any(r.status >= 500 for r in responses):
            faults.append(f"{name}: {responses}")
    tap.none("lengths that contradict each other hide no request", faults)
    faults = []
    for length in ("-1", "+5", "0x5", "5 5", "5,5", "a", "1e1", "",
                   "99999999999999999999"):
        response = ask(port, "POST", "/search", b"", [f"Content-Length: {length}"])
        if response is not None:
            expect(faults, f"'{length}'", response, [400, 413])
    tap.none("a length that is no number", faults)


def protocol(tap, port):
    targets = 4 * ["/healthz", "/status", "/search?q=river", "/nope", "/v1/models"]
    with Connection(port) as connection:
        connection.send(b"".join(request("GET", target) for target in targets))
        statuses = [r.status if (r := connection.read()) else None for _ in targets]
    tap.equal("20 requests in one packet are answered in order", statuses,
             [200, 200, 200, 404, 200] * 4)
    with Connection(port) as connection:
        connection.send(b"".join(request("POST", "/v1/embeddings", {
            "input": [MARKER] * i, "model": "tiny"}) for i in range(1, 9)))
        lengths = [len(r.json().get("data", [])) if (r := connection.read()) else None
                   for _ in range(8)]
    tap.equal("and so are bodies, one behind the other", lengths, list(range(1, 9)))
    with Connection(port) as connection:
        connection.send(request("POST", "/nope", SEARCH) + request("GET", "/healthz"))
        found = [connection.read(), connection.read()]
    tap.check("the body of a refused request is not taken for the next",
              found[0].status == 404 and (found[1] is None or found[1].status == 200),
              found)
    faults = []
    for version, host, statuses in (("1.0", "localhost", [200]), ("1.0", None, [400]),
                                    ("1.0", "evil.example", [403])):
        with Connection(port) as connection:
            connection.send(request("GET", "/status", host=host, version=version))
            expect(faults, f"{version} {host}", connection.read(), statuses)
            if not connection.is_closed_within(5):
                faults.append(f"HTTP/{version} {host}: not closed")
    for line in (b"GET /status\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                 b"\r\n\r\n\r\n",
                 b"GET /status HTTP/9.9\r\nHost: localhost\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01",
                 b"GET /status HTTP/1.1 x\r\nHost: localhost\r\n\r\n",
                 b"\0" * 3000 + b"\r\n\r\n",
                 b"GET  /status  HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"\xff" * 200 + b"\r\n\r\n",
                 b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b" / HTTP/1.1\r\n\r\n"):
        with Connection(port) as connection:
            connection.send(line)
            response = connection.read(timeout=0.5)
        if response:
            expect(faults, line[:40], response, [200, 400, 403, 404, 405, 505])
    tap.none("HTTP/1.0, and what is no HTTP/1", faults)
    expectations(tap, port)


def expectations(tap, port):
    faults = []
    head, body = request("POST", "/search", SEARCH, ["Expect: 100-continue"]).split(
        b"\r\n\r\n")
    with Connection(port) as connection:
        connection.send(head + b"\r\n\r\n")
        expect(faults, "go on", connection.read(), [100])
        connection.send(body)
        expect(faults, "then", connection.read(), [200])
    for what, status, headers, host in (
        ("too large", 413, ["Content-Length: 1073741824"], "localhost"),
        ("another host", 403, [], "evil.example"),
        ("another type", 415, ["Content-Type: text/plain"], "localhost"),
    ):
        data = request("POST", "/search", SEARCH, ["Expect: 100-continue", *headers],
                       host=host)
        expect(faults, what, send_raw(port, data.split(b"\r\n\r\n")[0] + b"\r\n\r\n"),
               [status])
    response = ask(port, "POST", "/search", SEARCH, ["Expect: nonsense"])
    expect(faults, "nonsense", response, [200, 400])
    tap.none("Expect: 100-continue: the refusal comes before the body", faults)


def nested(depth):
    """A value of that depth."""
    return b"[" * depth + b"]" * depth


def json_bombs(tap, port):
    text = b'"' + MARKER.encode() + b'"'
    faults = []
    for body in (
        b"", b" ", b"[]", b"null", b"1", text, b"{", b"}", b"{}}", b'{"query":' + text,
        b"{'query':1}", b'{"query":' + text + b",}", b'{"query":' + text + b"} x",
        b'{"query":' + text + b"}{}", b'\xef\xbb\xbf{"query":' + text + b"}",
        b'/**/{"query":' + text + b"}", '{"query":"a"}'.encode("utf-16"),
        b'{"query":' + text + b',"query":' + text + b"}",
        b'{"query":' + text + b',"qu\\u0065ry":' + text + b"}",
        b'{"query":' + text + b',"x":{"a":1,"a":1}}',
        b'{"query":' + text + b',"x":' + nested(16) + b"}",
        b"[" * 1000000, b'{"a":' * 100000, b"[" * 8388608,
        *(b'{"query":' + text + b',"min_score":' + number + b"}" for number in (
            b"NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"-1e999", b"1e",
            b"01",
            b".5", b"5.", b"+1", b"0x1", b"9" * 400, b"--1", b"1_0")),
        b'{"query":"\\ud800"}', b'{"query":"\\udc00"}', b'{"query":"\\ud800\\ud800"}',
        b'{"query":"\\u12"}', b'{"query":"\\x41"}', b'{"query":"\xff"}',
        b'{"query":"\xc0\x80"}', b'{"query":"\xed\xa0\x80"}',
        b'{"query":"\xf5\x80\x80\x80"}',
        b'{"query":"\xe2\x82"}', b'{"\xff":1}', b'{"query":"a\nb"}',
        b'{"query":"a\0b"}',
    ):
        for target in ("/search", "/v1/embeddings"):
            response = ask(port, "POST", target, body)
            expect(faults, f"{target} {body[:50]!r}", response, [400], "invalid_json")
    tap.none("what is no JSON, or more than JSON", faults)


def members(tap, port):
    faults = []
    for member, values in {
        "k": [0, -1, 1001, 1.5, "2", True, [], {}, 10**17, 2**63 - 1],
        "min_score": [1.1, -1.1, "0", 1e308], "min_recall": [-0.1, 2, "1"],
        "mmr": [-1, 2, "a"], "exact": ["true", 1], "passages": [1, "a"],
        "where": [1, "(", "a ==", "a = " + "9" * 400, "(" * 100000, "NOT " * 100000],
        "collection": ["", "nope", "../c", "c\0", 1, "a" * 100000],
        "query": [None, 1, [], {}, ["a", 1]], "max_per_source": [-1, "a", 1.5],
        "nonsense": [1], "\0": [1], "": [1], "a" * 100000: [1],
    }.items():
        for value in values:
            response = ask(port, "POST", "/search", SEARCH | {member: value})
            statuses = [404] if member == "collection" else [400]
            expect(faults, f"{member[:20]} {str(value)[:40]}", response,
                   [400, *statuses])
    for member, values in {
        "input": [None, "", [], [""], ["a", ""], 1, {}, ["a", 1], [[]], [["a"]], [-1],
                  [10**9], [400], [2**63 - 1], [[1], 1], [[1], "a"], [1.5], [True],
                  ["a"] * 2049, [[1]] * 2049, [[[1]]]],
        "model": ["nope", None, 1, "", "../tiny", "tiny\0"],
        "encoding_format": ["hex", 1, None, ""], "dimensions": [1, 0, -1, 49, "48",
                                                                1e9],
    }.items():
        for value in values:
            response = ask(port, "POST", "/v1/embeddings", EMBED | {member: value})
            # A client may say null for what it leaves out.
            allowed = [200,
                       400] if value is None and member == "encoding_format" else [400]
            if member == "model":
                allowed.append(404)
            expect(faults, f"{member} {str(value)[:40]}", response, allowed)
    for value in (None, "a", [], ["a"], ["a"] * 257, ["a", 1], [["a"], ["b"]], {}):
        response = ask(port, "POST", "/compare", {"sentences": value})
        expect(faults, f"sentences {str(value)[:40]}", response, [400])
    tap.none("members out of their range", faults)


def largest(tap, port):
    faults = []
    for body in (EMBED | {"x": json.loads(nested(15))},
                 EMBED | {"input": [MARKER] * 2048},
                 EMBED | {"input": "a\0b"}, EMBED | {"user": None},
                 EMBED | {"input": "a " * 4000000}):
        response = ask(port, "POST", "/v1/embeddings", body)
        expect(faults, str(body)[:60], response, [200])
    vectors = [r.json()["data"][0]["embedding"] if r and r.status == 200 else r
               for r in (ask(port, "POST", "/v1/embeddings", EMBED | {"input": text})
                         for text in ("river", "river\0sea"))]
    if vectors[0] == vectors[1]:
        faults.append("a text ends at its NUL")
    tap.none("the largest that is allowed", faults)


def keys(tap, port):
    """A server whose key is KEY."""
    good = f"Authorization: Bearer {KEY}"
    faults = []
    for headers in ([good], [good, "Origin: http://localhost"]):
        expect(faults, headers, ask(port, "GET", "/status", headers=headers), [200])
    for target in ("/", "/healthz", "/openapi.json"):
        for method in ("GET", "HEAD"):
            expect(faults, target, ask(port, method, target), [200])
    tap.none("the key opens; three routes need none", faults)
    faults = []
    for headers in (
        [], ["Authorization:"], ["Authorization: Bearer"], ["Authorization: Bearer "],
        [f"Authorization: {KEY}"], [f"Authorization: Basic {KEY}"],
        [f"Authorization: Bearer{KEY}"], [f"Authorization: Bearer {KEY}x"],
        [f"Authorization: Bearer {KEY[:-1]}"], [f"Authorization: Bearer {KEY.upper()}"],
        [f"Authorization: Bearer {KEY} x"], [f'Authorization: Bearer "{KEY}"'],
        [f"Authorization: Bearer x, Bearer {KEY}"],
        ["Authorization: Bearer " + "a" * 7000],
        [f"Authorization: Bearer \0{KEY}"], [f"X-Api-Key: {KEY}"],
        [f"Cookie: key={KEY}"],
    ):
        for method, target, body in (
            ("GET", "/status", None), ("GET", "/metrics", None),
            ("HEAD", "/status", None),
            ("POST", "/search", SEARCH), ("POST", "/v1/embeddings", EMBED),
            ("POST", STORE, {"query": "a"}), ("GET", "/records/r1", None),
            ("PUT", "/records/r1", {"text": "a"}), ("GET", f"/status?key={KEY}", None),
        ):
            response = ask(port, method, target, body, headers)
            # libmicrohttpd itself refuses NUL in a head.
            allowed = [400, 401] if "\0" in str(headers) else [401]
            expect(faults, f"{headers} {method} {target}", response, allowed)
            if response and response.status == 401:
                if not response.header("www-authenticate").startswith("Bearer"):
                    faults.append(f"{target}: no WWW-Authenticate")
                if method != "HEAD" and response.code() != "unauthorized":
                    faults.append(f"{target}: {response!r}")
    for headers in (["Authorization: Bearer wrong", good], [good, good]):
        response = ask(port, "GET", "/status", headers=headers)
        expect(faults, headers, response, [400, 401])
    tap.none("no key, a wrong key, or a key in another place", faults)
    faults = []
    knowledge = {"knowledge_id": "c", "query": "a", "retrieval_setting": {
        "top_k": 1, "score_threshold": 0}}
    for headers, number in (([], 1001), (["Authorization: Basic eA=="], 1001),
                            (["Authorization: Bearer wrong"], 1002)):
        response = ask(port, "POST", "/retrieval", knowledge, headers)
        if not response or response.status != 401 or response.json().get(
                "error_code") != number:
            faults.append(f"{headers}: {response!r}, wanted {number}")
    tap.none("/retrieval has numbers of its own for that", faults)
    response = ask(port, "POST", "/search", {"query": "a"}, [good], host="evil.example")
    tap.check("the key does not open to another Host", response.status == 403, response)
