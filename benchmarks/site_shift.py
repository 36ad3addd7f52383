"""How often batches of 64 cells raise the alarm of `sites.shift`: at home, and at other sites.

    python -m benchmarks.site_shift BUNDLE ../shared --out benchmarks/results/sites/shift.csv

Home are PBC-LT's held-out cells, by their severity, and `pbc-more`; nothing was fitted on either.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.site_cells import TYPED, UNTYPED, read_site, work_of

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.images import load_work
from buffycoat.learn.fit_home import GOOD_OUTLINE
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sites.look import colour_and_sharpness, scale
from buffycoat.sites.shift import BATCH
from buffycoat.sources.read import read

N_BATCHES = 1000
MOST = 600


def sets(fitted: Fitted, shared: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and working images of each set of cells."""
    held_out = read(shared / "pbc-lt").of_split("eval")
    severity = held_out.frame["severity"].to_numpy(dtype=float)
    yield "home: eval, all", _images(held_out, fitted)
    yield "home: eval, pristine", _images(held_out.subset(severity == 0), fitted)
    yield "home: eval, degraded", _images(held_out.subset(severity > 0), fitted)
    yield "home: eval, severity 4", _images(held_out.subset(severity == 4), fitted)
    yield "home: pbc-more", _images(read(shared / "pbc-more"), fitted)
    for name in (*TYPED, *UNTYPED):
        yield name, work_of(read_site(name, shared), fitted)


def _images(cells: Manifest, fitted: Fitted) -> np.ndarray:
    rows = np.random.default_rng(0).permutation(len(cells))[:MOST]
    return load_work(cells.subset(rows), fitted.config.images).images


def measure(fitted: Fitted, images: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Share of batches with an alarm, and the median distance of each group."""
    assert fitted.home is not None
    masks = build_segmenter(fitted.config.segment)(images)
    areas = np.array([m.cell.mean() if m.quality >= GOOD_OUTLINE else np.nan for m in masks])
    values = colour_and_sharpness(images) | {"scale": scale(areas)}
    values["network"] = np.mean([model.look(images, [0])[:, 0] for model in fitted.models], axis=0)
    classes = values["network"].argmax(axis=1)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(N_BATCHES):
        rows = rng.choice(len(images), BATCH, replace=len(images) < 2 * BATCH)
        found.append(
            fitted.home.shift.score({n: v[rows] for n, v in values.items()}, classes[rows])
        )
    middle = {name: np.median([f.distances[name] for f in found]) for name in found[0].distances}
    return {
        "cells": len(images),
        "alarms": float(np.mean([f.is_alarm for f in found])),
        "score": float(np.median([f.score for f in found])),
        **{f"{name}_sd": float(value) for name, value in middle.items()},
    }


def main() -> None:
    """Read the arguments, measure and write."""
    parser = argparse.ArgumentParser(description="Alarms of the shift detector.")
    parser.add_argument("bundle", help="that knows its home")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--out", type=Path, required=True, help=".csv")
    options = parser.parse_args()
    fitted = files.read(options.bundle)
    rows = []
    for name, images in sets(fitted, options.shared):
        rows.append({"cells_of": name, **measure(fitted, images)})
        print(rows[-1], flush=True)
        pd.DataFrame(rows).round(3).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
