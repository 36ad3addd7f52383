"""Find the cells of a synthetic slide: fields of ../shared/fields pasted on background.

    python -m benchmarks.slide chula bccd --out benchmarks/results/fields

makes a pyramidal TIFF of `--side` pixels in a temporary folder, which is removed, and runs
`buffycoat find` on it once for each `--tile-px`, and once more killed by SIGKILL and started again.
Printed, and written to `slide.csv`: precision and recall against the annotated boxes of the pasted
fields, and those of the same fields searched one by one; peak memory; CPU seconds; whether the
tables of cells are identical. Fields are brought to one magnification, that of the first site.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from benchmarks.finding import true_boxes

from buffycoat.evaluate import finding
from buffycoat.fields import red_cells
from buffycoat.fields.field import Field, read_field
from buffycoat.fields.find import find, measure_scale
from buffycoat.fields.rows import box_of
from buffycoat.tables import write_csv

GAPS = (40, 260)
"""Pixels between fields."""
BACKGROUNDS = {"plain": 0.0, "noisy": 3.0}
"""Standard deviation of gray levels."""
WHITE = (236, 232, 234)
KILLED_AFTER = 20
"""Lines of the journal, after which the run is killed."""


@dataclass(frozen=True)
class Pasted:
    """A field on the slide.

    Attributes:
        view: The field at the slide's scale.
        true: Left, top, width, height of its annotated cells, in its pixels; shape (n, 4).
        left: Of it on the slide.
        top: The same.
    """

    view: Field
    true: np.ndarray
    left: int
    top: int


def fields_of(shared: Path, sites: Sequence[str], most: int) -> list[tuple[Field, np.ndarray]]:
    """Fields of several sites in turn, with their boxes, at the scale of the first site."""
    scale, found = None, []
    for site in sites:
        truth = true_boxes(shared / "fields" / f"{site}.json")
        views = [read_field(shared / "fields" / site / name, name) for name in sorted(truth)[:most]]
        usual = red_cells.agree([*map(measure_scale, views), None])[-1]
        assert usual is not None
        scale = scale or usual
        factor = scale / usual
        own = []
        for view in views:
            size = [round(side * factor) for side in (view.width, view.height)]
            pixels = cv2.resize(view.pixels, size, interpolation=cv2.INTER_AREA)
            own.append((Field(f"{site}/{view.name}", pixels), truth[view.name] * factor))
        found.append(own)
    mixed = [one for group in found for one in group]
    return [mixed[n] for n in np.random.default_rng(0).permutation(len(mixed))]


def place(fields: Sequence[tuple[Field, np.ndarray]], side: int) -> list[Pasted]:
    """Fields in rows with random gaps; those that find no room are left out."""
    rng = np.random.default_rng(0)
    pasted: list[Pasted] = []
    left, top, tallest = GAPS[0], GAPS[0], 0
    for view, true in fields:
        if left + view.width > side:
            left, top, tallest = int(rng.integers(*GAPS)), top + tallest, 0
        down = top + int(rng.integers(*GAPS))
        if down + view.height > side:
            break
        pasted.append(Pasted(view, true, left, down))
        left += view.width + int(rng.integers(*GAPS))
        tallest = max(tallest, down - top + view.height)
    return pasted


def write_slide(pasted: Sequence[Pasted], side: int, noise: float, folder: Path) -> Path:
    """A pyramidal TIFF in JPEG tiles, by libvips, from a file of plain pixels."""
    import pyvips

    raw = folder / "raw"
    canvas = np.memmap(raw, np.uint8, "w+", shape=(side, side, 3))
    rng = np.random.default_rng(0)
    for top in range(0, side, 500):
        rows = canvas[top : top + 500]
        rows[:] = WHITE
        if noise:
            rough = rng.standard_normal(rows.shape, dtype=np.float32) * noise + np.array(WHITE)
            rows[:] = np.clip(np.rint(rough), 0, 255).astype(np.uint8)
    for one in pasted:
        canvas[one.top : one.top + one.view.height, one.left : one.left + one.view.width] = (
            one.view.pixels
        )
    canvas.flush()
    del canvas
    image = pyvips.Image.rawload(str(raw), side, side, 3).copy(interpretation="srgb")
    path = folder / "slides" / "slide.tif"
    path.parent.mkdir()
    image.tiffsave(
        str(path), tile=True, tile_width=256, tile_height=256, pyramid=True, compression="jpeg",
        Q=92, bigtiff=True,
    )  # fmt: skip
    raw.unlink()
    return path


def run(slides: Path, out: Path, tile_px: int, kill_after: int = 0) -> dict[str, float]:
    """`buffycoat find` in a process of its own: seconds and peak memory."""
    call = [sys.executable, "-c", "from buffycoat.cli.main import app; app()", "find", str(slides)]
    began = time.perf_counter()
    process = subprocess.Popen([*call, "--out", str(out), "--tile-px", str(tile_px)])
    journal = out / ".find-journal.jsonl"
    peak = 0.0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, _peak_gb(process.pid))
        if kill_after and journal.exists() and journal.read_bytes().count(b"\n") >= kill_after:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.1)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ((0, -signal.SIGKILL) if kill_after else (0,)):
        raise SystemExit(f"find ended with {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gb": round(peak, 3),
    }


def _peak_gb(pid: int) -> float:
    """Memory that a process has had at most; wait4 would count that of the process that forked."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return float(lines[0].split()[1]) / 1e6 if lines else 0.0


