from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import twins
from buffycoat.config import load
from buffycoat.errors import ManifestError
from buffycoat.simulate.degrade import KINDS

CONFIG = load("demo", ["images.work_px=64"])


def test_each_evaluation_cell_has_its_own_twin(twinned_cells: Path) -> None:
    manifest, cells = twins.load_eval(twinned_cells, CONFIG, None)
    assert len(manifest) == len(cells) == 24
    assert set(cells.severity) <= set(range(5))
    away = [
        [np.abs(one.astype(float) - other).mean() for other in cells.clean]
        for one in cells.degraded[cells.severity <= 1]
    ]
    assert (np.argmin(away, axis=1) == np.flatnonzero(cells.severity <= 1)).all()
    errors = np.abs(cells.degraded.astype(float) - cells.clean).mean(axis=(1, 2, 3))
    assert errors[cells.severity == 0].max() < errors[cells.severity >= 3].mean()


def test_a_limit_takes_cells_from_the_whole_split(twinned_cells: Path) -> None:
    some, cells = twins.load_eval(twinned_cells, CONFIG, None, limit=5)
    every, _ = twins.load_eval(twinned_cells, CONFIG, None)
    ids = every.frame["cell_id"].tolist()
    places = [ids.index(cell) for cell in some.frame["cell_id"]]
    assert len(cells) == 5
    assert places[0] == 0
    assert places[-1] == len(ids) - 1


def test_data_without_twins_are_refused(twinned_cells: Path, tmp_path: Path) -> None:
    shutil.copytree(twinned_cells, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "phase2" / "eval_pristine")
    with pytest.raises(ManifestError, match="no clean twins"):
        twins.load_eval(tmp_path / "data", CONFIG, None)


def test_only_cells_known_to_be_clean_are_pristine(twinned_cells: Path) -> None:
    files = list((twinned_cells / "phase1").iterdir())
    assert len(twins.load_pristine(twinned_cells, CONFIG, None)) == len(files)


def test_degrading_again_follows_from_the_seed(twinned_cells: Path) -> None:
    _, cells = twins.load_eval(twinned_cells, CONFIG, None)
    before = cells.clean.copy()
    one, same, other = (twins.degrade_again(cells.clean, seed) for seed in (1, 1, 2))
    assert np.array_equal(cells.clean, before)
    assert one.key == same.key != other.key
    assert one.severity.min() >= 1
    assert (one.degraded != one.clean).any(axis=(1, 2, 3)).all()


def test_every_kind_comes_at_every_severity_and_no_cell_twice(twinned_cells: Path) -> None:
    _, cells = twins.load_eval(twinned_cells, CONFIG, None)
    found = twins.degrade_by_kind(cells.clean, "trial", 8, seed=0)
    assert len(found) == 8 * len(KINDS)
    for kind in KINDS:
        rows = found.kind == kind
        assert np.bincount(found.severity[rows]).tolist() == [0, 2, 2, 2, 2]
        assert len(set(found.cell[rows])) == 8
    assert np.array_equal(found.clean, cells.clean[found.cell])
