"""Rows of classes: which are given, at what prevalence, and what their intervals rest on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from buffycoat.errors import ShapeError
from buffycoat.evaluate.bootstrap import EXACT, resample
from buffycoat.evaluate.class_table import class_rows, patients_of_class, too_few
from buffycoat.evaluate.interval import NOT_ESTIMABLE
from buffycoat.taxonomy import PBC

SCORES = ("precision", "sensitivity", "specificity", "npv", "f1")
K = len(PBC)


def rows_of(targets, predicted, groups=None, **options):
    patients = None if groups is None else patients_of_class(targets, groups, K)
    drawn = resample(targets, predicted, K, groups)
    return {r["code"]: r for r in class_rows(drawn, PBC, n_patients=patients, **options)}


@pytest.fixture
def split():
    rng = np.random.default_rng(2)
    targets = np.repeat(np.arange(K), 30)
    return targets, np.where(rng.random(300) < 0.75, targets, rng.integers(0, K, 300))


def test_every_score_is_a_share_of_counted_cells_with_exact_limits(split):
    rows = rows_of(*split)
    json.dumps(rows, allow_nan=False)
    column = PBC.codes.index("MY")
    is_class, is_called = (part == column for part in split)
    for name, hits, among in (
        ("precision", is_class & is_called, is_called),
        ("sensitivity", is_class & is_called, is_class),
        ("specificity", ~is_class & ~is_called, ~is_class),
        ("npv", ~is_class & ~is_called, ~is_called),
    ):
        of = rows["MY"][f"{name}_interval"]
        want = binomtest(int(hits.sum()), int(among.sum())).proportion_ci(method="exact")
        assert of["estimate"] == rows["MY"][name] == pytest.approx(hits.sum() / among.sum())
        assert (of["low"], of["high"]) == pytest.approx((want.low, want.high))
        assert (of["unit"], of["method"]) == ("image-level", EXACT)


def test_f1_has_the_limits_of_the_share_of_cells_that_are_both_of_the_class_and_called_it(split):
    of = rows_of(*split)["MY"]["f1_interval"]
    is_class, is_called = (part == PBC.codes.index("MY") for part in split)
    both, either = int((is_class & is_called).sum()), int((is_class | is_called).sum())
    want = binomtest(both, either).proportion_ci(method="exact")
    assert of["estimate"] == pytest.approx(2 * both / (is_class.sum() + is_called.sum()))
    assert of["low"] == pytest.approx(2 * want.low / (1 + want.low))
    assert of["high"] == pytest.approx(2 * want.high / (1 + want.high))


def test_predictive_values_are_at_the_stated_mix(split):
    """Rows that are drawn by the mix, one after the other, give the same shares."""
    mix = {code: 0.02 for code in PBC.codes} | {"SNE": 0.82}
    row = rows_of(*split, prevalence=mix)["PMY"]
    targets, predicted = split
    column = PBC.codes.index("PMY")
    called = {code: (predicted[targets == i] == column).mean() for i, code in enumerate(PBC.codes)}
    hits, calls = mix["PMY"] * called["PMY"], sum(mix[code] * called[code] for code in PBC.codes)
    assert row["prevalence"] == 0.02
    assert row["ppv_at_prevalence"] == pytest.approx(hits / calls)
    assert row["npv_at_prevalence"] == pytest.approx(1 - (0.02 - hits) / (1 - calls))
    assert row["ppv_at_prevalence"] < row["precision"]
    assert row["ppv_at_prevalence_interval"]["low"] < row["ppv_at_prevalence"]
    assert "ppv_at_prevalence" not in rows_of(*split)["PMY"]


def test_too_few_cells_or_patients_give_no_point_but_the_n():
    targets = np.repeat([0, 1, 2, 3], [40, 40, 4, 20])
    predicted = targets.copy()
    predicted[::7] = 0
    groups = np.concatenate([np.arange(84) % 12, np.arange(20) % 4])
    rows = rows_of(targets, predicted, groups)
    assert rows["SNE"]["why"] is None
    assert isinstance(rows["SNE"]["f1"], float)
    assert rows["MO"]["why"] == "4 cells, at least 5 are needed"
    assert rows["EO"]["why"] == "cells of 4 patients, at least 5 are needed"
    assert rows["EO"]["n_patients"] == 4
    for code in ("MO", "EO", "PMY"):
        for name in SCORES:
            assert rows[code][name] == rows[code][f"{name}_interval"] == NOT_ESTIMABLE
    assert rows_of(targets, predicted)["EO"]["why"] is None


def test_precision_of_a_class_that_is_hardly_ever_called_is_not_a_point():
    targets = np.repeat([0, 1], 30)
    predicted = np.zeros(60, dtype=int)
    predicted[-2:] = 1
    row = rows_of(targets, predicted, prevalence={"SNE": 0.9, "LY": 0.1})["LY"]
    assert row["called"] == 2
    assert row["precision"] == row["ppv_at_prevalence"] == NOT_ESTIMABLE
    assert row["sensitivity"] == pytest.approx(2 / 30)


def test_a_class_without_an_error_has_limits_unless_patients_are_all_alike():
    targets = np.repeat([0, 1], [20, 30])
    row = rows_of(targets, targets)["SNE"]
    for name in SCORES:
        of = row[f"{name}_interval"]
        assert 0.7 < of["low"] < of["estimate"] == of["high"] == 1
    row = rows_of(targets, targets, np.arange(50) % 10)["SNE"]
    for name in SCORES:
        assert row[name] == 1
        assert row[f"{name}_interval"] == NOT_ESTIMABLE


def test_draws_without_the_class_are_left_out():
    """5 of 40 patients have the class: some draws lack it, and no interval goes to 0 for it."""
    groups = np.repeat(np.arange(40), 4)
    targets = np.zeros(160, dtype=int)
    targets[:20] = 1
    predicted = targets.copy()
    predicted[[3, 90]] = [0, 1]
    row = rows_of(targets, predicted, groups)["LY"]
    assert 0.6 < row["sensitivity_interval"]["low"] < row["sensitivity"]


@pytest.mark.parametrize("mix", [{"SNE": 0.5}, {"SNE": 1.5, "LY": -0.5}, {"SNE": 0.5, "QQ": 0.5}])
def test_what_is_no_mix_is_refused(split, mix):
    with pytest.raises(ShapeError, match="prevalence"):
        rows_of(*split, prevalence=mix)


def test_patients_are_counted_for_each_class():
    counted = patients_of_class(np.array([0, 0, 1, 1]), np.array(["a", "a", "a", "b"]), 3)
    assert counted.tolist() == [1, 2, 0]
    assert too_few(5, None) is None
    assert too_few(5, 5) is None


@pytest.mark.parametrize(
    ("targets", "predicted", "undefined"),
    [
        ([0] * 20, [0] * 20, {"specificity", "npv"}),
        ([0] * 20, [1] * 20, {"specificity"}),
        ([0] * 20 + [1] * 20, [0] * 40, {"npv"}),
    ],
    ids=["one class", "one class, all wrong", "all called one class"],
)
def test_what_has_nothing_to_count_on_is_not_estimable(targets, predicted, undefined):
    row = rows_of(np.array(targets), np.array(predicted), prevalence={"SNE": 1.0})["SNE"]
    json.dumps(row, allow_nan=False)
    assert {name for name in SCORES if row[name] == NOT_ESTIMABLE} - {"precision"} == undefined
    for name in undefined:
        assert row[f"{name}_interval"] == NOT_ESTIMABLE
