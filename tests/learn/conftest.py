"""Cells without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from buffycoat.simulate.render import render_cell


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty rendered cells without labels."""
    folder = tmp_path_factory.mktemp("archive")
    rng = np.random.default_rng(7)
    for number in range(30):
        code = ("SNE", "LY", "MO", "EO", "BA")[number % 5]
        Image.fromarray(render_cell(code, rng, 96).image).save(folder / f"cell{number:02}.png")
    return folder
