#!/usr/bin/env python3
"""The page of `kith serve` in headless Chromium; prints TAP.

usage: page.py KITH [AXE_JS]

AXE_JS, or else $KITH_AXE, is the file axe.min.js of axe-core; without it those checks
are skipped. With $KITH_SCREENSHOTS a picture of each state is put into that folder.
Needs the Python package selenium, Debian's chromium and chromium-driver, and the
default model.
"""

import os
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import quote

from browser import Browser, Keys, check_axe, check_width, picture, settled
from slow_server import SlowServer, slow_server
from tap import Tap, skip_all
from work import REAL, ROOT, Work

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


def check_search(tap, browser, url):
    browser.open(url)
    browser.says("#about", "kith")
    tap.check(
        "start: says what can be searched",
        "231 records" in browser.text("#answer"),
        browser.text("#answer"),
    )
    picture(browser, "start")
    browser.focus("#q")
    browser.keys(QUESTION, Keys.ENTER)
    browser.has(".hit")
    tap.equal("search: ten results", browser.count(".hit"), 10)
    first = browser.text(".hit")
    tap.check(
        "search: the first is what the README shows",
        "medicare-05" in first and "Medicare premiums" in first,
        first,
    )
    marks = browser.all(".hit mark")
    tap.check(
        "search: the query's words are highlighted",
        marks
        and all(
            mark.lower() in ("need", "pay", "more", "after", "raise", "raises")
            for mark in marks
        ),
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
        tap.check(f"search: the facts tell '{fact}'", fact in facts, facts)
    tap.equal(
        "search: the query is in the address",
        browser.js("return new URLSearchParams(location.hash.slice(1)).get('q')"),
        QUESTION,
    )
    picture(browser, "search")


def check_scores(tap, browser, work):
    found = work.json("search", "faq.kith", QUESTION)
    wanted = [(hit["id"], f"{hit['score']:.4f}") for hit in found["hits"]]
    shown = browser.js(
        "return [...document.querySelectorAll('.hit')].map(hit => ["
        "hit.querySelector('.from').innerText.split(' ')[0], "
        "hit.querySelector('.score span').lastChild.data])"
    )
    tap.equal(
        "search: ids and scores are those of the program",
        [tuple(one) for one in shown],
        wanted,
    )


def check_record(tap, browser):
    browser.click(".hit .open")
    browser.has(".record dl")
    record = browser.text(".record")
    tap.check(
        "record: text, metadata and source",
        "Part B and Part D" in record
        and "medicare" in record
        and "faq.jsonl, line 5" in record,
        record,
    )
    tap.equal(
        "record: the button says that it is open",
        browser.js(
            "return document.querySelector('.hit .open').getAttribute('aria-expanded')"
        ),
        "true",
    )
    picture(browser, "record")
    browser.click(".hit .open")
    tap.check("record: closes again", browser.hidden(".record"))


def check_similar(tap, browser):
    browser.click(".hit .like-this")
    browser.has(".like")
    like = browser.text(".like")
    tap.check(
        "similar: names the record",
        "medicare-05" in like and "Medicare premiums" in like,
        like,
    )
    hits = browser.all(".hit .from")
    tap.check(
        "similar: ten others",
        len(hits) == 10 and not any("medicare-05 " in hit for hit in hits),
        hits,
    )
    picture(browser, "similar")
    browser.driver.refresh()
    tap.check(
        "similar: a reload shows it again",
        browser.wait(
            "document.querySelector('.like')"
            " && document.querySelectorAll('.hit').length"
        )
        == 10,
    )
    browser.driver.back()
    tap.check(
        "similar: Back leads to the search",
        browser.wait(
            "!document.querySelector('.like') && "
            "document.querySelectorAll('.hit mark').length > 0"
        ),
    )
    tap.equal(
        "similar: with its query",
        browser.js("return document.querySelector('#q').value"),
        QUESTION,
    )


def check_filter(tap, browser, url):
    browser.open(f"{url}#q=rent&where=topic+%3D+%22work%22")
    browser.has(".hit")
    hits = browser.all(".hit .from")
    tap.check(
        "filter: only what matches",
        hits and all(hit.startswith("work-") for hit in hits),
        hits,
    )
    tap.check(
        "filter: is shown", browser.js("return document.querySelector('#filter').open")
    )
    browser.open(f"{url}#q=rent&where=topic+%3D+%22none+such%22")
    settled(browser)
    tap.check(
        "empty: says that nothing matches",
        "No record matches" in browser.text("#answer"),
        browser.text("#answer"),
    )
    picture(browser, "empty")
    browser.open(f"{url}#q=rent&where=topic+%3D")
    settled(browser)
    tap.check(
        "error: the server's code is shown",
        "invalid_request" in browser.text("#problem"),
        browser.text("#problem"),
    )
    tap.check(
        "error: and its message",
        len(browser.text("#problem strong")) > 10,
        browser.text("#problem"),
    )
    picture(browser, "error")


def check_compare(tap, browser, url):
    browser.open(f"{url}#compare=")
    browser.wait("document.querySelectorAll('textarea').length === 2")
    picture(browser, "compare-start")
    for box, text in zip(("s1", "s2"), PAIR):
        browser.focus(f"#{box}")
        browser.keys(text)
    browser.keys(Keys.ENTER)
    browser.has(".figure")
    tap.equal(
        "compare: the score of two sentences", browser.text(".figure"), PAIR_SCORE
    )
    tap.check(
        "compare: what the score means",
        "3.2 of 5" in browser.text(".meaning"),
        browser.text(".meaning"),
    )
    tap.check(
        "compare: model and precision",
        "fp32" in browser.text("#state"),
        browser.text("#state"),
    )
    picture(browser, "compare")


def check_heat_map(tap, browser):
    for text in MORE:
        browser.click("#add")
        browser.keys(text)
    browser.keys(Keys.ENTER)
    browser.has(".heat")
    tap.equal(
        "heat map: four sentences have twelve cells",
        browser.count(".heat td button"),
        12,
    )
    tap.equal(
        "heat map: a row header for each", browser.count(".heat th[scope=row]"), 4
    )
    tap.equal(
        "heat map: the closest pair is chosen", browser.text(".figure"), PAIR_SCORE
    )
    for scheme in ("dark", "light"):
        browser.scheme(scheme)
        least = browser.js(LEAST_CONTRAST)
        tap.check(
            f"heat map: text contrast of 4.5 at every score, {scheme}",
            least >= 4.5,
            least,
        )
    browser.driver.refresh()
    browser.has(".heat")
    picture(browser, "heat-map")
    browser.click(".remove")
    tap.equal("compare: a sentence can be removed", browser.count("textarea"), 3)
    browser.open(browser.driver.current_url.split("#")[0] + "#compare=&s=one")
    browser.wait("document.querySelectorAll('textarea').length === 2")
    browser.focus("#s1")
    browser.keys(Keys.ENTER)
    tap.check(
        "compare: one sentence is too few", "at least two" in browser.text("#state")
    )


def check_keyboard(tap, browser, url):
    """The whole journey with keys alone."""
    browser.open(url)
    browser.says("#about", "kith")
    browser.keys(Keys.TAB)
    tap.equal(
        "keys: the first Tab is the skip link",
        browser.focused("node.innerText"),
        "Skip to the content",
    )
    browser.keys(Keys.ENTER)
    tap.equal("keys: which skips", browser.focused("node.id"), "main")
    browser.keys("/")
    tap.equal("keys: / goes to the search box", browser.focused("node.id"), "q")
    browser.keys(QUESTION, Keys.ENTER)
    browser.has(".hit")
    browser.keys(Keys.ARROW_DOWN, "j", "j", "k")
    tap.equal(
        "keys: arrow, j and k move through the results",
        browser.focused("[...document.querySelectorAll('.hit')].indexOf(node)"),
        1,
    )
    outline = browser.focused("getComputedStyle(node).outlineStyle")
    tap.check("keys: the focus is visible", outline != "none", outline)
    browser.keys("k", Keys.ENTER)
    tap.check("keys: Enter opens the record", browser.has(".record dl"))
    browser.keys(Keys.ESCAPE)
    tap.check("keys: Escape closes it", browser.hidden(".record"))
    browser.keys("s")
    tap.check("keys: s asks for what is similar", browser.has(".like"))
    tap.check(
        "keys: and the focus is on the first of those",
        browser.focused("node.matches('.hit:first-child')"),
    )
    browser.keys("/")
    browser.back_tab()
    tap.equal(
        "keys: back from the box is Compare", browser.focused("node.id"), "to-compare"
    )
    browser.keys(Keys.ENTER)
    browser.wait("document.querySelectorAll('textarea').length === 2")
    browser.keys("/")
    browser.keys(PAIR[0], Keys.TAB, PAIR[1], Keys.TAB, Keys.TAB, Keys.ENTER)
    tap.equal("keys: a third sentence is added", browser.focused("node.id"), "s3")
    browser.keys(MORE[0], Keys.ENTER)
    tap.check("keys: Enter compares", browser.has(".heat"))
    for _ in range(8):
        if browser.focused("node.matches('.heat button')"):
            break
        browser.keys(Keys.TAB)
    before = browser.text(".figure")
    browser.keys(Keys.ARROW_RIGHT, Keys.ENTER)
    tap.check(
        "keys: arrows and Enter choose another pair",
        browser.text(".figure") != before,
        before,
    )


def comparing(sentences):
    return "#compare=" + "".join(f"&s={quote(text)}" for text in sentences)


def check_looks(tap, browser, url, axe):
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
            check_axe(tap, browser, axe, f"{name}, {scheme}")
            picture(browser, f"{scheme}-{name.replace(' ', '-')}")
        dark = browser.js(
            "return getComputedStyle(document.documentElement).backgroundColor"
        )
        is_dark = sum(int(n) for n in dark[4:-1].split(",")) < 200
        tap.equal(f"{scheme}: the page is {scheme}", is_dark, scheme == "dark")
    browser.scheme("light")
    browser.size(360, 740)
    for name, hash_ in states.items():
        browser.open(url + hash_)
        settled(browser)
        check_width(tap, browser, f"{name}, 360 px")
        picture(browser, f"phone-{name.replace(' ', '-')}")
    browser.open(url + states["results"])
    settled(browser)
    browser.click(".hit .open")
    browser.has(".record dl")
    check_width(tap, browser, "record, 360 px")
    picture(browser, "phone-record")
    browser.size(1200, 900)


def show_first_paint(browser, url):
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


def check_origin(tap, browser, url):
    browser.read_logs()
    outside = [
        request
        for request in browser.requests
        if not request.startswith((url, "data:", "about:", "blob:"))
        and request.startswith(("http", "ws"))
    ]
    tap.check("network: no request leaves the server", not outside, outside)
    tap.check(
        "network: requests were seen at all",
        len(browser.requests) > 10,
        browser.requests,
    )


def check_complaints(tap, browser, name, expected=()):
    browser.read_logs()
    found = [
        line
        for line in browser.complaints
        if not any(part in line for part in expected)
    ]
    tap.check(f"{name}: the console is empty", not found, found)
    browser.complaints.clear()
    browser.requests.clear()


def check_key(tap, browser, work):
    (work.folder / "key").write_text(KEY + "\n")
    with work.serve("faq.kith", "--api-key-file", "key") as server:
        browser.open(f"{server.url}/#q=rent")
        tap.check("key: a field asks for it", browser.has("#key"))
        tap.equal("key: and has the focus", browser.focused("node.id"), "key")
        picture(browser, "key")
        browser.keys("wrong", Keys.ENTER)
        tap.check("key: a wrong one is told", browser.says("#problem", "not accept"))
        browser.keys(KEY, Keys.ENTER)
        tap.check("key: the right one searches", browser.has(".hit"))
        browser.driver.refresh()
        tap.check("key: a reload keeps it", browser.has(".hit"))
        tap.check(
            "key: it is not in the address", KEY not in browser.driver.current_url
        )
    browser.click(".hit .open")
    tap.check(
        "gone: the panel of a record says so",
        browser.says(".record", "does not answer"),
    )
    browser.focus("#q")
    browser.keys(" again", Keys.ENTER)
    tap.check(
        "gone: the page says that the server does not answer",
        browser.says("#problem", "does not answer"),
        browser.text("#problem"),
    )
    tap.check(
        "gone: and offers to try again",
        browser.js("return document.querySelector('#problem button') !== null"),
    )
    picture(browser, "gone")
    check_complaints(
        tap, browser, "key and gone", ("status of 401", "ERR_CONNECTION_REFUSED")
    )


def check_several(tap, browser, work):
    (work.folder / "nothing.txt").write_text("")
    work.run("index", "empty.kith", "nothing.txt", "--format", "lines", "-q")
    with work.serve("faq.kith", "empty.kith") as server:
        browser.open(server.url)
        browser.wait("document.querySelectorAll('#in option').length === 2")
        picture(browser, "several")
        browser.open(f"{server.url}/#q=rent&in=empty")
        settled(browser)
        tap.check(
            "several: an empty collection says so",
            "is empty" in browser.text("#answer"),
            browser.text("#answer"),
        )
        browser.open(f"{server.url}/#q=rent&in=faq")
        tap.check("several: one is chosen", browser.has(".hit"))
    with work.serve() as server:
        browser.open(server.url)
        tap.check(
            "no collection: the page compares",
            browser.wait("!document.querySelector('#compare').hidden"),
        )
        tap.check("no collection: and does not search", browser.hidden("#to-search"))
        picture(browser, "no-collection")
    check_complaints(tap, browser, "several")


def check_slow(tap, browser):
    with slow_server(PAGE.read_bytes()) as url:
        browser.open(url)
        browser.says("#about", "kith")
        browser.focus("#q")
        browser.keys("slow", Keys.ENTER)
        tap.check(
            "slow: says that it still works",
            browser.wait(
                "document.querySelector('#state').innerText === 'Still working…'",
                patience=0.9,
            ),
        )
        picture(browser, "slow")
        browser.js("document.querySelector('#q').value = 'quick'")
        browser.keys(Keys.ENTER)
        browser.has(".hit")
        time.sleep(SlowServer.delay + 0.2)
        tap.equal("slow: the newest question wins", browser.text(".hit .text"), "quick")
        tap.equal(
            "data are text, never markup", browser.text(".hit .title"), "<b>&amp;</b>"
        )
        tap.check(
            "an answer that is not exact tells its recall",
            "approximate, recall 0.967" in browser.text("#state"),
            browser.text("#state"),
        )
    check_complaints(tap, browser, "slow")


def check_all(tap, browser, work, axe):
    work.run("index", "faq.kith", FAQ, "-q", "--precision", "fp32")
    browser.scheme("light")
    with work.serve("faq.kith", "--precision", "fp32") as server:
        url = f"{server.url}/"
        check_search(tap, browser, url)
        check_scores(tap, browser, work)
        check_record(tap, browser)
        check_similar(tap, browser)
        check_compare(tap, browser, url)
        check_heat_map(tap, browser)
        check_keyboard(tap, browser, url)
        check_origin(tap, browser, url)
        check_complaints(tap, browser, "journey")
        check_filter(tap, browser, url)
        check_looks(tap, browser, url, axe)
        check_origin(tap, browser, url)
        check_complaints(tap, browser, "errors and looks", ("status of 400",))
        show_first_paint(browser, url)
    check_several(tap, browser, work)
    check_key(tap, browser, work)
    check_slow(tap, browser)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    chromium = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if chromium is None:
        skip_all("chromium is missing (Debian: chromium)")
    if driver is None:
        skip_all("chromedriver is missing (Debian: chromium-driver)")
    axe_file = sys.argv[2] if len(sys.argv) == 3 else os.environ.get("KITH_AXE")
    axe = Path(axe_file).read_text() if axe_file else None
    tap = Tap()
    with Work(sys.argv[1], REAL) as work:
        browser = Browser(chromium, driver, work.folder / "profile")
        try:
            check_all(tap, browser, work, axe)
        finally:
            browser.close()
    tap.finish()


if __name__ == "__main__":
    main()
