"""Limits for other laboratories: how they are found, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from buffycoat.bundle import files
from buffycoat.learn import abroad_cells, fit_abroad
from buffycoat.learn.abroad_cells import Scored, balanced_rows
from buffycoat.learn.fit_abroad import RIGHT, RIGHT_AT_LEAST, Terms, limits_of, lowest
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.training_set import TrainingSet
from buffycoat.progress import Silent
from buffycoat.refine.abroad import NOTHING_KEPT
from buffycoat.simulate.render import render_cell

K = 4
TERMS = Terms(0.1, ("a", "a", "b", "b"), np.full(K, 1 / K))


def _scored(sharpness: Callable[[int], float], n: int = 300, labs: int = 4) -> Scored:
    """Cells whose model is right as often as it says, but for its sharpness, lab by lab."""
    rng = np.random.default_rng(0)
    parts = []
    for lab in range(labs):
        logits = 5 * rng.normal(size=(n, K))
        true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        targets = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
        said = np.exp(sharpness(lab) * logits)
        parts.append((said / said.sum(axis=1, keepdims=True), targets))
    probs, targets = (np.concatenate(each) for each in zip(*parts, strict=True))
    total = len(targets)
    return Scored(
        probs, rng.uniform(0, 100, total), targets, np.arange(total), np.repeat(range(labs), n)
    )


def test_the_lowest_limit_that_keeps_the_promise() -> None:
    top = np.linspace(1, 0.5, 1000)
    is_right = top > 0.7
    limit = lowest(top, is_right)
    kept = top >= limit
    assert is_right[kept].mean() >= RIGHT
    assert kept.sum() > is_right.sum(), "some wrong ones may be among so many right ones"
    assert lowest(top, np.zeros(1000, bool)) == NOTHING_KEPT
    assert lowest(top[:20], np.ones(20, bool)) == NOTHING_KEPT, "20 right ones prove too little"
    assert lowest(np.full(200, 0.9), np.arange(200) < 150) == NOTHING_KEPT, "equal ones go together"


def test_overconfidence_is_flattened_and_what_is_kept_is_right() -> None:
    cells = _scored(lambda _: 2.0)
    limits = limits_of(cells, TERMS)
    assert limits.temperature == pytest.approx(2.0, rel=0.15)
    assert 0.5 < limits.abstain_below < 1
    assert limits.outlier_percentile == pytest.approx(95, abs=2)
    record = limits.record
    assert (record["laboratories"], record["cells"]) == (4, 1200)
    assert record["right"] >= RIGHT_AT_LEAST
    assert record["right_low"] < record["right"] < record["right_high"]
    assert record["covered"] == pytest.approx(0.9, abs=0.03)
    assert limits.words().startswith("On 4 simulated laboratories ")


def test_one_laboratory_that_is_worse_makes_all_limits_stricter() -> None:
    fair, mixed = (limits_of(_scored(each), TERMS) for each in (lambda _: 1.0, _worse_in_the_first))
    assert fair.temperature == pytest.approx(1.0, abs=0.2)
    assert fair.temperature >= 1
    assert mixed.temperature > fair.temperature
    assert mixed.abstain_below > fair.abstain_below


def _worse_in_the_first(lab: int) -> float:
    return 4.0 if lab == 0 else 1.0


def test_strangeness_that_is_not_known_costs_nothing() -> None:
    cells = _scored(lambda _: 1.0)
    cells = replace(cells, strangeness=np.full(len(cells.targets), np.nan))
    limits = limits_of(cells, TERMS)
    assert limits.outlier_percentile == 99
    assert limits.record["kept"] > 0


def test_rows_are_balanced_over_the_classes_that_have_cells() -> None:
    targets = np.array([0] * 50 + [2] * 3 + [5] * 40)
    rows = balanced_rows(targets, 30, np.random.default_rng(0))
    assert np.bincount(targets[rows]).tolist() == [10, 0, 3, 0, 0, 10]
    assert len(set(rows)) == len(rows)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> TrainingSet:
    """A few rendered cells in two folds, as `fit` looks at a training set."""
    monkeypatch.setattr(abroad_cells, "LABORATORIES", 2)
    monkeypatch.setattr(abroad_cells, "CELLS", 8)
    monkeypatch.setattr(fit_abroad, "LEAST_CELLS", 10)
    fitted = files.read("starter")
    side, codes = fitted.config.images.work_px, fitted.taxonomy.codes
    targets = np.arange(12) % 4
    cells = [
        render_cell(codes[t], np.random.default_rng(i), side).image for i, t in enumerate(targets)
    ]
    made: dict[str, Any] = {
        "cells": SimpleNamespace(images=np.stack(cells)),
        "taxonomy": fitted.taxonomy,
        "targets": targets,
        "folds": SimpleNamespace(fold=np.arange(12) % 2, n_folds=2),
        "photographs": np.arange(12),
        "key": "cells",
    }
    return cast(TrainingSet, SimpleNamespace(**made))


def test_cells_are_scored_by_the_model_that_has_not_seen_them_and_only_once(
    data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = files.read("starter")
    two = (fitted.models[0], replace(fitted.models[0]))
    fitted = replace(fitted, models=two, temperatures=fitted.temperatures * 2)
    asked: list[tuple[int, list[int]]] = []
    run = abroad_cells.run_stages

    def counting(images: np.ndarray, ids: list[str], system: Any, **options: Any) -> Any:
        assert len(system.models) == 1
        asked.append((fitted.models.index(system.models[0]), [int(name) for name in ids]))
        return run(images, ids, system, **options)

    monkeypatch.setattr(abroad_cells, "run_stages", counting)
    store = StageStore(tmp_path)
    limits = fit_abroad.fit(data, fitted, "models", store, Silent())
    assert limits is not None
    assert limits.record["cells"] == 16
    assert limits.abstain_below == NOTHING_KEPT
    for fold, rows in asked:
        assert (data.folds.fold[rows] == fold).all()
    n_asked = len(asked)
    again = fit_abroad.fit(data, fitted, "models", store, Silent())
    assert again is not None
    assert again.to_dict() == limits.to_dict()
    assert len(asked) == n_asked


def test_too_few_cells_have_no_limits_and_that_is_said(data: TrainingSet, tmp_path: Path) -> None:
    said: list[str] = []

    class Saying(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    fitted, store = files.read("starter"), StageStore(tmp_path)
    assert fit_abroad.fit(data, replace(fitted, home=None), "", store, Saying()) is None
    assert "not estimable of 12 training cells" in said[0]
    assert not list(tmp_path.iterdir())
