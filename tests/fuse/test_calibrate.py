from __future__ import annotations

import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.fuse.calibrate import (
    MIN_ROWS,
    TEMPERATURES,
    balanced_weights,
    fit_temperature,
    log_probs,
    nll,
)


def _drawn(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and targets drawn from exactly their softmax."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    targets = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    return logits, targets


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_it_finds_the_factor_that_logits_are_too_sure_by(factor: float) -> None:
    logits, targets = _drawn(4000, 4)
    found = fit_temperature(logits * factor, targets, np.ones(4000))
    assert found == pytest.approx(factor, rel=0.08)


def test_it_is_the_least_of_the_balanced_likelihoods() -> None:
    logits, targets = _drawn(300, 3)
    weights = balanced_weights(targets)
    found = fit_temperature(logits * 2, targets)
    losses = [
        nll(log_probs(logits * 2, t), targets, weights) for t in (found, found * 0.97, found / 0.97)
    ]
    assert losses[0] == min(losses)


def test_weights_give_each_class_the_same_sum() -> None:
    targets = np.array([0, 0, 0, 2, 2, 4])
    weights = balanced_weights(targets)
    sums = [weights[targets == c].sum() for c in (0, 2, 4)]
    np.testing.assert_allclose(sums, 1 / 3)


def test_views_are_averaged_as_probabilities() -> None:
    logits = np.array([[[2.0, 0.0], [-1.0, 1.0]]])
    expected = np.mean([1 / (1 + np.exp(-2.0 / 1.5)), 1 / (1 + np.exp(2.0 / 1.5))])
    assert np.exp(log_probs(logits, 1.5))[0, 0] == pytest.approx(expected)
    assert 0.1 <= fit_temperature(logits, np.array([0])) <= 10


def test_a_fold_without_an_error_does_not_ask_for_infinite_confidence() -> None:
    found = fit_temperature(np.tile(np.eye(3) * 0.5, (10, 1)), np.tile(np.arange(3), 10))
    assert found == pytest.approx(TEMPERATURES[0], rel=0.01)
    assert np.exp(log_probs(np.eye(3) * 0.5, found)).max() < 1


def test_no_rows_leave_logits_as_they_are() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1.0


def test_too_few_rows_leave_the_temperature_alone() -> None:
    logits, targets = np.tile(5 * np.eye(2), (10, 1)), np.tile([0, 1], 10)
    assert fit_temperature(logits[: MIN_ROWS - 1], targets[: MIN_ROWS - 1]) == 1.0
    assert fit_temperature(logits[:MIN_ROWS], targets[:MIN_ROWS]) != 1.0


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(ShapeError, match="targets"):
        fit_temperature(np.zeros((4, 3)), np.zeros(3, int))
