"""The report in a real browser without a network: nothing fails, nothing is asked for, all fits.

Chromium is driven over its DevTools protocol, by a pipe: https://chromedevtools.github.io/
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from buffycoat.report.page import write_report

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-headless-shell", "google-chrome", "chrome-headless-shell")
WIDTHS = (1280, 390)
MIN_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of normal size."""

PIPES = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number, inheritable=True)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads the protocol from descriptor 3 and writes it to 4."""

CONTRAST = """
(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const chain = [];
    for (let e = element; e; e = e.parentElement) chain.unshift(e);
    return chain.reduce((below, e) => over(parse(getComputedStyle(e).backgroundColor), below),
      [255, 255, 255]);
  };
  const worst = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('desc, title, .skip, .vh')) continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const ink = over(parse(element.closest('svg') ? style.fill : style.color), below);
    const [a, b] = [light(ink), light(below)].sort((x, y) => y - x);
    const name = `${element.tagName}.${element.getAttribute('class') || ''}`;
    worst[name] = Math.min(worst[name] ?? 99, (a + 0.05) / (b + 0.05));
  }
  return worst;
})()
"""
"""Element -> least contrast of its text with what lies behind it."""


@pytest.fixture(scope="module")
def browser():
    """Path of a Chromium."""
    named = os.environ.get("BUFFYCOAT_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)}, and BUFFYCOAT_CHROMIUM is not set")
    return found


class Tab:
    """A tab of a browser that cannot reach any host.

    Args:
        browser: Path of a Chromium.
        folder: For its profile.
    """

    def __init__(self, browser: str, folder: Path) -> None:
        its_input, to_browser = os.pipe()
        from_browser, its_output = os.pipe()
        ends = (its_input, its_output)
        self.process = subprocess.Popen(
            [
                sys.executable, "-c", PIPES, *map(str, ends), browser,
                "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}",
            ],
            pass_fds=ends, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        for end in ends:
            os.close(end)
        self._out, self._in = os.fdopen(to_browser, "wb"), os.fdopen(from_browser, "rb")
        self._rest, self._number, self._session = b"", 0, None
        self.events: list[dict] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        self.process.terminate()
        self.process.wait(30)
        self._in.close()

    def ask(self, method: str, **parameters: object) -> dict:
        """Call a method of the protocol; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, page: Path, width: int) -> None:
        """Open a file in a window of that width and wait until it is there."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read()

    def find(self, expression: str):
        """The value of an expression, asked from outside the page's own policy."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """Everything in the console or the log, failed requests and exceptions since `open`."""
        kinds = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        kinds |= {"Network.loadingFailed"}
        return [json.dumps(event) for event in self.events if event["method"] in kinds]

    def requests(self) -> list[str]:
        """What was asked for since `open`, besides data that lie in the page."""
        asked = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        urls = [event["params"]["request"]["url"] for event in asked]
        return [url for url in urls if not url.startswith("data:")]

    def _read(self) -> dict:
        while b"\0" not in self._rest:
            chunk = os.read(self._in.fileno(), 1 << 16)
            assert chunk, f"the browser went away (exit code {self.process.poll()})"
            self._rest += chunk
        first, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(first)
        if "method" in message:
            self.events.append(message)
        return message


@pytest.fixture(scope="module")
def tab(browser, tmp_path_factory):
    with Tab(browser, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def report(full_report, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, full_report)
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_without_an_error_a_request_or_an_overflow(tab, report, width):
    tab.open(report, width)
    assert tab.find("document.title") == "Ten classes – buffycoat report"
    assert tab.find("innerWidth") == width
    over = tab.find("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0, f"{width} px wide, it runs {over} px off the side"
    assert tab.complaints() == []
    assert tab.requests() == [report.as_uri()]
    broken = "[...document.images].filter((i) => !i.complete || !i.naturalWidth).length"
    assert tab.find(broken) == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_each_figure_is_drawn_once_at_every_width(tab, report, width):
    tab.open(report, width)
    shown = "[...document.querySelectorAll('svg')].filter((s) => s.getClientRects().length).length"
    assert tab.find(shown) == 5 + 2 + 10 + 2
    beyond = "[...document.querySelectorAll('svg')].filter((s) => s.getBoundingClientRect().right"
    assert tab.find(f"{beyond} > innerWidth).length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(tab, report, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.ask("Emulation.setEmulatedMedia", features=features)
    tab.open(report, WIDTHS[0])
    found = tab.find(CONTRAST)
    tab.ask("Emulation.setEmulatedMedia", features=[])
    assert len(found) > 20
    assert {name: worst for name, worst in found.items() if worst < MIN_CONTRAST} == {}


def test_the_first_key_reaches_the_skip_link_and_the_link_the_content(tab, report):
    tab.open(report, WIDTHS[0])
    for kind in ("keyDown", "keyUp"):
        tab.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                windowsVirtualKeyCode=9)  # fmt: skip
    assert tab.find("document.activeElement.className") == "skip"
    assert tab.find("document.activeElement.getBoundingClientRect().left") >= 0
    assert tab.find("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.find("document.activeElement.click()")
    assert tab.find("document.activeElement.id") == "main"


def test_a_page_that_asks_for_something_would_be_noticed(tab, report, tmp_path):
    """What the tests above look for, they find where it is."""
    text = report.read_text("utf-8")
    worse = tmp_path / "worse.html"
    wide = '<div style="width:2000px">wide</div>'
    worse.write_text(text.replace("<h1>", f'<img src="missing.png" alt="">{wide}<h1>'), "utf-8")
    tab.open(worse, WIDTHS[0])
    assert tab.complaints() != []
    over = tab.find("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over > 0
    free = tmp_path / "free.html"
    free.write_text('<title>t</title><img src="http://example.org/cell.png" alt="">', "utf-8")
    tab.open(free, WIDTHS[0])
    assert "http://example.org/cell.png" in tab.requests()
    assert any("ERR_NAME_NOT_RESOLVED" in line for line in tab.complaints())
