"""The report, as a reviewer's browser shows it: headless Chromium, at the widths of a phone and of a desk."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from headworks._report.as_html import as_html
from headworks._report.charts import Intervals, Lines, Reliability, Series
from headworks._report.page import Code, Gallery, Graph, Matrix, Node, Page, Picture, Section, Table
from selenium import webdriver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headworks._report.page import Kind

LONG = "tests-3.13(a_package_with_a_name_that_has_no_place_to_break_" + "x" * 120 + ")"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
COLUMNS: dict[str, Kind] = {**dict.fromkeys((f"column {it}" for it in range(12)), "number"), "name": "code"}
ASKED = """return {
    page: document.documentElement.scrollWidth,
    window: window.innerWidth,
    font: getComputedStyle(document.body).fontSize,
    ink: getComputedStyle(document.body).color,
    back: getComputedStyle(document.body).backgroundColor,
    drawn: [...document.querySelectorAll('figure svg, img')].map(it => it.getBoundingClientRect().width),
    wide: [...document.querySelectorAll('body *')].filter(it => !it.closest('.wide > *, pre > *, svg > *')
        && it.getBoundingClientRect().right > screen.width + 1).map(it => it.outerHTML.slice(0, 80)),
    broken: [...document.images].filter(it => !it.naturalWidth).length,
}"""


def page() -> Page:
    """Return a page in which every part is wide: long names, many columns, many classes."""
    nodes = tuple(Node(name=f"session {number} {'x' * 20}", state="passed") for number in range(12))
    blocks = (
        LONG,
        Code(caption=LONG, text=f"nox -s '{LONG}'"),
        Table(caption=LONG, columns=COLUMNS, rows=((*("0.123456",) * 12, LONG),)),
        Graph(caption=LONG, nodes=nodes, edges=tuple((it, it + 1) for it in range(11))),
        Matrix(caption="matrix", classes=tuple(f"class {it}" for it in range(20)), counts=((9,) * 20,) * 20),
        Lines(caption="lines", across="epoch", up="loss", series=(Series(name=LONG, points=((1, 2.0), (2, 1.0))),)),
        Lines(caption="more", across="epoch", up="loss", series=(Series(name="x", points=((1, 2.0), (2, 1.0))),)),
        Intervals(
            caption="slices",
            across="accuracy",
            names=(LONG, "b"),
            series=(Series(name="candidate", points=((0.5, 0.4, 0.6),) * 2),),
        ),
        Reliability(caption="sure", series=(Series(name="candidate", points=((0.5, 0.75, 4),)),)),
        Gallery(caption="mistakes", pictures=(Picture(source=PIXEL, alt="a row", lines=(LONG,)),) * 12),
    )
    section = Section(title=LONG, blocks=blocks, outcome="failed", reasons=(LONG,))
    return Page(
        project=LONG, about={"commit": LONG}, outcome="failed", verdict=f"Failed: {LONG}", sections=(section,) * 2
    )


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and records the requests."""

    asked: list[str]

    def log_message(self, *_: object) -> None:
        """Record a request."""
        self.asked.append(self.path)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the page on this machine; at the end, no other request must have come."""
    folder: Path = tmp_path_factory.mktemp("report")
    (folder / "report.html").write_text(as_html(page()), encoding="utf-8")
    Quiet.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report.html"
        server.shutdown()
    assert set(Quiet.asked) == {"/report.html"}


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Start Chromium; a machine without it skips the tests, and in CI that is an error."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "Chromium and its driver are not installed: apt-get install chromium chromium-driver"
        if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Without a sandbox, which containers do not allow; the page is our own.
    for it in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"):
        options.add_argument(it)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driven = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield driven
    driven.quit()


def shown(browser: webdriver.Chrome, address: str, width: int, scheme: str) -> dict[str, Any]:
    """Open the page in a window of some width, light or dark, and return the value of a script."""
    screen = {"width": width, "height": 900, "screenWidth": width, "screenHeight": 900}
    screen |= {"deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(address)
    measured: dict[str, Any] = browser.execute_script(ASKED)
    return measured


def logged(browser: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    """Return the browser's log since the last call."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]  # selenium has no types here
    return entries


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_and_is_silent(browser: webdriver.Chrome, address: str, width: int, scheme: str) -> None:
    """Nothing is wider than the window, the browser logs no problem, and no other server gets a request."""
    for kind in ("browser", "performance"):
        logged(browser, kind)
    measured = shown(browser, address, width, scheme)
    assert measured["wide"] == []
    assert measured["window"] == width
    assert measured["page"] <= width
    assert measured["broken"] == 0
    assert len(measured["drawn"]) == 34
    assert all(it > 0 for it in measured["drawn"])
    assert logged(browser, "browser") == []
    events = [json.loads(it["message"])["message"] for it in logged(browser, "performance")]
    sent = [it["params"]["request"]["url"] for it in events if it["method"] == "Network.requestWillBeSent"]
    assert {it for it in sent if not it.startswith("data:")} == {address}


def test_light_and_dark_are_legible(browser: webdriver.Chrome, address: str) -> None:
    """Every text has a contrast to its background of at least 4.5 to 1, as WCAG 2.2 demands for small letters."""
    for scheme in ("light", "dark"):
        measured = shown(browser, address, 1280, scheme)
        assert contrast(measured["ink"], measured["back"]) >= 7
        pairs = browser.execute_script(
            "return [...document.querySelectorAll('.badge, h1, th, a, summary, td.less, td.more, dt')].map(it => ["
            "getComputedStyle(it).color, (it.closest('.badge, header') ? getComputedStyle(it.closest('.badge, header'))"
            " : getComputedStyle(document.body)).backgroundColor])"
        )
        assert len(pairs) > 40
        assert min(contrast(*it) for it in pairs) >= 4.5


def contrast(one: str, two: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21.

    Source:
        Web Content Accessibility Guidelines 2.2, definitions of contrast ratio and relative luminance.
    """
    lights = []
    for colour in (one, two):
        shares = [int(it) / 255 for it in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in shares]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)
