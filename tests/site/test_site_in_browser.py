"""The site in a browser: no error, no request to another host, nothing wider than the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("site")]

WIDTHS = (1440, 390)
"""Pixels of a desktop and of a phone."""


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A window; what goes wrong in it is in `page.faults`."""
    window = browser.new_page()
    window.set_default_timeout(60_000)
    window.faults = []
    window.on("console", lambda m: window.faults.append(m.text) if m.type == "error" else None)
    window.on("pageerror", lambda error: window.faults.append(str(error)))
    window.on("request", lambda r: window.faults.append(r.url) if is_elsewhere(r.url) else None)
    yield window
    window.close()


def is_elsewhere(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


def test_no_page_is_wider_than_the_window(page: Any, site: Path) -> None:
    wrong = []
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            wrong += [f"{path.relative_to(site)}: {over} px over {width}"] if over > 0 else []
        broken = page.evaluate(
            "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        )
        wrong += [f"{path.relative_to(site)}: {broken}"] if broken else []
    assert wrong == []
    assert page.faults == []


def test_the_search_finds_a_page(page: Any, site: Path) -> None:
    page.goto((site / "search.html").as_uri() + "?q=prediction+set")
    page.locator("#search-results li a", has_text="Calibration and prediction sets").wait_for()
    assert page.faults == []
