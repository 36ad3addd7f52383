"""Calibration scores against plain loops and against scores that are calibrated by design."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from buffycoat.errors import ShapeError
from buffycoat.evaluate import calibration


@pytest.fixture
def calibrated():
    """Targets drawn from the very probabilities that are stated."""
    rng = np.random.default_rng(5)
    probs = rng.dirichlet([0.4, 0.4, 0.4], 6000)
    targets = (probs.cumsum(axis=1) < rng.random((6000, 1))).sum(axis=1)
    return probs, targets


def sharpened(probs):
    powered = probs**3
    return powered / powered.sum(axis=1, keepdims=True)


def test_calibrated_scores_have_little_error_and_overconfident_ones_much(calibrated):
    probs, targets = calibrated
    assert calibration.ece(probs, targets) < 0.02
    assert calibration.ece(sharpened(probs), targets) > 0.08
    assert calibration.classwise_ece(probs, targets).max() < 0.03
    assert calibration.classwise_ece(sharpened(probs), targets).min() > 0.03
    assert calibration.brier(probs, targets) < calibration.brier(sharpened(probs), targets)


def test_ece_equals_a_plain_loop(calibrated):
    probs, targets = (a[:1500] for a in calibrated)
    top = probs.max(axis=1)
    order = np.argsort(top)
    total = 0.0
    for rows in np.array_split(order, 15):
        right = (probs[rows].argmax(axis=1) == targets[rows]).mean()
        total += len(rows) / 1500 * abs(top[rows].mean() - right)
    assert calibration.ece(probs, targets) == pytest.approx(total, abs=1e-9)


def test_bins_hold_equal_numbers_and_all_cells(calibrated):
    table = calibration.reliability(*calibrated, n_bins=10)
    assert table.count.tolist() == [600] * 10
    assert (np.diff(table.confidence) > 0).all()


def test_row_order_never_matters_even_with_ties():
    probs = np.tile([0.9, 0.1], (40, 1))
    targets = np.repeat([0, 1], [30, 10])
    assert calibration.ece(probs, targets) == pytest.approx(0.15)
    assert calibration.ece(probs, targets[::-1]) == pytest.approx(0.15)
    assert len(calibration.reliability(probs, targets).count) == 1


def test_brier_ends():
    certain = np.eye(3)
    assert calibration.brier(certain, np.array([0, 1, 2])) == 0
    assert calibration.brier(certain, np.array([1, 2, 0])) == 2


def test_one_cell_and_an_absent_class():
    probs = np.array([[0.7, 0.3, 0.0]])
    assert calibration.ece(probs, np.array([0])) == pytest.approx(0.3)
    np.testing.assert_allclose(calibration.classwise_ece(probs, np.array([0])), [0.3, 0.3, 0])


@pytest.mark.parametrize(
    "probs", [[[0.5, 0.6]], [[np.nan, 1.0]], [[-0.1, 1.1]], [0.5, 0.5], np.empty((0, 2))]
)
def test_what_are_no_probabilities_is_refused(probs):
    with pytest.raises(ShapeError, match="probs"):
        calibration.ece(np.array(probs), np.array([0]))


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="targets"):
        calibration.brier(np.eye(3), np.array([0, 1]))


def test_an_error_is_read_beside_what_chance_leaves(calibrated):
    probs, targets = (part[:800] for part in calibrated)
    mean, high = calibration.ece_if_calibrated(probs, seed=1)
    assert 0.005 < mean < high < 0.06
    assert calibration.ece(probs, targets) < 1.2 * high
    assert calibration.ece(sharpened(probs), targets) > high
    assert calibration.ece_if_calibrated(probs, seed=1) == (mean, high)
    certain = np.eye(3)[targets]
    assert calibration.ece_if_calibrated(certain) == (0, 0)


def test_bins_of_a_class_equal_scikit_learns(calibrated):
    # 1001 steps and 12 bins have no common factor: no edge is a cell, where the two would differ.
    probs, targets = (part[:1002] for part in calibrated)
    tables = calibration.classwise_reliability(probs, targets, 12)
    for column, table in enumerate(tables):
        is_class = targets == column
        frequency, stated = calibration_curve(
            is_class, probs[:, column], n_bins=12, strategy="quantile"
        )
        np.testing.assert_allclose(table.frequency, frequency)
        np.testing.assert_allclose(table.confidence, stated)
    gaps = [table.gap for table in tables]
    np.testing.assert_array_equal(calibration.classwise_ece(probs, targets, 12), gaps)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 30),
    st.integers(2, 4),
    st.sampled_from([None, 1]),
)
def test_brier_equals_scikit_learns_and_its_parts_add_up(seed, n, k, digits):
    """Rounded scores make ties and certainty; few cells leave classes out."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(k), n)
    if digits is not None:
        probs = np.eye(k)[probs.argmax(axis=1)] * 0.8 + 0.2 / k
    targets = rng.integers(0, k, n)
    want = brier_score_loss(targets, probs, labels=range(k), scale_by_half=False)
    parts = calibration.brier_parts(probs, targets)
    assert parts.score == calibration.brier(probs, targets) == pytest.approx(want)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bins
    assert total == pytest.approx(parts.score)
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0
    shares = np.bincount(targets, minlength=k) / n
    always = np.tile(shares, (n, 1))
    assert parts.uncertainty == pytest.approx(calibration.brier(always, targets))
    if digits is not None and n <= calibration.DEFAULT_BINS:  # each bin holds one probability
        assert parts.within_bins == pytest.approx(0, abs=1e-12)


def test_parts_of_brier_tell_calibration_from_knowledge(calibrated):
    probs, targets = calibrated
    honest = calibration.brier_parts(probs, targets)
    bold = calibration.brier_parts(sharpened(probs), targets)
    assert honest.reliability < 0.005 < bold.reliability
    assert bold.resolution == pytest.approx(honest.resolution, rel=0.05)
    ignorant = calibration.brier_parts(np.full_like(probs, 1 / 3), targets)
    assert ignorant.resolution == pytest.approx(0, abs=1e-12)
