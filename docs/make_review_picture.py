"""Draw the pictures of docs/review.md: the review page on rendered cells.

    python -m docs.make_review_picture

Run from the repository's root. It starts `buffycoat review` on a rendered slide and takes
`review-slide.webp` (1440 px, light) and `review-phone.webp` (390 px, dark).
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.review_slides import COUNTS, render_slides
from benchmarks.review_time import BROWSERS, free_port, serving
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent
SEED = 3
N_WRONG = 10
QUALITY = 82


def draw_slide(browser: Browser, url: str) -> None:
    """A slide, one cell corrected, the next one large."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}#/slides/1/first")
    page.wait_for_selector(".cell:focus")
    page.keyboard.press(page.get_attribute('.palette [data-drop="BNE"]', "aria-keyshortcuts"))
    page.keyboard.press(".")
    _save(page, "review-slide.webp")


def draw_phone(browser: Browser, url: str) -> None:
    """The differential over the cells of the same slide."""
    size = {"width": 390, "height": 844}
    page = browser.new_page(viewport=size, color_scheme="dark", has_touch=True)
    page.goto(f"{url}#/slides/1/first")
    page.wait_for_selector(".cell")
    page.get_by_role("tab", name="Cell").tap()
    _save(page, "review-phone.webp")


def _save(page: Page, name: str) -> None:
    page.get_by_role("heading", name="Look-alikes").wait_for()
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").save(FOLDER / name, quality=QUALITY, method=6)


def main() -> None:
    """Both pictures."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        slides = render_slides(folder / "slides", {"S-24-1000": COUNTS}, N_WRONG, SEED)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        port = free_port()
        url = f"http://127.0.0.1:{port}/"
        command = [
            sys.executable, "-c", "from buffycoat.cli.main import app; app()", "review",
            str(slides.predictions), "--images", str(slides.images), "--port", str(port),
            "--database", f"sqlite:///{folder / 'review.sqlite'}", "--no-browser",
            "--reader", "A. Reader",
        ]  # fmt: skip
        with serving(command, f"{url}api/v1/session", folder / "log.txt", {}):
            draw_slide(browser, url)
            draw_phone(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
