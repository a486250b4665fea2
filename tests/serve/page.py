#!/usr/bin/env python3
"""The page of `kith serve` in headless Chromium; prints TAP.

usage: page.py KITH [AXE_JS]

AXE_JS, or else $KITH_AXE, is the file axe.min.js of axe-core; without it those checks
are skipped. With $KITH_SCREENSHOTS a
picture of each state is put into that folder. Needs the Python package selenium,
Debian's chromium and chromium-driver, and the default model.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from browser import (
    Browser,
    Keys,
    SlowServer,
    check_axe,
    check_width,
    equal,
    finish,
    ok,
    picture,
    serving,
    settled,
    skip,
    slow_server,
)

ROOT = Path(__file__).resolve().parents[2]
FAQ = ROOT / "docs" / "samples" / "faq.jsonl"
PAGE = ROOT / "tools" / "serve" / "page.html"
PAIR = ["Today is a sunny day", "The weather today is beautiful"]
PAIR_SCORE = "0.7344"
MORE = ["It's raining!", "Dogs are awesome"]
QUESTION = "Do I need to pay more after a raise?"
KEY = "a-key-of-the-test"

# Of a cell's text, over the scores from 0 to 1, by the formula of WCAG.
LEAST_CONTRAST = """
const pen = Object.assign(document.createElement('canvas'), {width: 1, height: 1})
    .getContext('2d', {willReadFrequently: true});
