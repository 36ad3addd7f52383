"""Photographs and tables in memory: what is asked of them works, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import buffycoat
from buffycoat import errors, images
from buffycoat.simulate.render import render_cell


@pytest.fixture(scope="module")
def cells() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [render_cell(code, rng, 96).image for code in ("LY", "EO")]


def test_what_has_no_use_for_them_is_refused(cells: list[np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match=r"parts '.*parts'.*Give their paths"):
        buffycoat.predict(cells, parts=tmp_path / "parts")
    with pytest.raises(errors.ConfigError, match="workers 2: photographs in memory"):
        buffycoat.predict(cells, workers=2)
    assert not list(tmp_path.iterdir())
    images.write_png(tmp_path / "a.png", cells[0])
    for given in (cells, tmp_path):
        with pytest.raises(errors.ConfigError, match="workers: expected at least 1, got 0"):
            buffycoat.predict(given, workers=0)


def test_a_scale_is_of_photographs_in_memory_or_in_a_table(
    cells: list[np.ndarray], tmp_path: Path
) -> None:
    images.write_png(tmp_path / "a.png", cells[0])
    with pytest.raises(errors.ConfigError, match="columns path and um_per_px"):
        buffycoat.predict(tmp_path, um_per_px=0.1)
    with pytest.raises(errors.ConfigError, match=r"expected micrometres from 0\.01 to 5, got 70"):
        buffycoat.predict(cells, um_per_px=70)
    plain = buffycoat.predict(cells)  # the starter frames by size
    pd.testing.assert_frame_equal(buffycoat.predict(cells, um_per_px=0.1, workers=1), plain)
    table = pd.DataFrame({"path": [str(tmp_path / "a.png")], "um_per_px": [-1.0]})
    for function in (buffycoat.predict, buffycoat.measure):
        with pytest.raises(errors.ManifestError, match=r"row 0: um_per_px -1\.0, expected"):
            function(table)


def test_their_progress_is_shown(
    cells: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    buffycoat.predict(cells, progress=True)
    assert "2 cells" in capsys.readouterr().err


def test_splits_and_labels_of_cells_to_predict_may_be_any_words(
    cells: list[np.ndarray], tmp_path: Path
) -> None:
    images.write_png(tmp_path / "a.png", cells[0])
    table = pd.DataFrame({"path": [str(tmp_path / "a.png")], "label": " ", "split": "left"})
    table.to_csv(tmp_path / "cells.csv", index=False)
    features = buffycoat.measure(table.assign(severity=9))
    assert len(features) == 1
    pd.testing.assert_frame_equal(
        buffycoat.measure(tmp_path / "cells.csv").drop(columns="cell_id"),
        features.drop(columns="cell_id"),
    )
    with pytest.raises(errors.ManifestError, match="split 'left'"):
        buffycoat.audit(table)
