"""Cells a second of segmentation and morphology; the published features against a plain version.

    python -m benchmarks.morphology_speed PBC-LT --out benchmarks/results/morphology/speed.json

Cells are decoded beforehand and measured at their own 360 px. The plain version measures the seven
features of arXiv 2603.16249 as its text reads: image by image, with scikit-image's region
properties and numpy over whole arrays. Both see the same cells and masks, and must agree. Besides
the clock, the seconds of one core are told: they hold better on a busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from benchmarks.stored import write_json
from skimage.measure import regionprops

from buffycoat import images
from buffycoat.refine.features import NAMES, PUBLISHED, measure
from buffycoat.segment.stain import CellMasks, segment
from buffycoat.sources.read import read

ROUNDS = 3
TOLERANCE = 1e-6
"""Relative: sums in another order differ by rounding."""


def plain(image: np.ndarray, cell: np.ndarray, nucleus: np.ndarray) -> np.ndarray:
    """The seven published features, written down as they are described; shape (7,)."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    nucleus = nucleus & cell
    (whole,) = regionprops(cell.astype(np.uint8), intensity_image=gray)
    (inner,) = regionprops(nucleus.astype(np.uint8))
    inside = gray[cell]
    gap = np.subtract(whole.centroid, inner.centroid)
    return np.array(
        [
            whole.area / cell.size,
            inside.mean(),
            inside.std(),
            image[..., 0][cell].mean() / image[..., 2][cell].mean(),
            inner.area / whole.area,
            np.hypot(*gap) / np.sqrt(whole.area / np.pi),
            gray[cell & ~nucleus].mean(),
        ]
    )


def check_equal(cells: list[np.ndarray], masks: list[CellMasks]) -> dict[str, float]:
    """Largest relative difference of each published feature.

    Raises:
        AssertionError: They differ by more than rounding.
    """
    pairs = list(zip(cells, masks, strict=True))
    theirs = np.array([plain(image, mask.cell, mask.nucleus) for image, mask in pairs])
    whole = np.array([measure(image, mask.cell, mask.nucleus) for image, mask in pairs])
    ours = whole[:, : len(PUBLISHED)]
    gap = np.abs(ours - theirs) / np.maximum(np.abs(theirs), TOLERANCE)
    apart = dict(zip(PUBLISHED, gap.max(axis=0).tolist(), strict=True))
    assert max(apart.values()) < TOLERANCE, apart
    return apart


def timed(work: Callable[[], Any], n: int) -> dict[str, float]:
    """Best of some rounds: milliseconds of the clock and of this core, a cell."""
    walls, cores = [], []
    for _ in range(ROUNDS):
        wall, core = time.perf_counter(), time.thread_time()
        work()
        walls.append(time.perf_counter() - wall)
        cores.append(time.thread_time() - core)
    return {"wall_ms": 1000 * min(walls) / n, "core_ms": 1000 * min(cores) / n}


def segment_and_measure(image: np.ndarray) -> np.ndarray:
    """What `buffycoat measure` does with a decoded cell."""
    masks = segment(image)
    return measure(image, masks.cell, masks.nucleus)


def in_processes(cells: list[np.ndarray], workers: int) -> dict[str, float]:
    """Cells a second of segmentation and all features by several processes, once they run."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        list(pool.map(segment_and_measure, cells[: 4 * workers]))  # starts and warms them
        best = np.inf
        for _ in range(ROUNDS):
            start = time.perf_counter()
            list(pool.map(segment_and_measure, cells, chunksize=16))
            best = min(best, time.perf_counter() - start)
    return {"workers": workers, "cells_per_second": len(cells) / best}


def measure_speed(data: Path, n_cells: int, workers: int) -> dict[str, Any]:
    """All figures, on training cells."""
    cv2.setNumThreads(1)
    frame = read(data).of_split("train").frame
    chosen = np.linspace(0, len(frame) - 1, n_cells).round().astype(int)
    cells = [images.read(path) for path in frame["path"].iloc[chosen]]
    masks = [segment(image) for image in cells]
    found = [place for place, mask in enumerate(masks) if mask.nucleus.any()]
    cells, masks = [cells[i] for i in found], [masks[i] for i in found]
    apart = check_equal(cells, masks)
    pairs = list(zip(cells, masks, strict=True))
    runs = {
        "plain_published": lambda: [plain(i, m.cell, m.nucleus) for i, m in pairs],
        "all_features": lambda: [measure(i, m.cell, m.nucleus) for i, m in pairs],
        "segment": lambda: [segment(i) for i in cells],
    }
    times = {name: timed(work, len(cells)) for name, work in runs.items()}
    core = times["segment"]["core_ms"] + times["all_features"]["core_ms"]
    return {
        "cells": len(cells),
        "side_px": int(cells[0].shape[0]),
        "features": len(NAMES),
        "times": times,
        "segment_and_measure_core_ms": core,
        "cells_per_second_of_two_idle_cores": 2 * 1000 / core,
        "in_processes": in_processes(cells, workers),
        "largest_difference": apart,
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Speed of segmentation and morphology.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/morphology/speed.json")
    )
    options = parser.parse_args()
    found = measure_speed(options.data, options.cells, options.workers)
    for name, row in found["times"].items():
        print(f"{name:<16}{row['wall_ms']:8.2f} ms by the clock {row['core_ms']:8.2f} ms of a core")
    by_clock = found["in_processes"]["cells_per_second"]
    print(
        f"segmentation and all features: {by_clock:.0f} cells/s by the clock in {options.workers} "
        f"processes, {found['cells_per_second_of_two_idle_cores']:.0f} by the time of two cores"
    )
    write_json(options.out, found)


if __name__ == "__main__":
    main()
