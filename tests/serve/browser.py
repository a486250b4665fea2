"""What tests/serve/page.py works with: TAP, servers, and a browser."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATIENCE = 20


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


try:
    from selenium import webdriver
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    skip("the Python package selenium is missing")


# ---------------------------------------------------------------- TAP

results = []


def ok(good, name, detail=""):
    results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(results)} - {name}", flush=True)
    if not good and detail != "":
        print(f"# {str(detail)[:2000]}", flush=True)


def not_run(name, reason):
    results.append(True)
    print(f"ok {len(results)} - {name} # SKIP {reason}", flush=True)


def finish():
    print(f"1..{len(results)}")
    sys.exit(not all(results))


def equal(got, wanted, name):
    ok(got == wanted, name, f"got {got!r}, wanted {wanted!r}")


# ---------------------------------------------------------------- the server


class Server:
    """`kith serve` on a free port."""

    def __init__(self, kith, *arguments):
        self.process = subprocess.Popen(
            [kith, "serve", "--port", "0", *map(str, arguments)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = None
        for line in self.process.stderr:
            if "listening on http://127.0.0.1:" in line:
                self.url = line.split("listening on ")[1].strip()
                break
        if self.url is None:
            raise RuntimeError(f"kith serve ended with {self.process.wait()}")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


@contextmanager
def serving(kith, *arguments):
    server = Server(kith, *arguments)
    try:
        yield server
    finally:
        server.stop()


class SlowServer(BaseHTTPRequestHandler):
    """The page over answers that come late, which a quick server cannot show."""

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


# ---------------------------------------------------------------- the browser


class Browser:
    def __init__(self, chromium, driver, folder):
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={folder}",
        ):
            options.add_argument(argument)
        options.set_capability(
            "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
        )
        service = webdriver.ChromeService(executable_path=driver)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.requests = []
        self.complaints = []
        self.size(1200, 900)

    def close(self):
        self.driver.quit()

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def size(self, width, height):
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, name):
        self.cdp(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": name},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def open(self, url):
        """A fresh page, even where only the part after # differs."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def wait(self, script, *arguments, patience=PATIENCE):
        """Until the JavaScript expression is true: its value, or None."""
        try:
            return WebDriverWait(self.driver, patience, poll_frequency=0.02).until(
                lambda _: self.js(f"return {script}", *arguments)
            )
        except TimeoutException:
            return None

    def text(self, selector):
        return self.js(
            "return document.querySelector(arguments[0])?.innerText ?? ''", selector
        )

    def all(self, selector):
        return self.js(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map(node => node.innerText)",
            selector,
        )

    def count(self, selector):
        return len(self.all(selector))

    def has(self, selector):
        """Waits for it."""
        return self.wait("document.querySelector(arguments[0]) !== null", selector)

    def says(self, selector, text):
        """Waits for it."""
        return self.wait(
            "document.querySelector(arguments[0])?.innerText" ".includes(arguments[1])",
            selector,
            text,
        )

    def hidden(self, selector):
        return self.js("return document.querySelector(arguments[0]).hidden", selector)

    def focused(self, expression):
        """A JavaScript expression of what has the focus, there called node."""
        return self.js(f"const node = document.activeElement; return {expression}")

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)

    def focus(self, selector):
        self.js("document.querySelector(arguments[0]).focus()", selector)

    def keys(self, *keys):
        """Pressed where the focus is, as a person would."""
        actions = webdriver.ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def back_tab(self):
        actions = webdriver.ActionChains(self.driver)
        actions.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()

    def read_logs(self):
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
        for entry in self.driver.get_log("browser"):
            self.complaints.append(entry["message"])


def settled(browser):
    """The answer is drawn, or the problem told; never the state before either."""
    return browser.wait(
        "document.querySelector('#answer').getAttribute('aria-busy') === 'false' && "
        "(document.querySelector('#answer').childElementCount > 0 || "
        "document.querySelector('#problem').childElementCount > 0)"
    )


def picture(browser, name):
    folder = os.environ.get("KITH_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def check_axe(browser, axe, name):
    if axe is None:
        not_run(f"{name}: axe-core finds nothing serious", "no axe.min.js ($KITH_AXE)")
        return
    if not browser.js("return typeof axe === 'object'"):
        browser.js(axe + "; window.axe = axe;")
    found = browser.driver.execute_async_script(
        "const done = arguments[0];"
        "axe.run().then(done, error => done({error: String(error)}))"
    )
    if "error" in found:
        ok(False, f"{name}: axe-core runs", found["error"])
        return
    serious = [
        f"{one['id']}: {one['nodes'][0]['html']} ({len(one['nodes'])})"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    minor = [
        one["id"]
        for one in found["violations"]
        if one["impact"] not in ("serious", "critical")
    ]
    if minor:
        print(f"# {name}: lesser findings of axe-core: {', '.join(minor)}")
    ok(not serious, f"{name}: axe-core finds nothing serious", serious)


def check_width(browser, name):
    sizes = browser.js("return [document.documentElement.scrollWidth, innerWidth]")
    ok(sizes[0] <= sizes[1], f"{name}: no wider than the window", sizes)
