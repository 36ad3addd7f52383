"""How long the review page takes to open a slide, by its number of cells.

    python -m benchmarks.review_open --out benchmarks/results/review

Cells are rendered. A slide is opened in a browser from a server that was just started (cold: no
picture was read yet) and again (warm). Seconds are from the address typed in to the moment where
all cells are on the page and every picture in sight is decoded. Beside it stands what the server
took for its part. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.review_slides import Slides, render_slides
from benchmarks.review_time import BROWSERS, free_port, serving
from playwright.sync_api import Browser, Page, sync_playwright

CELLS = (200, 1000, 5000)
SHARES = {"SNE": 0.5, "LY": 0.3, "MO": 0.1, "BNE": 0.06, "EO": 0.04}
N_DRAWN = 8
WARM_RUNS = 5
WAIT_MS = 120_000
IN_SIGHT = """(n) => document.querySelectorAll('[role=option]').length === n
    && [...document.querySelectorAll('[role=option].near img')].length > 0
    && [...document.images].filter((image) => {
        const {top, bottom, width} = image.getBoundingClientRect();
        return width && bottom > 0 && top < innerHeight;
    }).every((image) => image.complete && image.naturalWidth)"""


def slides_of(folder: Path, n_cells: int) -> Slides:
    """One slide of so many cells; few different drawings, each in a file of its own."""
    counts = {code: round(share * n_cells) for code, share in SHARES.items()}
    return render_slides(folder, {"S": counts}, n_cells // 20, n_drawn=N_DRAWN)


def seconds_to_open(page: Page, url: str, n_cells: int) -> float:
    """Until all cells are there and every picture in sight is decoded."""
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(f"{url}#/slides/1/first")
    while not page.evaluate(IN_SIGHT, n_cells):
        if time.perf_counter() - begun > WAIT_MS / 1000:
            raise SystemExit(f"{n_cells} cells were not shown within {WAIT_MS / 1000:.0f} s")
        page.wait_for_timeout(5)
    return time.perf_counter() - begun


def seconds_of_server(page: Page, url: str) -> float:
    """For the cells of the slide, as the page asks for them."""
    begun = time.perf_counter()
    page.request.get(f"{url}api/v1/slides/1/cells?role=first")
    return time.perf_counter() - begun


def measure(browser: Browser, n_cells: int) -> dict[str, Any]:
    """One slide, cold and warm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slides, port = slides_of(folder, n_cells), free_port()
        url = f"http://127.0.0.1:{port}/"
        command = [
            sys.executable, "-c", "from buffycoat.cli.main import app; app()", "review",
            str(slides.predictions), "--images", str(slides.images), "--port", str(port),
            "--database", f"sqlite:///{folder / 'review.sqlite'}", "--no-browser",
        ]  # fmt: skip
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        with serving(command, f"{url}api/v1/session", folder / "log.txt", {}):
            cold = seconds_to_open(page, url, n_cells)
            warm = [seconds_to_open(page, url, n_cells) for _ in range(WARM_RUNS)]
            answers = [seconds_of_server(page, url) for _ in range(WARM_RUNS)]
        context.close()
    return {
        "cells": n_cells,
        "cold_s": round(cold, 3),
        "warm_s": round(statistics.median(warm), 3),
        "warm_worst_s": round(max(warm), 3),
        "server_s": round(statistics.median(answers), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the table")
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS)
    options = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        rows = []
        for n_cells in options.cells:
            rows.append(measure(browser, n_cells))
            print(rows[-1], flush=True)
        browser.close()
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "review_open.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
