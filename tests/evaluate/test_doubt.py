from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from buffycoat.errors import ShapeError
from buffycoat.evaluate.doubt import abstention_curve, coverage_rows

CODES = ("A", "B", "C")


def test_coverage_is_counted_class_by_class_with_exact_limits():
    targets = np.array([0] * 10 + [1] * 4)
    sets = np.zeros((14, 3), dtype=bool)
    sets[np.arange(14), targets] = True
    sets[:2, 0] = False  # two of ten A are missed
    sets[10:12, 2] = True  # two B have a second label
    rows = {row["class"]: row for row in coverage_rows(sets, targets, CODES)}
    exact = binomtest(8, 10).proportion_ci(method="exact")
    assert rows["A"] | {"mean_size": 0.8} == rows["A"]
    assert (rows["A"]["coverage"], rows["A"]["n"]) == (0.8, 10)
    assert (rows["A"]["low"], rows["A"]["high"]) == pytest.approx((exact.low, exact.high))
    assert (rows["B"]["coverage"], rows["B"]["high"], rows["B"]["mean_size"]) == (1.0, 1.0, 1.5)
    assert rows["C"] == {
        "class": "C", "n": 0, "coverage": None, "low": None, "high": None, "mean_size": None
    }  # fmt: skip
    assert rows["all"]["coverage"] == pytest.approx(0.9)  # classes alike, those without cells out
    assert rows["all"]["n"] == 14


def test_a_cell_s_rows_count_as_one_cell():
    targets = np.zeros(8, dtype=int)
    sets = np.ones((8, 3), dtype=bool)
    sets[[0, 1], 0] = False  # both rows of one cell of four
    row = coverage_rows(sets, targets, CODES, groups=np.repeat(np.arange(4), 2))[0]
    exact = binomtest(3, 4).proportion_ci(method="exact")
    assert (row["n"], row["coverage"]) == (4, 0.75)
    assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high))


def test_a_cell_with_more_rows_weighs_no_more():
    sets = np.ones((4, 3), dtype=bool)
    sets[0, [0, 1]] = False  # the first cell's only row misses; the second has three that hold
    row = coverage_rows(sets, np.zeros(4, dtype=int), CODES, groups=np.array([7, 3, 3, 3]))[0]
    assert (row["n"], row["coverage"], row["mean_size"]) == (2, 0.5, 2.0)


def test_abstention_leaves_the_least_sure_cells_first():
    targets = np.array([0, 0, 1, 1])
    predicted = np.array([0, 1, 1, 1])
    confidence = np.array([0.9, 0.4, 0.8, 0.6])
    all_kept, less = abstention_curve(targets, predicted, confidence, 3, (1.0, 0.75))
    assert all_kept["n"] == 4
    assert all_kept["balanced_macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert less["balanced_macro_f1"] == 1.0
    assert less["least_confidence"] == 0.6
    assert less["least_share_of_a_class"] == 0.5


def test_a_curve_that_gives_up_a_class_says_so():
    targets, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    row = abstention_curve(targets, predicted, np.array([4, 3, 2, 1]), 3, (0.75,))[0]
    assert row["balanced_macro_f1"] == 1.0
    assert (row["classes"], row["least_share_of_a_class"]) == (1, 0.0)


def test_arrays_that_do_not_match_are_named():
    with pytest.raises(ShapeError, match=r"\(2, 3\), got \(2, 2\)"):
        coverage_rows(np.ones((2, 2), dtype=bool), np.zeros(2, dtype=int), CODES)
    with pytest.raises(ShapeError, match="got 0, 0 and 0"):
        abstention_curve(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 3)
