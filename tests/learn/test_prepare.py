"""Fingerprints of cells: what is learned from is what they are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.cells import Manifest
from buffycoat.config import Config
from buffycoat.images import write_png
from buffycoat.learn.prepare import load_cells
from buffycoat.progress import Silent
from buffycoat.simulate.render import render_cell


def test_another_scale_or_box_is_another_set_of_cells(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", render_cell("LY", np.random.default_rng(0), 96).image)

    def key(photograph_um: float | None = None, **columns: object) -> str:
        images = {"work_px": 32, "photograph_um": photograph_um}
        table = pd.DataFrame({"cell_id": ["a"], "path": [str(tmp_path / "a.png")], **columns})
        config = Config.model_validate({"images": images})
        return load_cells(Manifest.from_frame(table, "test"), config, None, Silent(), 0).key

    by_scale = [key(30.0), key(30.0, um_per_px=[0.2]), key(30.0, um_per_px=[0.3])]
    assert len({*by_scale}) == 3
    assert key(um_per_px=[0.2]) == key()  # not framed by it
    assert len({key(), key(box=["0,0,48,48"]), key(box=["0,0,48,64"])}) == 3
