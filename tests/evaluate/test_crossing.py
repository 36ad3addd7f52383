"""Severity crossed with band: each row against a slow count of its cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from buffycoat.errors import ShapeError
from buffycoat.evaluate.class_table import NOT_ESTIMABLE
from buffycoat.evaluate.crossing import BANDS, crossing_rows
from buffycoat.evaluate.summary import evaluate
from buffycoat.taxonomy import PBC

EACH: Any = None
"""What scikit-learn takes for one score a class; its stubs know words only."""
COUNTS = dict(zip(PBC.codes, (946, 600, 230, 160, 70, 40, 36, 32, 14, 10), strict=True))


@pytest.fixture(scope="module")
def split():
    """Targets, predictions and severities; the worse the image, the more errors."""
    rng = np.random.default_rng(3)
    targets = np.repeat(np.arange(10), 30)
    severity = np.tile(np.arange(5), 60)
    is_wrong = rng.random(300) < 0.1 * (1 + severity)
    predicted = np.where(is_wrong, rng.integers(0, 10, 300), targets)
    return targets, predicted, severity


def test_a_row_is_the_mean_over_the_band_s_classes_within_the_severity(split):
    targets, predicted, severity = split
    rows = crossing_rows(targets, predicted, PBC, COUNTS, severity)
    assert [(row["severity"], row["band"]) for row in rows] == [
        (float(level), band) for level in range(5) for band in BANDS
    ]
    bands = PBC.bands(COUNTS)
    for row in rows:
        keep = severity == row["severity"]
        columns = [i for i, code in enumerate(PBC.codes) if bands[code] == row["band"]]
        assert row["classes"] == [PBC.codes[i] for i in columns]
        assert row["n"] == np.isin(targets[keep], columns).sum()
        weight = 1 / np.bincount(targets[keep], minlength=10)[targets[keep]]
        of_class = np.asarray(
            f1_score(targets[keep], predicted[keep], average=EACH, sample_weight=weight)
        )
        assert row["macro_f1"]["estimate"] == pytest.approx(of_class[columns].mean())
        found = [(predicted[keep & (targets == i)] == i).mean() for i in columns]
        assert row["sensitivity"]["estimate"] == pytest.approx(np.mean(found))
        assert row["macro_f1"]["low"] <= row["macro_f1"]["estimate"] <= row["macro_f1"]["high"]


def test_the_classes_of_all_bands_give_the_score_of_the_severity(split):
    targets, predicted, severity = split
    rows = crossing_rows(targets, predicted, PBC, COUNTS, severity)
    whole = evaluate(predicted, targets, PBC, COUNTS, severity)["by_severity"]
    for of in whole:
        parts = [row for row in rows if row["severity"] == of["severity"]]
        total = sum(row["macro_f1"]["estimate"] * len(row["classes"]) for row in parts)
        assert total / 10 == pytest.approx(of["balanced_macro_f1"]["estimate"])


def test_cells_of_unknown_severity_are_left_out(split):
    targets, predicted, severity = split
    levels = severity.astype(object)
    levels[severity == 4] = None
    rows = crossing_rows(targets, predicted, PBC, COUNTS, levels)
    assert {row["severity"] for row in rows} == {0.0, 1.0, 2.0, 3.0}


def test_few_cells_are_named_and_too_few_are_not_scored():
    targets = np.array([0] * 9 + [1] * 4 + [9] * 3)
    rows = crossing_rows(targets, targets, PBC, COUNTS, np.zeros(16))
    head, tail = rows
    assert (head["band"], head["few"], head["n"]) == ("head", ["LY"], 13)
    assert (tail["macro_f1"], tail["sensitivity"], tail["n"]) == (NOT_ESTIMABLE,) * 2 + (3,)


def test_patients_are_resampled_whole(split):
    targets, predicted, severity = split
    rows = crossing_rows(targets, predicted, PBC, COUNTS, severity, np.arange(300) % 7)
    assert rows[0]["macro_f1"]["unit"] == "patient-level"
    assert rows[0]["macro_f1"]["n_groups"] == 7


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(40)))
def test_the_order_of_cells_does_not_matter(order):
    targets, severity = np.arange(40) % 10, np.arange(40) % 2
    predicted = np.where(np.arange(40) % 3 == 0, 0, targets)
    place = np.array(order)
    one = crossing_rows(targets, predicted, PBC, COUNTS, severity)
    other = crossing_rows(targets[place], predicted[place], PBC, COUNTS, severity[place])
    assert [row["sensitivity"] for row in one] == [row["sensitivity"] for row in other]


def test_arrays_that_do_not_match_are_refused():
    with pytest.raises(ShapeError, match="expected"):
        crossing_rows(np.zeros(3, int), np.zeros(3, int), PBC, COUNTS, np.zeros(2))
