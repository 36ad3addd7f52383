"""Rendered cells with clean twins, as the benchmarks of restoration need them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # benchmarks are no part of the installed package

SIDE_PX = 96
SEED = 3


@pytest.fixture(scope="session")
def twinned_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered benchmark of three classes whose evaluation cells have clean twins."""
    from buffycoat.images import write_png
    from buffycoat.simulate.render import render_benchmark, render_cell

    folder = tmp_path_factory.mktemp("twinned") / "cells"
    counts = {"SNE": 12, "LY": 12, "EO": 12}
    rows = render_benchmark(folder, counts, 8, 0, SEED, SIDE_PX)
    for row in rows:
        if row.part == "phase2_eval":
            rng = np.random.default_rng([SEED, int(row.cell_id[:-4])])
            image = render_cell(row.code, rng, SIDE_PX).image
            target = folder / "phase2" / "eval_pristine" / row.cell_id
            write_png(target.with_suffix(".png"), image)
            target.with_suffix(".png").rename(target)
    return folder
