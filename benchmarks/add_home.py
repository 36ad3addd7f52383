"""Give a bundle that was made before it recorded them the looks of its training cells.

    python -m benchmarks.add_home BUNDLE DATA

Every cell is taken as it is and degraded at each severity of `simulate.degrade`. The classifier has
seen these cells, so its logits are surer of them than of new ones; training itself takes those of
the folds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.images import load_work
from buffycoat.learn import fit_home
from buffycoat.predict.background import as_seen
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.simulate.degrade import MAX_SEVERITY, degrade
from buffycoat.sites.reference import SiteReference
from buffycoat.sources.read import read


def home_of(fitted: Fitted, data: Path, seed: int = 0) -> SiteReference:
    """What the bundle should have recorded of the training cells of a data set."""
    cells = read(data).of_split("train")
    cells = cells.subset(cells.is_labelled)
    images = as_seen(load_work(cells, fitted.config.images).images, fitted)
    rng = np.random.default_rng(seed)
    severity = rng.integers(1, MAX_SEVERITY + 1, len(images))
    twins = np.stack([degrade(x, int(s), rng) for x, s in zip(images, severity, strict=True)])
    both = np.concatenate([images, twins])
    masks = build_segmenter(fitted.config.segment)(both)
    good = [m.cell.mean() if m.quality >= fit_home.GOOD_OUTLINE else np.nan for m in masks]
    own = np.rint(fitted.restoration.severity.estimate(images).severity).astype(int)
    seen = fit_home.SeenCells(
        cells,
        both,
        np.mean([model.look(both, [0])[:, 0] for model in fitted.models], axis=0),
        np.array(good),
        np.concatenate([own, severity]),
    )
    found = fit_home.fit(seen, fitted.config.images, fitted.config.segment)
    if found is None:
        raise SystemExit(f"{data}: too few training cells")
    return found


def main() -> None:
    """Read the arguments, measure and write."""
    parser = argparse.ArgumentParser(description="Record the looks of a bundle's training cells.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, help="the data set that it was trained on")
    options = parser.parse_args()
    home = home_of(files.read(options.bundle), options.data)
    files.add_home(options.bundle, home)
    limits = {name: round(group.limit, 2) for name, group in home.shift.groups.items()}
    print(f"{options.bundle}: {home.colour}, {home.sizes}, limits in SD {limits}")


if __name__ == "__main__":
    main()
