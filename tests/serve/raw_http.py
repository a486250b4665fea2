"""HTTP/1.1 by hand, so that a test can send what no client library would.

Every answer that is read goes through inspect(): what holds for all of them is checked
for all of them.
"""

import json
import re
import socket
import time

# Is in every text that is sent: no message of an error and no log line may repeat it.
MARKER = "xyzzyplugh"

DOCUMENTED = {200, 201, 400, 401, 403, 404, 405, 413, 414, 415, 431, 503, 505}
# Given by libmicrohttpd itself, before a request reaches kith: plain text.
BY_THE_LIBRARY = {400, 413, 414, 431, 505}


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case, a list of values for each
        self.body = body
        self.faults = []

    def header(self, name):
        return ", ".join(self.headers.get(name, []))

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    def code(self):
        """The `code` of an error, None where the body is no such object."""
        try:
            document = self.json()
        except ValueError:
            return None
        return document.get("code") if isinstance(document, dict) else None

    def __repr__(self):
        return f"{self.status} {self.body[:120]!r}"


class Inspector:
    """Faults that any answer may have; `paths` are those of this machine."""

    def __init__(self):
        self.paths = []
        self.faults = []
        self.seen = 0

    def fault(self, what, response):
        response.faults.append(f"{what}: {response!r}")
        if len(self.faults) < 50:
            self.faults.append(response.faults[-1])

    def inspect(self, response):
        self.seen += 1
        body = response.body
        if any(path.encode() in body for path in self.paths):
            self.fault("a path of the machine", response)
        # libmicrohttpd 0.9.75 sends the head of its own errors twice.
        is_twice = response.status in BY_THE_LIBRARY and body.startswith(b"HTTP/1.1 ")
        if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", body) and not is_twice:
            self.fault("a control byte", response)
        if any(name.startswith("access-control-") for name in response.headers):
            self.fault("a header of CORS", response)
        if body and response.header("content-type") == "application/json":
            try:
                response.json()
            except ValueError as error:
                self.fault(f"no JSON: {error}", response)
        if response.status not in DOCUMENTED | {100}:
            self.fault("an undocumented status", response)
        if response.status >= 400:
            self.inspect_error(response)
        elif response.status >= 200:
            self.inspect_headers(response)
        return response

    def inspect_error(self, response):
        if not response.body and "content-length" in response.headers:
            return  # of HEAD, which has none
        code = response.code()
        if code is None:
            if response.status not in BY_THE_LIBRARY:
                self.fault("an error without a code", response)
            return
        self.inspect_headers(response)
        if not isinstance(response.json().get("message"), str):
            self.fault("an error without a message", response)
        # A message may name an unknown member, which a mutation may make of a text.
        if MARKER.encode() in response.body and code != "invalid_request":
            self.fault("text of the request", response)

    def inspect_headers(self, response):
        if response.header("x-content-type-options") != "nosniff":
            self.fault("no nosniff", response)
        if response.header("cache-control") != "no-store":
            self.fault("no no-store", response)


INSPECTOR = Inspector()


def request(method, target, body=None, headers=(), host="localhost", version="1.1"):
    """The bytes of a request; a body is JSON unless the headers say otherwise."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    given = {line.split(":")[0].lower() for line in headers}
    if body is not None:
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if "content-type" not in given:
            lines.append("Content-Type: application/json")
        if not {"content-length", "transfer-encoding"} & given:
            lines.append(f"Content-Length: {len(body)}")
    lines += headers
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + (body or b"")


def parse_head(data):
    """(status, headers, bytes after the head), or None where it has not ended yet."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return int(lines[0].split()[1]), headers, rest


def parse(data, is_head=False, at_end=False):
    """(response, bytes that follow it), or None where more has to be read."""
    found = parse_head(data)
    if found is None:
        return None
    status, headers, rest = found
    if is_head or status < 200 or status in (204, 304):
        return Response(status, headers, b""), rest
    length = headers.get("content-length")
    if length is None:
        return (Response(status, headers, rest), b"") if at_end else None
    if len(rest) < int(length[0]):
        return None
    return Response(status, headers, rest[: int(length[0])]), rest[int(length[0]) :]


class Connection:
    """Blocking; what it has not parsed yet is kept."""

    def __init__(self, port, timeout=20.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.data = b""
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False where the server has closed before it had all."""
        self.socket.settimeout(self.timeout)
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def fill(self, timeout):
        """Reads once. False: nothing came in time, or the connection is closed."""
        self.socket.settimeout(max(timeout, 0.001))
        try:
            more = self.socket.recv(1 << 20)
        except TimeoutError:
            return False
        except ConnectionResetError:
            more = b""
        if not more:
            self.closed = True
        self.data += more
        return bool(more)

    def read(self, timeout=20.0, is_head=False):
        """The next response; None where there is none in time or before the end."""
        end = time.monotonic() + timeout
        while True:
            found = parse(self.data, is_head, self.closed)
            if found:
                self.data = found[1]
                return INSPECTOR.inspect(found[0])
            if self.closed or not self.fill(end - time.monotonic()):
                if not self.closed:
                    return None
                found = parse(self.data, is_head, True)
                self.data = found[1] if found else b""
                return INSPECTOR.inspect(found[0]) if found else None

    def is_closed_within(self, timeout):
        """Whether the server closes; what it sends meanwhile is kept."""
        end = time.monotonic() + timeout
        while not self.closed and time.monotonic() < end:
            self.fill(end - time.monotonic())
        return self.closed


def send_raw(port, data, timeout=20.0, is_head=False):
    """One connection, one request, one response (None: closed without one)."""
    with Connection(port, timeout) as connection:
        connection.send(data)
        return connection.read(timeout, is_head)


def ask(port, method, target, body=None, headers=(), **how):
    data = request(method, target, body, headers, **how)
    return send_raw(port, data, is_head=method == "HEAD")


def answers(server, seconds=10):
    """Whether GET /healthz is answered in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.is_alive():
        try:
            response = ask(server.port, "GET", "/healthz")
        except OSError:
            response = None
        if response and response.status == 200:
            return True
        time.sleep(0.02)
    return False
