"""How long the review page takes to open a slide, by its number of cells.

    python -m benchmarks.review_open --out benchmarks/results/review
    python -m benchmarks.review_open --cells 5000 --against ../main/src --out runs/both

Cells are rendered. A slide is opened in a browser from a server that was just started (cold: no
picture was read yet) and again (warm). Seconds are from the address typed in to the moment where
all cells are on the page and every picture in sight is decoded. Beside it stands what the server
took for its part. Run it on an idle machine.

With `--against`, the page of another checkout is opened by turns with this one's, each from a
server of its own. Their ratio, also of CPU seconds (browser and its children), says something on a
busy machine too.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from benchmarks.review_slides import Slides, render_slides
from benchmarks.review_time import BROWSERS, free_port, serving
from playwright.sync_api import Browser, Page, sync_playwright

CELLS = (200, 1000, 5000)
SHARES = {"SNE": 0.5, "LY": 0.3, "MO": 0.1, "BNE": 0.06, "EO": 0.04}
N_DRAWN = 8
WARM_RUNS = 5
WAIT_MS = 120_000
SOURCE = Path(__file__).resolve().parents[1] / "src"
IN_SIGHT = """(n) => document.querySelectorAll('[role=option]').length === n
    && [...document.querySelectorAll('[role=option].near img')].length > 0
    && [...document.querySelectorAll('[role=option].near img, .viewer img')].filter((image) => {
        const {top, bottom, width} = image.getBoundingClientRect();
        return width && bottom > 0 && top < innerHeight;
    }).every((image) => image.complete && image.naturalWidth)"""


def slides_of(folder: Path, n_cells: int) -> Slides:
    """One slide of so many cells; few different drawings, each in a file of its own."""
    counts = {code: round(share * n_cells) for code, share in SHARES.items()}
    return render_slides(folder, {"S": counts}, n_cells // 20, n_drawn=N_DRAWN)


@dataclass
class Opened:
    """What opening a slide took.

    Attributes:
        cold_s: From a server that was just started.
        cold_cpu_s: CPU seconds of the browser for it.
        warm_s: Again, each time.
        warm_cpu_s: Likewise.
        server_s: What the server took for the cells, each time.
    """

    cold_s: float = 0.0
    cold_cpu_s: float = 0.0
    warm_s: list[float] = field(default_factory=list)
    warm_cpu_s: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)

    def row(self, n_cells: int) -> dict[str, Any]:
        """For the table."""
        return {
            "cells": n_cells,
            "cold_s": round(self.cold_s, 3),
            "warm_s": round(statistics.median(self.warm_s), 3),
            "warm_worst_s": round(max(self.warm_s), 3),
            "warm_cpu_s": round(statistics.median(self.warm_cpu_s), 3),
            "server_s": round(statistics.median(self.server_s), 3),
        }


def cpu_s_of_browser() -> float:
    """CPU seconds of all processes of browsers that this one started, ended ones too."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name() or "headless" in process.name():
                total += sum(process.cpu_times()[:4])  # its own, and its ended children's
    return total


def open_slide(page: Page, url: str, n_cells: int) -> tuple[float, float]:
    """Seconds, and CPU seconds, until all cells are there and every picture in sight is decoded."""
    page.goto("about:blank")
    cpu_s, begun = cpu_s_of_browser(), time.perf_counter()
    page.goto(f"{url}#/slides/1/first")
    while not page.evaluate(IN_SIGHT, n_cells):
        if time.perf_counter() - begun > WAIT_MS / 1000:
            raise SystemExit(f"{n_cells} cells were not shown within {WAIT_MS / 1000:.0f} s")
        page.wait_for_timeout(5)
    return time.perf_counter() - begun, cpu_s_of_browser() - cpu_s


def seconds_of_server(page: Page, url: str) -> float:
    """For the cells of the slide, as the page asks for them."""
    begun = time.perf_counter()
    page.request.get(f"{url}api/v1/slides/1/cells?role=first")
    return time.perf_counter() - begun


def command_of(slides: Slides, database: Path, port: int) -> list[str]:
    """The review server on a slide."""
    return [
        sys.executable, "-c", "from buffycoat.cli.main import app; app()", "review",
        str(slides.predictions), "--images", str(slides.images), "--port", str(port),
        "--database", f"sqlite:///{database}", "--no-browser",
    ]  # fmt: skip


def measure(browser: Browser, n_cells: int, sources: list[Path]) -> list[Opened]:
    """One slide, cold and warm, from each of some sources by turns."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        slides = slides_of(folder, n_cells)
        opened = []
        for number, source in enumerate(sources):
            port = free_port()
            url = f"http://127.0.0.1:{port}/"
            command = command_of(slides, folder / f"{number}.sqlite", port)
            log = folder / f"log-{number}.txt"
            env = {"PYTHONPATH": str(source)}
            stack.enter_context(serving(command, f"{url}api/v1/session", log, env))
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            stack.callback(context.close)
            context.add_init_script("localStorage['buffycoat.reader'] = 'Reader'")
            context.set_default_timeout(WAIT_MS)
            opened.append((Opened(), context.new_page(), url))
        for found, page, url in opened:
            found.cold_s, found.cold_cpu_s = open_slide(page, url, n_cells)
        for _ in range(WARM_RUNS):
            for found, page, url in opened:
                seconds, cpu_s = open_slide(page, url, n_cells)
                found.warm_s.append(seconds)
                found.warm_cpu_s.append(cpu_s)
                found.server_s.append(seconds_of_server(page, url))
    return [found for found, _, _ in opened]


def print_ratio(mine: Opened, other: Opened) -> None:
    """How the other checkout compares, turn by turn."""
    for words, name in (("seconds", "warm_s"), ("CPU seconds", "warm_cpu_s")):
        pairs = zip(getattr(other, name), getattr(mine, name), strict=True)
        ratios = [old / new for old, new in pairs]
        middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
        print(f"  other : this, {words}: {middle:.2f} ({least:.2f} to {most:.2f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the table")
    parser.add_argument("--cells", type=int, nargs="+", default=CELLS)
    parser.add_argument("--against", type=Path, help="`src` of another checkout")
    options = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        rows = []
        sources = [SOURCE, *([options.against.resolve()] if options.against else [])]
        for n_cells in options.cells:
            mine, *others = measure(browser, n_cells, sources)
            rows.append(mine.row(n_cells))
            print(rows[-1], flush=True)
            for other in others:
                print(f"  other: {other.row(n_cells)}", flush=True)
                print_ratio(mine, other)
        browser.close()
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "review_open.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