function luminance(color) {
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map(v => v / 255).map(
        v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const cell = document.querySelector('.heat td button');
const contrasts = [...Array(21).keys()].map(i => {
    cell.style.setProperty('--part', i / 20);
    const style = getComputedStyle(cell);
    const [low, high] = [luminance(style.color), luminance(style.backgroundColor)]
        .sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
});
return Math.min(...contrasts);
"""


# ---------------------------------------------------------------- the checks


def check_search(browser, url):
    browser.open(url)
    browser.says("#about", "kith")
    ok(
        "231 records" in browser.text("#answer"),
        "start: says what can be searched",
        browser.text("#answer"),
    )
    picture(browser, "start")
    browser.focus("#q")
    browser.keys(QUESTION, Keys.ENTER)
    browser.has(".hit")
    equal(browser.count(".hit"), 10, "search: ten results")
    first = browser.text(".hit")
    ok(
        "medicare-05" in first and "Medicare premiums" in first,
        "search: the first is what the README shows",
        first,
    )
    marks = browser.all(".hit mark")
    ok(
        marks
        and all(
            mark.lower() in ("need", "pay", "more", "after", "raise", "raises")
            for mark in marks
        ),
        "search: the query's words are highlighted",
        marks,
    )
    facts = browser.text("#state")
    for fact in (
        "10 results",
        "exact",
        "all-MiniLM-L6-v2",
        "fp32",
        "in the server",
        "in all",
    ):
        ok(fact in facts, f"search: the facts tell '{fact}'", facts)
    equal(
        browser.js("return new URLSearchParams(location.hash.slice(1)).get('q')"),
        QUESTION,
        "search: the query is in the address",
    )
    picture(browser, "search")


def check_scores(browser, url, kith, collection):
    printed = subprocess.run(
        [kith, "search", str(collection), QUESTION, "--json"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = [(hit["id"], f"{hit['score']:.4f}") for hit in json.loads(printed)["hits"]]
    shown = browser.js(
        "return [...document.querySelectorAll('.hit')].map(hit => ["
        "hit.querySelector('.from').innerText.split(' ')[0], "
        "hit.querySelector('.score span').lastChild.data])"
    )
    equal(
        [tuple(one) for one in shown],
        wanted,
        "search: ids and scores are those of the program",
    )


def check_record(browser):
    browser.click(".hit .open")
    browser.has(".record dl")
    record = browser.text(".record")
    ok(
        "Part B and Part D" in record
        and "medicare" in record
        and "faq.jsonl, line 5" in record,
        "record: text, metadata and source",
        record,
    )
    equal(
        browser.js(
            "return document.querySelector('.hit .open').getAttribute('aria-expanded')"
        ),
        "true",
        "record: the button says that it is open",
    )
    picture(browser, "record")
    browser.click(".hit .open")
    ok(browser.hidden(".record"), "record: closes again")


def check_similar(browser):
    browser.click(".hit .like-this")
    browser.has(".like")
    like = browser.text(".like")
    ok(
        "medicare-05" in like and "Medicare premiums" in like,
        "similar: names the record",
        like,
    )
    hits = browser.all(".hit .from")
    ok(
        len(hits) == 10 and not any("medicare-05 " in hit for hit in hits),
        "similar: ten others",
        hits,
    )
    picture(browser, "similar")
    browser.driver.refresh()
    ok(
        browser.wait(
            "document.querySelector('.like')"
            " && document.querySelectorAll('.hit').length"
        )
        == 10,
        "similar: a reload shows it again",
    )
    browser.driver.back()
    ok(
        browser.wait(
            "!document.querySelector('.like') && "
            "document.querySelectorAll('.hit mark').length > 0"
        ),
        "similar: Back leads to the search",
    )
    equal(
        browser.js("return document.querySelector('#q').value"),
        QUESTION,
        "similar: with its query",
    )


def check_filter(browser, url):
    browser.open(f"{url}#q=rent&where=topic+%3D+%22work%22")
    browser.has(".hit")
    hits = browser.all(".hit .from")
    ok(
        hits and all(hit.startswith("work-") for hit in hits),
        "filter: only what matches",
        hits,
    )
    ok(browser.js("return document.querySelector('#filter').open"), "filter: is shown")
    browser.open(f"{url}#q=rent&where=topic+%3D+%22none+such%22")
    settled(browser)
    ok(
        "No record matches" in browser.text("#answer"),
        "empty: says that nothing matches",
        browser.text("#answer"),
    )
    picture(browser, "empty")
    browser.open(f"{url}#q=rent&where=topic+%3D")
    settled(browser)
    ok(
        "invalid_request" in browser.text("#problem"),
        "error: the server's code is shown",
        browser.text("#problem"),
    )
    ok(
        len(browser.text("#problem strong")) > 10,
        "error: and its message",
        browser.text("#problem"),
    )
    picture(browser, "error")


def check_compare(browser, url):
    browser.open(f"{url}#compare=")
    browser.wait("document.querySelectorAll('textarea').length === 2")
    picture(browser, "compare-start")
    for box, text in zip(("s1", "s2"), PAIR):
        browser.focus(f"#{box}")
        browser.keys(text)
    browser.keys(Keys.ENTER)
    browser.has(".figure")
    equal(browser.text(".figure"), PAIR_SCORE, "compare: the score of two sentences")
    ok(
        "3.2 of 5" in browser.text(".meaning"),
        "compare: what the score means",
        browser.text(".meaning"),
    )
    ok(
        "fp32" in browser.text("#state"),
        "compare: model and precision",
        browser.text("#state"),
    )
    picture(browser, "compare")


def check_heat_map(browser):
    for text in MORE:
        browser.click("#add")
        browser.keys(text)
    browser.keys(Keys.ENTER)
    browser.has(".heat")
    equal(
        browser.count(".heat td button"),
        12,
        "heat map: four sentences have twelve cells",
    )
    equal(browser.count(".heat th[scope=row]"), 4, "heat map: a row header for each")
    equal(browser.text(".figure"), PAIR_SCORE, "heat map: the closest pair is chosen")
    for scheme in ("dark", "light"):
        browser.scheme(scheme)
        least = browser.js(LEAST_CONTRAST)
        ok(
            least >= 4.5,
            f"heat map: text contrast of 4.5 at every score, {scheme}",
            least,
        )
    browser.driver.refresh()
    browser.has(".heat")
    picture(browser, "heat-map")
    browser.click(".remove")
    equal(browser.count("textarea"), 3, "compare: a sentence can be removed")
    browser.open(browser.driver.current_url.split("#")[0] + "#compare=&s=one")
    browser.wait("document.querySelectorAll('textarea').length === 2")
    browser.focus("#s1")
    browser.keys(Keys.ENTER)
    ok("at least two" in browser.text("#state"), "compare: one sentence is too few")


def check_keyboard(browser, url):
    """The whole journey with keys alone."""
    browser.open(url)
    browser.says("#about", "kith")
    browser.keys(Keys.TAB)
    equal(
        browser.focused("node.innerText"),
        "Skip to the content",
        "keys: the first Tab is the skip link",
    )
    browser.keys(Keys.ENTER)
    equal(browser.focused("node.id"), "main", "keys: which skips")
    browser.keys("/")
    equal(browser.focused("node.id"), "q", "keys: / goes to the search box")
    browser.keys(QUESTION, Keys.ENTER)
    browser.has(".hit")
    browser.keys(Keys.ARROW_DOWN, "j", "j", "k")
    equal(
        browser.focused("[...document.querySelectorAll('.hit')].indexOf(node)"),
        1,
        "keys: arrow, j and k move through the results",
    )
    outline = browser.focused("getComputedStyle(node).outlineStyle")
    ok(outline != "none", "keys: the focus is visible", outline)
    browser.keys("k", Keys.ENTER)
    ok(browser.has(".record dl"), "keys: Enter opens the record")
    browser.keys(Keys.ESCAPE)
    ok(browser.hidden(".record"), "keys: Escape closes it")
    browser.keys("s")
    ok(browser.has(".like"), "keys: s asks for what is similar")
    ok(
        browser.focused("node.matches('.hit:first-child')"),
        "keys: and the focus is on the first of those",
    )
    browser.keys("/")
    browser.back_tab()
    equal(
        browser.focused("node.id"), "to-compare", "keys: back from the box is Compare"
    )
    browser.keys(Keys.ENTER)
    browser.wait("document.querySelectorAll('textarea').length === 2")
    browser.keys("/")
    browser.keys(PAIR[0], Keys.TAB, PAIR[1], Keys.TAB, Keys.TAB, Keys.ENTER)
    equal(browser.focused("node.id"), "s3", "keys: a third sentence is added")
    browser.keys(MORE[0], Keys.ENTER)
    ok(browser.has(".heat"), "keys: Enter compares")
    for _ in range(8):
        if browser.focused("node.matches('.heat button')"):
            break
        browser.keys(Keys.TAB)
    before = browser.text(".figure")
    browser.keys(Keys.ARROW_RIGHT, Keys.ENTER)
    ok(
        browser.text(".figure") != before,
        "keys: arrows and Enter choose another pair",
        before,
    )


def comparing(sentences):
    return "#compare=" + "".join(f"&s={quote(text)}" for text in sentences)


def check_looks(browser, url, axe):
    states = {
        "start": "",
        "results": "#q=Do+I+need+to+pay+more+after+a+raise",
        "compare": comparing(PAIR),
        "heat map": comparing(PAIR + MORE),
        "heat map of twelve": comparing((PAIR + MORE) * 3),
        "error": "#q=rent&where=topic+%3D",
    }
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        for name, hash_ in states.items():
            browser.open(url + hash_)
            settled(browser)
            check_axe(browser, axe, f"{name}, {scheme}")
            picture(browser, f"{scheme}-{name.replace(' ', '-')}")
        dark = browser.js(
            "return getComputedStyle(document.documentElement).backgroundColor"
        )
        is_dark = sum(int(n) for n in dark[4:-1].split(",")) < 200
        equal(is_dark, scheme == "dark", f"{scheme}: the page is {scheme}")
    browser.scheme("light")
    browser.size(360, 740)
    for name, hash_ in states.items():
        browser.open(url + hash_)
        settled(browser)
        check_width(browser, f"{name}, 360 px")
        picture(browser, f"phone-{name.replace(' ', '-')}")
    browser.open(url + states["results"])
    settled(browser)
    browser.click(".hit .open")
    browser.has(".record dl")
    check_width(browser, "record, 360 px")
    picture(browser, "phone-record")
    browser.size(1200, 900)


def check_first_paint(browser, url):
    times = []
    for _ in range(5):
        browser.open(url)
        browser.wait("performance.getEntriesByName('first-contentful-paint').length")
        times.append(
            browser.js(
                "return performance.getEntriesByName('first-contentful-paint')[0]"
                ".startTime"
            )
        )
    print(
        f"# first contentful paint: {sorted(times)[2]:.0f} ms"
        f" (median of 5: {', '.join(f'{ms:.0f}' for ms in times)})"
    )


def check_origin(browser, url):
    browser.read_logs()
    outside = [
        request
        for request in browser.requests
        if not request.startswith((url, "data:", "about:", "blob:"))
        and request.startswith(("http", "ws"))
    ]
    ok(not outside, "network: no request leaves the server", outside)
    ok(
        len(browser.requests) > 10,
        "network: requests were seen at all",
        browser.requests,
    )


def check_complaints(browser, name, expected=()):
    browser.read_logs()
    found = [
        line
        for line in browser.complaints
        if not any(part in line for part in expected)
    ]
    ok(not found, f"{name}: the console is empty", found)
    browser.complaints.clear()
    browser.requests.clear()


def check_key(browser, kith, collection, folder):
    key_file = folder / "key"
    key_file.write_text(KEY + "\n")
    with serving(kith, collection, "--api-key-file", key_file) as server:
        browser.open(server.url + "#q=rent")
        ok(browser.has("#key"), "key: a field asks for it")
        equal(browser.focused("node.id"), "key", "key: and has the focus")
        picture(browser, "key")
        browser.keys("wrong", Keys.ENTER)
        ok(browser.says("#problem", "not accept"), "key: a wrong one is told")
        browser.keys(KEY, Keys.ENTER)
        ok(browser.has(".hit"), "key: the right one searches")
        browser.driver.refresh()
        ok(browser.has(".hit"), "key: a reload keeps it")
        ok(KEY not in browser.driver.current_url, "key: it is not in the address")
    browser.click(".hit .open")
    ok(
        browser.says(".record", "does not answer"),
        "gone: the panel of a record says so",
    )
    browser.focus("#q")
    browser.keys(" again", Keys.ENTER)
    ok(
        browser.says("#problem", "does not answer"),
        "gone: the page says that the server does not answer",
        browser.text("#problem"),
    )
    ok(
        browser.js("return document.querySelector('#problem button') !== null"),
        "gone: and offers to try again",
    )
    picture(browser, "gone")
    check_complaints(
        browser, "key and gone", ("status of 401", "ERR_CONNECTION_REFUSED")
    )


def check_several(browser, kith, collection, folder):
    other = folder / "empty.kith"
    nothing = folder / "nothing.txt"
    nothing.write_text("")
    subprocess.run(
        [kith, "index", str(other), str(nothing), "--format", "lines", "-q"], check=True
    )
    with serving(kith, collection, other) as server:
        browser.open(server.url)
        browser.wait("document.querySelectorAll('#in option').length === 2")
        picture(browser, "several")
        browser.open(server.url + "#q=rent&in=empty")
        settled(browser)
        ok(
            "is empty" in browser.text("#answer"),
            "several: an empty collection says so",
            browser.text("#answer"),
        )
        browser.open(server.url + "#q=rent&in=faq")
        ok(browser.has(".hit"), "several: one is chosen")
    with serving(kith) as server:
        browser.open(server.url)
        ok(
            browser.wait("!document.querySelector('#compare').hidden"),
            "no collection: the page compares",
        )
        ok(browser.hidden("#to-search"), "no collection: and does not search")
        picture(browser, "no-collection")
    check_complaints(browser, "several")


def check_slow(browser):
    with slow_server(PAGE.read_bytes()) as url:
        browser.open(url)
        browser.says("#about", "kith")
        browser.focus("#q")
        browser.keys("slow", Keys.ENTER)
        ok(
            browser.wait(
                "document.querySelector('#state').innerText === 'Still working…'",
                patience=0.9,
            ),
            "slow: says that it still works",
        )
        picture(browser, "slow")
        browser.js("document.querySelector('#q').value = 'quick'")
        browser.keys(Keys.ENTER)
        browser.has(".hit")
        time.sleep(SlowServer.delay + 0.2)
        equal(browser.text(".hit .text"), "quick", "slow: the newest question wins")
        equal(
            browser.text(".hit .title"), "<b>&amp;</b>", "data are text, never markup"
        )
        ok(
            "approximate, recall 0.967" in browser.text("#state"),
            "an answer that is not exact tells its recall",
            browser.text("#state"),
        )
    check_complaints(browser, "slow")


def check_all(browser, kith, axe, folder):
    collection = folder / "faq.kith"
    subprocess.run(
        [kith, "index", str(collection), str(FAQ), "-q", "--precision", "fp32"],
        check=True,
    )
    browser.scheme("light")
    with serving(kith, collection, "--precision", "fp32") as server:
        url = server.url
        check_search(browser, url)
        check_scores(browser, url, kith, collection)
        check_record(browser)
        check_similar(browser)
        check_compare(browser, url)
        check_heat_map(browser)
        check_keyboard(browser, url)
        check_origin(browser, url)
        check_complaints(browser, "journey")
        check_filter(browser, url)
        check_looks(browser, url, axe)
        check_origin(browser, url)
        check_complaints(browser, "errors and looks", ("status of 400",))
        check_first_paint(browser, url)
    check_several(browser, kith, collection, folder)
    check_key(browser, kith, collection, folder)
    check_slow(browser)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    kith = sys.argv[1]
    chromium = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    home = Path(os.environ.get("KITH_HOME", Path.home() / ".local/share/kith"))
    if chromium is None:
        skip("chromium is missing (Debian: chromium)")
    if driver is None:
        skip("chromedriver is missing (Debian: chromium-driver)")
    if not (home / "models" / "all-MiniLM-L6-v2.kmodel").exists():
        skip("the model all-MiniLM-L6-v2 is missing (tools/setup model)")
    axe_file = sys.argv[2] if len(sys.argv) == 3 else os.environ.get("KITH_AXE")
    axe = Path(axe_file).read_text() if axe_file else None
    with tempfile.TemporaryDirectory(prefix="kith-page-") as name:
        folder = Path(name)
        browser = Browser(chromium, driver, folder / "profile")
        try:
            check_all(browser, kith, axe, folder)
        finally:
            browser.close()
    finish()


main()
