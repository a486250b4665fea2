"""The page over answers that come late, which a quick server cannot show."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class SlowServer(BaseHTTPRequestHandler):
    page = b""
    delay = 1.0

    def log_message(self, *_):
        pass

    def answer(self, kind, body):
        try:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            pass

    def do_GET(self):
        if self.path == "/":
            self.answer("text/html; charset=utf-8", self.page)
            return
        model = {"name": "slow", "precision": "fp32"}
        collection = {"name": "slow", "records": 1}
        self.answer(
            "application/json",
            json.dumps(
                {
                    "v": 1,
                    "version": "0",
                    "model": model,
                    "collections": [collection],
                }
            ).encode(),
        )

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        query = json.loads(body)["query"]
        time.sleep(self.delay if query == "slow" else 0)
        hit = {
            "rank": 1,
            "id": "1",
            "passage": 0,
            "score": 0.5,
            "text": query,
            "title": "<b>&amp;</b>",
            "metadata": {},
            "source": {},
        }
        self.answer(
            "application/json",
            json.dumps(
                {
                    "v": 1,
                    "query": query,
                    "exact": False,
                    "recall": 0.9671,
                    "hits": [hit],
                    "plan": "approximate",
                    "collection": "slow",
                    "model": "slow",
                    "precision": "fp32",
                    "milliseconds": 1.0,
                }
            ).encode(),
        )


@contextmanager
def slow_server(page):
    SlowServer.page = page
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
