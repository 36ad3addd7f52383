"""How far simulated laboratories (`classify.laboratory`) are from home, beside real ones.

    python -m benchmarks.laboratories starter ../shared --out FILE.csv

No label is looked at. Simulated laboratories show cells of `pbc-more`, which PBC-LT's bundles have
not learned from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.site_cells import TYPED, UNTYPED, read_site
from benchmarks.sites import work_of

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.classify.laboratory import Laboratory
from buffycoat.images import load_work
from buffycoat.learn.abroad_cells import LABORATORIES
from buffycoat.predict.site_look import look
from buffycoat.sites.colour import measure
from buffycoat.sites.reference import AdaptedSite
from buffycoat.sites.shift import BATCH
from buffycoat.sites.standardise import ColourReference
from buffycoat.sources.read import read


def sets(fitted: Fitted, shared: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and `BATCH` working images of home, of simulated laboratories and of real ones."""
    home = read(shared / "pbc-more")
    rows = np.random.default_rng(0).permutation(len(home))[:BATCH]
    images = load_work(home.subset(rows), fitted.config.images).images
    yield "home: pbc-more", images
    for number in range(LABORATORIES):
        laboratory = Laboratory.draw(number)
        yield f"simulated {number}", np.stack([laboratory.photograph(image) for image in images])
    for name in (*TYPED, *UNTYPED):
        work = work_of(read_site(name, shared), fitted)
        yield name, work[np.random.default_rng(0).permutation(len(work))[:BATCH]]


def row_of(name: str, images: np.ndarray, fitted: Fitted) -> dict[str, Any]:
    """Distances in standard deviations, as the cells are and after the colour step of `adapt`."""
    site = AdaptedSite(name, ColourReference.of(measure(images)), True, {})
    row: dict[str, Any] = {"cells_of": name, "cells": len(images)}
    for when, system in (("before", fitted), ("after", replace(fitted, site=site))):
        shift = look(images, system).shift
        row |= {f"{group}_{when}": sd for group, sd in shift.distances.items()}
        row[f"score_{when}"] = shift.score
    return row


def main() -> None:
    """Read the arguments, measure and write."""
    parser = argparse.ArgumentParser(description="Simulated laboratories beside real ones.")
    parser.add_argument("bundle", help="that knows its home")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--out", type=Path, required=True, help=".csv")
    options = parser.parse_args()
    fitted = files.read(options.bundle)
    rows = [row_of(*pair, fitted) for pair in sets(fitted, options.shared)]
    table = pd.DataFrame(rows).round(2)
    table.to_csv(options.out, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
