"""Fit when the views of a bundle stop early, on labelled cells that it has not learned from.

    python -m benchmarks.fit_cascade ../shared/pbc-more/cells.csv --bundle src/buffycoat/starter

A run of `buffycoat train` fits this out of fold. The models of the starter bundle have seen the
cells of all folds, so other cells of the same laboratory take their place, each as it is and once
degraded. Classes weigh the same. The bundle is written anew with the fitted limits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.classify.cascade import order_of
from buffycoat.images import load_work, write_atomic
from buffycoat.learn.fit_cascade import Seen, fit
from buffycoat.simulate.degrade import degrade
from buffycoat.sources.read import read

CELLS_A_CLASS = 250
FOLDS = 5
SEED = 0


def choose(manifest: Manifest, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most so many cells of each class, in order."""
    parts = [
        rng.permutation(np.flatnonzero(targets == c))[:CELLS_A_CLASS] for c in np.unique(targets)
    ]
    return np.sort(np.concatenate(parts))


def look(cells: Manifest, fitted: Fitted) -> Seen:
    """Every view of every cell by every model, as it is and once degraded."""
    targets = cells.targets(fitted.taxonomy)
    rng = np.random.default_rng(SEED)
    rows = choose(cells, targets, rng)
    cells, targets = cells.subset(rows), targets[rows]
    images = load_work(cells, fitted.config.images).images
    severity = rng.integers(1, 5, len(rows))
    twins = np.stack(
        [
            degrade(image, int(step), np.random.default_rng((SEED, row)))
            for row, (image, step) in enumerate(zip(images, severity, strict=True))
        ]
    )
    order = list(order_of(fitted.config.classify.views))
    logits = []
    for number, model in enumerate(fitted.models, start=1):
        parts = [model.view_logits(part) for part in (images, twins)]
        logits.append(np.concatenate(parts)[:, order])
        print(f"model {number} of {len(fitted.models)}: {2 * len(images)} images", flush=True)
    folds = np.tile(rng.permutation(len(rows)) % FOLDS, 2)
    average = fitted.config.fuse.average
    return Seen(logits, fitted.temperatures, np.tile(targets, 2), average, folds)


def main() -> None:
    """Look, fit, and write the limits into the bundle's index."""
    parser = argparse.ArgumentParser(description="Fit when views stop early.")
    parser.add_argument("cells", type=Path, help="table of labelled cells that no model has seen")
    parser.add_argument("--bundle", type=Path, required=True)
    options = parser.parse_args()
    fitted = replace(files.read(options.bundle), cascade=None)
    cascade, words = fit(look(read(options.cells), fitted))
    print(words)
    path = options.bundle / files.INDEX
    index = json.loads(path.read_text(encoding="utf-8"))
    index["cascade"] = cascade.to_dict() if cascade else None
    write_atomic(path, json.dumps(index, indent=1, allow_nan=False).encode())
    print(f"{path}: sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
