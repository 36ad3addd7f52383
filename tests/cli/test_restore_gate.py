"""`buffycoat restore` with the bundle that ships: what it would make worse keeps its pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import buffycoat
from buffycoat.bundle.fitted import Fitted
from buffycoat.cli.main import app
from buffycoat.images import read, to_work, write_png
from buffycoat.predict import cleaning
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import render_cell

MARGIN_PX = (37, 38)
"""Around a working image of 224 px, which is then the crop that the bundle takes."""
SOFT = {
    "soft by nature": ("ERB", 2, None),
    "defocused": ("LY", 0, "defocus"),
    "blurred": ("ERB", 2, "gaussian_blur"),
}
NOISY = {"noisy": ("ERB", 2, "noise"), "noisy too": ("LY", 0, "noise")}


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return buffycoat.load("starter").fitted


def _psnr(clean: np.ndarray, image: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((clean.astype(float) - image) ** 2), 1e-6)))


def _draw(code: str, seed: int, kind: str | None) -> tuple[np.ndarray, np.ndarray]:
    clean = render_cell(code, np.random.default_rng(seed), 224).image
    worse = degrade(clean, 2, np.random.default_rng(seed), [kind]) if kind else clean
    return clean, worse


def test_a_picture_is_replaced_only_if_it_gets_better(fitted: Fitted, tmp_path: Path) -> None:
    settings = fitted.config.images
    cells = {name: _draw(*how) for name, how in (SOFT | NOISY).items()}
    for name, (_, worse) in cells.items():
        frame = np.pad(worse, (MARGIN_PX, MARGIN_PX, (0, 0)), mode="symmetric")
        assert np.array_equal(to_work(frame, settings.work_px, settings.frame_fraction), worse)
        write_png(tmp_path / "cells" / f"{name}.png", frame)
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["restore", str(tmp_path / "cells"), str(out)])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out / "restoration.csv").set_index("out")
    middle = slice(MARGIN_PX[0], MARGIN_PX[0] + 224)
    for name, (clean, worse) in cells.items():
        row = table.loc[f"{name}.png"]
        stands = read(out / f"{name}.png")[middle, middle]
        assert bool(row["is_restored"]) == (name in NOISY)
        if name in SOFT:
            assert np.array_equal(stands, worse)
            assert "the restorer's own error" in row["reason"]
        else:
            assert _psnr(clean, stands) > _psnr(clean, worse) + 3


@pytest.mark.parametrize("name", SOFT)
def test_the_other_limits_alone_let_it_be_harmed(fitted: Fitted, name: str) -> None:
    restoration = fitted.restoration
    assert restoration.gate is not None
    closed = restoration.gate
    lowest = {**closed.lowest, "change_size": (0.0,) * len(closed.pairs)}
    opened = replace(restoration, gate=replace(closed, lowest=lowest))
    clean, worse = _draw(*SOFT[name])
    found = cleaning.clean(worse[None], opened)
    assert found.is_restored.all()
    assert _psnr(clean, found.images[0]) < _psnr(clean, worse) - 1
