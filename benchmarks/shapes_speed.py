"""Masks and features of an older build against today's: time, and whether they are the same.

    git worktree add --detach ../before 8aa6668
    python -m benchmarks.shapes_speed ../shared/pbc-lt --before ../before

Both builds run by turns on the same working images of training cells, each in a process of its own
with one thread; the time is the processor's, the best of some rounds. Morphology is measured on the
masks that the build itself found, so that its agreement is that of the whole.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WORK_PX, FRAME_FRACTION = 224, 0.75
"""Of the working images, as the starter bundle has them."""
TIME = "time "
"""What names of times begin with, among the arrays of a worker."""
BLUR_PX = 1.0
"""Stands in for a restoration: the gate compares each third cell with its blurred copy."""


def run_worker(cells: Path, out: Path) -> None:
    """Measure with whatever build is on the path; writes results and times as arrays."""
    from buffycoat.refine.features import measure
    from buffycoat.restore import symptoms
    from buffycoat.restore.texture import Pair, granules, hue_shift, local_change
    from buffycoat.segment.stain import segment

    cv2.setNumThreads(1)
    images = np.load(cells)
    times: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any], n: int) -> Any:
        start = time.process_time()
        found = work()
        times[name] = 1000 * (time.process_time() - start) / n
        return found

    first = images[::3]
    second = np.stack([cv2.GaussianBlur(image, (0, 0), BLUR_PX) for image in first])
    again = [segment(image) for image in second]  # warms up, too
    masks = timed("segmentation", lambda: [segment(i) for i in images], len(images))
    features = timed(
        "morphology",
        lambda: [measure(i, m.cell, m.nucleus) for i, m in zip(images, masks, strict=True)],
        len(images),
    )
    symptom = timed("symptoms", lambda: [symptoms.measure(i) for i in images], len(images))

    def gate() -> list[list[float]]:
        sides = zip(first, second, masks[::3], again, strict=True)
        pairs = [Pair.of(*side) for side in sides]
        return [[hue_shift(p), *granules(p), local_change(p)] for p in pairs]

    gate_numbers = timed("gate", gate, len(first))
    found = {
        "cell": np.array([m.cell for m in masks]),
        "nucleus": np.array([m.nucleus for m in masks]),
        "quality": np.array([m.quality for m in masks]),
        "features": np.array(features),
        "symptoms": np.array(symptom),
        "gate": np.array(gate_numbers),
    }
    with out.open("wb") as file:
        np.savez(file, **found, **{f"{TIME}{stage}": took for stage, took in times.items()})


def run_build(root: Path, cells: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Times and results of the build in a checkout."""
    here = Path(__file__).resolve().parents[1]
    paths = os.pathsep.join([str(root.resolve() / "src"), str(here)])
    with tempfile.NamedTemporaryFile(suffix=".npz") as out:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.shapes_speed", str(cells), "--worker", out.name],
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            cwd=here,
            check=True,
        )
        with np.load(out.name, allow_pickle=False) as stored:
            arrays = dict(stored)
    times = {n.removeprefix(TIME): float(arrays.pop(n)) for n in [*arrays] if n.startswith(TIME)}
    return times, arrays


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Dice coefficient of two bool masks; 1 when both are empty."""
    both = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / both if both else 1.0


def mask_agreement(before: np.ndarray, now: np.ndarray) -> dict[str, float]:
    """Dice of each pair of masks."""
    values = np.array([dice(b, n) for b, n in zip(before, now, strict=True)])
    return {
        "mean": float(values.mean()),
        "min": float(values.min()),
        "identical_share": float((values == 1).mean()),
    }


def column_agreement(before: np.ndarray, now: np.ndarray) -> dict[str, float | None]:
    """Rank correlation of one column, how many rows differ, and how many only one could measure."""
    from scipy.stats import spearmanr

    seen = np.isfinite(before) & np.isfinite(now)
    is_constant = len(np.unique(before[seen])) < 2 or len(np.unique(now[seen])) < 2
    rank = None if is_constant else float(spearmanr(before[seen], now[seen]).statistic)
    close = np.isclose(before[seen], now[seen], rtol=1e-5, atol=1e-9)
    return {
        "rank_correlation": rank,
        "differs_share": float(1 - close.mean()) if seen.any() else 0.0,
        "measured_by_one_only": int((np.isfinite(before) != np.isfinite(now)).sum()),
    }


def compare(data: Path, before: Path, n_cells: int, rounds: int) -> dict[str, Any]:
    """All figures, on training cells."""
    from buffycoat.config import ImagesConfig
    from buffycoat.images import load_work
    from buffycoat.refine.features import NAMES
    from buffycoat.sources.read import read

    manifest = read(data).of_split("train")
    chosen = np.linspace(0, len(manifest.frame) - 1, n_cells).round().astype(int)
    settings = ImagesConfig(work_px=WORK_PX, frame_fraction=FRAME_FRACTION)
    work = load_work(manifest.subset(chosen), settings).images
    roots = {"before": before, "now": Path(__file__).resolve().parents[1]}
    times: dict[str, list[dict[str, float]]] = {name: [] for name in roots}
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cells = Path(folder) / "cells.npy"
        np.save(cells, np.asarray(work))
        for _ in range(rounds):
            for name, root in roots.items():
                took, found[name] = run_build(root, cells)
                times[name].append(took)
    best = {
        stage: {name: min(took[stage] for took in times[name]) for name in roots}
        for stage in times["now"][0]
    }
    old, new = found["before"], found["now"]
    return {
        "cells": len(work),
        "rounds": rounds,
        "cpu_ms_per_cell": {
            stage: row | {"ratio": row["before"] / row["now"]} for stage, row in best.items()
        },
        "dice": {name: mask_agreement(old[name], new[name]) for name in ("cell", "nucleus")},
        "largest_quality_difference": float(np.abs(old["quality"] - new["quality"]).max()),
        "largest_symptom_difference": float(np.abs(old["symptoms"] - new["symptoms"]).max()),
        "gate": {
            name: column_agreement(old["gate"][:, at], new["gate"][:, at])
            for at, name in enumerate(("hue", "granule_change", "granule_match", "local_change"))
        },
        "features": {
            name: column_agreement(old["features"][:, at], new["features"][:, at])
            for at, name in enumerate(NAMES)
        },
    }


def main() -> None:
    """Compare two builds and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="data set; with --worker, the stored cells")
    parser.add_argument("--before", type=Path, help="checkout of the older build")
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/morphology/shapes_speed.json")
    )
    options = parser.parse_args()
    if options.worker:
        run_worker(options.data, options.worker)
        return
    if not options.before:
        parser.error("--before: expected the checkout of an older build")
    from benchmarks.stored import write_json  # an older build has no part of what it needs

    result = compare(options.data, options.before, options.cells, options.rounds)
    for stage, row in result["cpu_ms_per_cell"].items():
        print(f"{stage:<14}{row['before']:7.2f} ms, now {row['now']:6.2f} ms: {row['ratio']:.2f} x")
    for name, row in result["dice"].items():
        print(f"{name:<14}Dice mean {row['mean']:.5f}, min {row['min']:.5f}")
    ranks = {name: row["rank_correlation"] for name, row in result["features"].items()}
    lowest = min((rank, name) for name, rank in ranks.items() if rank is not None)
    print(f"lowest rank correlation of a feature: {lowest[1]} {lowest[0]:.5f}")
    write_json(options.out, result)


if __name__ == "__main__":
    main()
