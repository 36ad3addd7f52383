"""Precision-recall curves against scikit-learn's, with ties and absent classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from buffycoat.errors import ShapeError
from buffycoat.evaluate.class_table import NOT_ESTIMABLE
from buffycoat.evaluate.curves import (
    average_precision,
    average_precision_intervals,
    precision_recall,
)


def scored(seed: int, n: int, k: int, digits: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cells with scores; few digits make ties, and small n leaves classes out."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k))
    targets = rng.integers(0, k, n)
    logits[np.arange(n), targets] += 1.0
    if digits is not None:
        logits = logits.round(digits)
    probs = np.exp(logits)
    return targets, probs / probs.sum(axis=1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(2, 5),
    st.sampled_from([None, 0, -1]),
)
def test_curve_and_area_equal_scikit_learns(seed: int, n: int, k: int, digits: int | None) -> None:
    targets, probs = scored(seed, n, k, digits)
    curves = precision_recall(targets, probs)
    for column in range(k):
        is_class, curve = targets == column, curves[column]
        assert curve.n == is_class.sum()
        if not is_class.any():
            assert np.isnan(curve.average_precision)
            continue
        want = average_precision_score(is_class, probs[:, column])
        assert curve.average_precision == pytest.approx(want, abs=1e-12)
        precision, recall, threshold = precision_recall_curve(is_class, probs[:, column])
        np.testing.assert_allclose(curve.threshold, threshold[::-1])
        np.testing.assert_allclose(curve.recall, recall[-2::-1])
        np.testing.assert_allclose(curve.precision, precision[-2::-1])


def test_row_order_never_matters() -> None:
    targets, probs = scored(0, 60, 3, digits=0)
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_allclose(
        average_precision(targets, probs), average_precision(targets[order], probs[order])
    )


def test_scores_that_say_nothing_give_the_share_of_the_class() -> None:
    probs = np.full((50, 2), 0.5)
    targets = np.repeat([0, 1], [40, 10])
    np.testing.assert_allclose(average_precision(targets, probs), [0.8, 0.2])


def test_intervals_agree_with_visiting_each_cell() -> None:
    targets, probs = scored(5, 120, 2)
    found = average_precision_intervals(targets, probs, n_resamples=1500, seed=1)[1]
    assert not isinstance(found, str)
    rng = np.random.default_rng(2)
    members = [np.flatnonzero(targets == c) for c in (0, 1)]
    slow = []
    for _ in range(800):
        rows = np.concatenate([rng.choice(m, len(m)) for m in members])
        slow.append(average_precision_score(targets[rows] == 1, probs[rows, 1]))
    assert found.low == pytest.approx(np.quantile(slow, 0.025), abs=0.02)
    assert found.high == pytest.approx(np.quantile(slow, 0.975), abs=0.02)
    assert found.unit == "image-level"
    assert "within each class" in found.method


def test_patients_are_drawn_whole_and_few_of_them_are_not_estimable() -> None:
    targets, probs = scored(3, 200, 2)
    twice = (np.tile(targets, 2), np.tile(probs, (2, 1)))
    patients = np.tile(np.arange(200), 2)
    once = average_precision_intervals(targets, probs, np.arange(200))[0]
    same = average_precision_intervals(*twice, patients)[0]
    apart = average_precision_intervals(*twice)[0]
    assert not isinstance(once, str)
    assert not isinstance(same, str)
    assert not isinstance(apart, str)
    assert (same.low, same.high) == pytest.approx((once.low, once.high), abs=0.01)
    assert same.high - same.low > 1.2 * (apart.high - apart.low)
    assert (same.unit, same.n_groups) == ("patient-level", 200)
    few = average_precision_intervals(targets, probs, np.arange(200) % 4)
    assert few == [NOT_ESTIMABLE, NOT_ESTIMABLE]


def test_a_class_told_without_error_has_a_lower_limit_unless_patients_are_all_alike() -> None:
    targets = np.repeat([0, 1], 20)
    [of, _] = average_precision_intervals(targets, np.eye(2)[targets])
    assert not isinstance(of, str)
    assert 0.8 < of.low < of.estimate == of.high == 1  # type: ignore[operator]
    [of, _] = average_precision_intervals(targets, np.eye(2)[targets], np.arange(40) % 10)
    assert not isinstance(of, str)
    assert (of.estimate, of.low, of.high) == (1, None, None)


def test_small_and_absent_classes_are_not_estimable() -> None:
    targets, probs = scored(0, 40, 4)
    targets = np.where(targets == 3, 0, targets)
    targets[:4] = 2
    targets[4:][targets[4:] == 2] = 0
    found = average_precision_intervals(targets, probs, n_resamples=50)
    assert [isinstance(of, str) for of in found] == [False, False, True, True]


def test_bad_input_is_refused() -> None:
    targets, probs = scored(0, 10, 3)
    with pytest.raises(ShapeError, match="probs"):
        average_precision(targets, probs * 2)
    with pytest.raises(ShapeError, match="groups"):
        average_precision_intervals(targets, probs, np.arange(9))
