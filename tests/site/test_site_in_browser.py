"""The site in a browser: no error, no request to another host, nothing wider than the window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("site")]

BROWSERS = ("chromium-headless-shell", "chromium", "chrome-headless-shell", "google-chrome")
WIDTHS = {"desktop": 1440, "phone": 390}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A Chromium, driven by Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    named = os.environ.get("BUFFYCOAT_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)}, and BUFFYCOAT_CHROMIUM is not set")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    """A window; what goes wrong in it is in `page.faults`."""
    window = chromium.new_page(viewport={"width": WIDTHS[request.param], "height": 900})
    window.faults = []
    window.on("console", lambda m: window.faults.append(m.text) if m.type == "error" else None)
    window.on("pageerror", lambda error: window.faults.append(str(error)))
    window.on("request", lambda r: None if r.url.startswith(("file:", "data:"))
              else window.faults.append(r.url))  # fmt: skip
    yield window
    assert window.faults == []
    window.close()


def test_no_page_is_wider_than_the_window(page: Any, site: Path) -> None:
    wide = []
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri(), wait_until="load")
        width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        broken = page.evaluate(
            "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        )
        wide += [f"{path.relative_to(site)}: {width} px"] if width > 0 else []
        wide += [f"{path.relative_to(site)}: {broken}"] if broken else []
    assert wide == []


def test_the_search_finds_a_page(page: Any, site: Path) -> None:
    page.goto((site / "search.html").as_uri() + "?q=prediction+set")
    page.locator("#search-results li a", has_text="Calibration and prediction sets").wait_for(
        timeout=10_000
    )
