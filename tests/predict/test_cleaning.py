from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import buffycoat
from buffycoat.predict import cleaning
from buffycoat.restore.classical import FlatField
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import render_cell


def test_without_a_gate_no_cell_is_embedded() -> None:
    fitted = buffycoat.load("starter").fitted
    side = fitted.config.images.work_px
    rng = np.random.default_rng(0)
    cells = [render_cell(code, rng, side).image for code in ("SNE", "LY", "MO")]
    dark = np.stack([degrade(cell, 4, rng, ["uneven_light"]) for cell in cells])
    ungated = replace(
        fitted.restoration,
        config=fitted.restoration.config.model_copy(update={"restore_above": 0.1}),
        restorer=FlatField(),
        gate=None,
        embed=lambda images: pytest.fail("asked the encoder"),
    )
    found = cleaning.clean(dark, ungated)
    assert found.is_restored.any()
    for row in np.flatnonzero(found.is_restored):
        assert "nucleus_change" in found.changes[row]
        assert "embedding_change" not in found.changes[row]