def score(pasted: Sequence[Pasted], boxes: np.ndarray, least_iou: float) -> finding.FindingScores:
    """Boxes on the slide against those of the pasted fields, field by field.

    A box on the background counts against the first field.
    """
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    owner = np.zeros(len(boxes), dtype=int)
    for number, one in enumerate(pasted):
        low, size = (one.left, one.top), (one.view.width, one.view.height)
        owner[((centres >= low) & (centres < np.add(low, size))).all(axis=1)] = number
    matches = []
    for number, one in enumerate(pasted):
        own = boxes[owner == number] - (one.left, one.top, 0, 0)
        matches.append(finding.match(own, one.true, least_iou))
    return finding.score(matches)


def one_by_one(pasted: Sequence[Pasted], red_px: float, least_iou: float) -> finding.FindingScores:
    """The same fields, each searched by itself."""
    matches = []
    for one in pasted:
        cells = find(one.view, red_px).cells
        boxes = np.array([c.box for c in cells if c.kind == "cell"], dtype=float).reshape(-1, 4)
        matches.append(finding.match(boxes, one.true, least_iou))
    return finding.score(matches)


def _words(scores: finding.FindingScores) -> dict[str, object]:
    return {
        "true": scores.n_true, "found": scores.n_found, "duplicates": scores.duplicates,
        **{name: f"{getattr(scores, name)[0]:.4f}" for name in ("precision", "recall", "f1")},
    }  # fmt: skip


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="Finding white cells in a slide.")
    parser.add_argument("sites", nargs="+")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--fields", type=int, default=150, help="of each site, at most")
    parser.add_argument("--background", choices=BACKGROUNDS, default="plain")
    parser.add_argument("--tile-px", type=int, nargs="+", default=[1500, 4096, 9000])
    parser.add_argument("--temporary", type=Path, help="where the slide is made for a while")
    parser.add_argument("--out", type=Path, help="folder of slide.csv; by default it is printed")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(dir=options.temporary) as name:
        folder = Path(name)
        fields = fields_of(options.shared, options.sites, options.fields)
        pasted = place(fields, options.side)
        path = write_slide(pasted, options.side, BACKGROUNDS[options.background], folder)
        print(f"{len(pasted)} fields pasted, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        tables: list[pd.DataFrame] = []
        for number, tile_px in enumerate([*options.tile_px, options.tile_px[0]]):
            out, is_killed = folder / f"cells-{number}", number == len(options.tile_px)
            if is_killed:
                run(path.parent, out, tile_px, KILLED_AFTER)
            used = run(path.parent, out, tile_px)
            tables.append(pd.read_parquet(out / "cells.parquet"))
            is_cell = tables[-1]["kind"] == "cell"
            boxes = np.array([box_of(row) for _, row in tables[-1][is_cell].iterrows()], float)
            row = {
                "side": options.side, "background": options.background, "tile_px": tile_px,
                "killed_and_resumed": is_killed, "fields": len(pasted),
                **_words(score(pasted, boxes, 0.0)),
                "f1_iou": _words(score(pasted, boxes, finding.LEAST_IOU))["f1"],
                "identical": tables[-1].equals(tables[0]), **used,
            }  # fmt: skip
            print(row, flush=True)
            rows.append(row)
        red_px = red_cells.RED_CELL_UM / tables[0]["um_per_px"].iloc[0]
        alone = {
            "side": "fields one by one", "fields": len(pasted),
            **_words(one_by_one(pasted, red_px, 0.0)),
            "f1_iou": _words(one_by_one(pasted, red_px, finding.LEAST_IOU))["f1"],
        }  # fmt: skip
        print(alone, flush=True)
        rows.append(alone)
    if options.out:
        write_csv(options.out / "slide.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main()
