"""Clients that are slow, that are many, and that send far too much."""

import asyncio
import time

from raw_http import Connection, INSPECTOR, MARKER, parse, request

EMBED_MANY = {"input": [MARKER] * 2048, "model": "tiny"}
GIGABYTE = 1 << 30


class Slow:
    """Slow clients, all at the same time, for some 40 s.

    `seconds` until the server closed each; `received`: what it had sent by then.
    """

    LIMIT = 38
    DEAF = 60  # requests of 1 MB of answer each: more than the kernel's buffers hold

    def __init__(self, port):
        self.port = port
        self.seconds = {}
        self.received = {}

    @staticmethod
    async def rest(reader, seconds):
        """What comes within that time, or until the end."""
        received = b""
        try:
            async with asyncio.timeout(seconds):
                while more := await reader.read(1 << 16):
                    received += more
        except (TimeoutError, ConnectionError):
            pass
        return received

    async def client(self, name, start=b"", drip=b"", first=b""):
        """Has `first` answered, sends `start`, then `drip` four times a second."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        if first:
            writer.write(first)
            await reader.readuntil(b"\r\n\r\n")
        begun = time.monotonic()
        writer.write(start)
        received = b""
        while not reader.at_eof() and time.monotonic() < begun + self.LIMIT:
            received += await self.rest(reader, 0.25)
            if drip and not reader.exception():
                writer.write(drip)
            if reader.exception():
                break
        self.seconds[name] = time.monotonic() - begun
        self.received[name] = received
        writer.close()

    async def deaf(self, name):
        """Asks again and again, and does not read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port,
                                                       limit=1024)
        writer.write(request("POST", "/v1/embeddings", EMBED_MANY) * self.DEAF)
        await asyncio.sleep(self.LIMIT)
        received = await self.rest(reader, 20)
        self.received[name] = received
        writer.close()

    async def reads_slowly(self, name):
        """A megabyte in 32 pieces and 3 s."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port,
                                                       limit=1024)
        data = request("POST", "/v1/embeddings", EMBED_MANY, ["Connection: close"])
        writer.write(data)
        received = b""
        while more := await reader.read(32768):
            received += more
            await asyncio.sleep(0.1)
        self.received[name] = received
        writer.close()

    async def all(self):
        get = request("GET", "/healthz")
        post = request("POST", "/search", {"query": MARKER * 1000})
        at = post.index(b"\r\n\r\n") + 4
        begun_head = b"GET /healthz HTTP/1.1\r\nX: "
        await asyncio.gather(
            self.client("no head"),
            self.client("half a head", get[:20]),
            self.client("a head byte by byte", begun_head, b"a"),
            self.client("no body", post[:at]),
            self.client("half a body", post[: at + 500]),
            self.client("a body byte by byte", post[:at], b" "),
            self.client("no second request", first=get),
            self.client("a second head byte by byte", begun_head, b"a", get),
            self.deaf("reads nothing"),
            self.reads_slowly("reads slowly"),
        )

    def run(self):
        asyncio.run(self.all())

    def check(self, tap):
        bounds = {name: (4, 8) for name in (
            "no head", "half a head", "a head byte by byte")}
        bounds |= {name: (25, 36) for name in (
            "no body", "half a body", "a body byte by byte", "no second request")}
        bounds["a second head byte by byte"] = (4, 36)
        for name, (least, most) in bounds.items():
            seconds = self.seconds.get(name, 0)
            tap.check(f"{name}: closed after {least} to {most} s",
                      least <= seconds <= most, f"{seconds:.1f} s")
            found = parse(self.received.get(name, b""), at_end=True)
            if found:
                status = INSPECTOR.inspect(found[0]).status
                tap.check(f"{name}: what it is told", status in (400, 408), found[0])
        count = self.received["reads nothing"].count(b"HTTP/1.1 200")
        tap.check("reads nothing: is not served for ever", 0 < count < self.DEAF,
                  f"{count} of {self.DEAF} answers")
        found = parse(self.received["reads slowly"], at_end=True)
        tap.check("reads slowly: gets all of it",
                  found and len(found[0].json()["data"]) == 2048)


class Crowd:
    """Connections that are all open at the same time, each with one request."""

    def __init__(self, port, count):
        self.port = port
        self.count = count
        self.statuses = {}  # 0: closed without an answer
        self.decided = 0
        self.all_decided = asyncio.Event()

    async def one(self, gate):
        status, writer = 0, None
        try:
            async with gate:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(request("GET", "/healthz"))
            async with asyncio.timeout(60):
                head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.decided += 1
        if self.decided == self.count:
            self.all_decided.set()
        await self.all_decided.wait()
        if writer:
            writer.close()

    async def all(self):
        gate = asyncio.Semaphore(500)  # that are connecting
        await asyncio.gather(*(self.one(gate) for _ in range(self.count)))

    def run(self):
        asyncio.run(self.all())
        return self.statuses


def one_large_body(port, headers, pieces):
    """(response, bytes sent until then) of a body that is sent piece by piece."""
    sent = 0
    data = request("POST", "/search", b"", headers)
    with Connection(port) as connection:
        connection.send(data)
        for piece in pieces:
            connection.fill(0)
            if connection.data or connection.closed or not connection.send(piece):
                break
            sent += len(piece)
        return connection.read(timeout=10), sent


SMALL_VALUES = (("empty objects", b"{}"), ("empty lists", b"[]"),
                ("numbers", b"1"), ("empty texts", b'""'))


def post_small_values(server, value, size):
    """A body that a reader of JSON may make a hundred times as large."""
    values = b",".join([value] * (size // (len(value) + 1)))
    with Connection(server.port) as connection:
        body = b'{"model":"tiny","input":"a","x":[%s]}' % values
        connection.send(request("POST", "/v1/embeddings", body))
        return connection.read()


def small_values(tap, server):
    for name, value in SMALL_VALUES:
        before = server.in_proc("VmRSS")
        server.reset_peak()
        response = post_small_values(server, value, (8 << 20) - 100)
        grown = server.in_proc("VmHWM") - before
        tap.check(f"8 MiB of {name} do not take 128 MiB",
                  response and response.status in (200, 400) and grown < 128 << 10,
                  response, f"{grown} KiB more")


def repeat_large_bodies(server):
    """What is refused, and what is just small enough to be taken."""
    for _ in range(4):
        for _, value in SMALL_VALUES:
            for size in ((8 << 20) - 100, 40000):
                post_small_values(server, value, size)


def large_bodies(tap, server, size):
    """Bodies of `size` bytes, four times as large as the server's memory may grow."""
    port = server.port
    length = f"Content-Length: {GIGABYTE}"
    begun = time.monotonic()
    response, _ = one_large_body(port, [length], [])
    tap.check("a gigabyte by Content-Length is refused at once",
              response and response.status == 413 and response.code() == "too_large"
              and time.monotonic() - begun < 2, response)
    piece = b"a" * (1 << 16)
    answers = [one_large_body(port, [length], [piece] * n)[0] for n in (1, 4, 64)]
    tap.check("a client that sends on can read why",
              all(r and r.status == 413 for r in answers), answers)
    chunk = b"10000\r\n" + piece + b"\r\n"
    chunked = ["Transfer-Encoding: chunked"]
    endless = [chunk] * (size >> 16) + [b"0\r\n\r\n"]
    response, sent = one_large_body(port, chunked, endless)
    tap.check(f"{size >> 20} MiB in chunks are refused",
              response and response.status == 413, response, f"{sent} bytes sent")
    if server.work.has_asan:
        tap.skip("its memory", "freed memory is kept under AddressSanitizer")
        return
    before = server.in_proc("VmRSS")
    server.reset_peak()
    for _ in range(3):
        one_large_body(port, chunked, endless)
        one_large_body(port, [length], [piece] * 16)
    grown = server.in_proc("VmHWM") - before
    tap.check("memory stays below four bodies", grown < 32 << 10, f"{grown} KiB more")
    small_values(tap, server)
    # Many chunks of one byte: nothing may be kept of each.
    body = b"1\r\na\r\n" * 200000 + b"0\r\n\r\n"
    server.reset_peak()
    before = server.in_proc("VmRSS")
    response, _ = one_large_body(port, chunked, [body])
    grown = server.in_proc("VmHWM") - before
    tap.check("200,000 chunks of a byte take no memory each",
              response and response.status == 400 and grown < 4 << 10, response,
              f"{grown} KiB more")
