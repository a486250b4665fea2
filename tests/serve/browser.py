"""The browser of page.py, and what is checked of every state of the page."""

import json
import os
from pathlib import Path

from tap import skip_all

try:
    from selenium import webdriver
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    skip_all("the Python package selenium is missing")

PATIENCE = 20


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


def check_axe(tap, browser, axe, name):
    if axe is None:
        tap.skip(f"{name}: axe-core finds nothing serious", "no axe.min.js ($KITH_AXE)")
        return
    if not browser.js("return typeof axe === 'object'"):
        browser.js(axe + "; window.axe = axe;")
    found = browser.driver.execute_async_script(
        "const done = arguments[0];"
        "axe.run().then(done, error => done({error: String(error)}))"
    )
    if "error" in found:
        tap.check(f"{name}: axe-core runs", False, found["error"])
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
    tap.none(f"{name}: axe-core finds nothing serious", serious)


def check_width(tap, browser, name):
    sizes = browser.js("return [document.documentElement.scrollWidth, innerWidth]")
    tap.check(f"{name}: no wider than the window", sizes[0] <= sizes[1], sizes)
