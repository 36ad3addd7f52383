"""The fit of labels for macro-F1: little is fitted, and nothing on the cells that score it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from buffycoat.evaluate.metrics import confusion, prior_weighted_macro_f1
from buffycoat.fuse.label_rule import PLAIN_POWER
from buffycoat.learn.fit_labels import (
    OutOfFoldScores,
    _cross_fitted,
    fit,
    fit_offsets,
    fit_power,
    is_scored_by,
)
from buffycoat.sources.wbcbench import LAYOUT
from buffycoat.statement import Statement

COUNTS = np.array([900, 90, 10])


def _cells(n_each: tuple[int, ...], overlap: float, seed: int = 0) -> OutOfFoldScores:
    """Calibrated scores under a uniform prior, of cells that overlap."""
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(3), n_each)
    seen = np.eye(3)[targets] + overlap * rng.standard_normal((len(targets), 3))
    logs = -((seen[:, None] - np.eye(3)) ** 2).sum(axis=2) / (2 * overlap**2)
    probs = np.exp(logs - logs.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    folds = rng.integers(0, 3, len(targets))
    return OutOfFoldScores(probs, targets, folds, np.arange(len(targets)), COUNTS)


def test_many_cells_that_overlap_get_a_power_and_gain_on_other_cells() -> None:
    cells = _cells((1200, 700, 400), 0.5)
    found = fit(cells, cells.labels(0.0), is_wanted=True)
    assert found.power_fit.power > PLAIN_POWER
    assert found.power_fit.is_default
    assert found.power_fit.trial["low"] > 0
    other = _cells((1200, 700, 400), 0.5, seed=1)
    assert other.score(other.labels(found.power_fit.power)) > other.score(other.labels(0.0)) + 0.02


def test_few_cells_keep_the_power_that_won_elsewhere() -> None:
    many, few = (fit_power(_cells(n_each, 0.5)) for n_each in ((1200, 700, 400), (30, 10, 3)))
    assert few == PLAIN_POWER < many


def test_the_score_is_the_prior_weighted_one() -> None:
    cells = _cells((50, 30, 20), 0.6)
    table = confusion(cells.targets, cells.labels(0.5), 3)
    assert cells.score(cells.labels(0.5)) == prior_weighted_macro_f1(table, COUNTS)


def test_offsets_stay_where_the_power_is_right_and_mend_a_class_that_is_underrated() -> None:
    cells = _cells((1200, 700, 400), 0.5)
    honest = fit(cells, cells.labels(0.0), is_wanted=True).power_fit
    assert not any(honest.offsets), "offsets gained nothing, so there are none"
    wrong = cells.probs * np.exp([0.0, -2.5, 0.0])
    low = replace(cells, probs=wrong / wrong.sum(axis=1, keepdims=True))
    mended = fit(low, low.labels(0.0), is_wanted=True).power_fit
    assert mended.offsets[1] > 0.5
    assert mended.trial["offsets_low"] > 0


def test_a_class_of_few_cells_has_no_offset() -> None:
    cells = _cells((300, 300, 12), 0.5)
    assert fit_offsets(cells, 0.25)[2] == 0


def test_a_fold_s_own_labels_have_no_part_in_its_rule() -> None:
    cells = _cells((400, 200, 100), 0.5)
    turned = np.where(cells.folds == 1, (cells.targets + 1) % 3, cells.targets)
    inside = cells.folds == 1
    for before, after in zip(
        _cross_fitted(cells), _cross_fitted(replace(cells, targets=turned)), strict=True
    ):
        assert np.array_equal(before[inside], after[inside])


def test_it_is_on_only_where_it_is_wanted_and_gains_or_is_forced() -> None:
    cells = _cells((1200, 700, 400), 0.5)
    plain = cells.labels(0.0)
    off = fit(cells, plain, is_wanted=False).power_fit
    assert (off.is_default, off.reason.startswith("not asked for; out of fold")) == (False, True)
    loses = fit(cells, cells.targets, is_wanted=True).power_fit  # nothing is left to gain
    assert (loses.is_default, loses.reason.startswith("it loses")) == (False, True)
    assert loses.power == 0
    assert fit(cells, cells.targets, is_wanted=True, is_forced=True).power_fit.is_default


def test_of_fewer_rows_than_a_gain_takes_nothing_is_fitted() -> None:
    cells = _cells((10, 5, 5), 0.5)
    found = fit(cells, cells.labels(0.0), is_wanted=True)
    assert (found.power_fit.power, found.power_fit.is_default) == (PLAIN_POWER, False)
    assert np.array_equal(found.labels, cells.labels(0.0))
    forced = fit(cells, cells.labels(0.0), is_wanted=True, is_forced=True)
    assert np.array_equal(forced.labels, cells.labels(PLAIN_POWER))


@pytest.mark.parametrize(
    ("layout", "counts", "expected"),
    [
        (LAYOUT, {"SNE": 700, "LY": 300, "PMY": 2, "without label": 1}, True),
        (LAYOUT, {}, True),
        (LAYOUT, {"SNE": 80, "LY": 80, "PMY": 79}, False),
        ("a folder a class", {"SNE": 700, "PMY": 2}, False),
    ],
)
def test_which_data_are_scored_by_macro_f1_on_a_natural_stream(layout, counts, expected) -> None:
    cells = {"train": {"SNE": 900, "PMY": 10}, **({"eval": counts} if counts else {})}
    assert is_scored_by(Statement(layout=layout, cells=cells)) is expected
