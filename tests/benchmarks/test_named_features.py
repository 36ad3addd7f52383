from __future__ import annotations

import numpy as np
import pytest
from benchmarks.attributes import LEARNERS
from benchmarks.named_features import LEARNER, Measured, beside, out_of_fold, score

K, N = 3, 150


def _cells(signal: float) -> Measured:
    """Cells and twins whose first feature tells the class as well as `signal` says."""
    rng = np.random.default_rng(0)
    targets = np.tile(np.repeat(np.arange(K), N // K), 2)
    features = rng.normal(size=(2 * N, 4))
    features[:, 0] += signal * targets
    features[::7, 2] = np.nan  # not every cell can be measured
    return Measured(features, targets, np.tile(np.arange(N) % 3, 2), np.tile(np.arange(N), 2))


def test_features_that_tell_the_class_are_read_and_others_are_not() -> None:
    found = {}
    for signal in (0.0, 5.0):
        cells = _cells(signal)
        logs = out_of_fold(cells, LEARNERS[LEARNER]())
        np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0)
        found[signal] = score(cells.targets, logs.argmax(axis=1), K, cells.groups)
    assert found[5.0][1] > 0.8
    assert found[0.0][0] == pytest.approx(1 / K, abs=0.12)  # labels of its fold reach no model


def test_the_stack_takes_features_where_the_network_errs_and_only_there() -> None:
    cells = _cells(5.0)
    member = out_of_fold(cells, LEARNERS[LEARNER]())
    knows = np.log(np.where(np.eye(K)[cells.targets] > 0, 0.98, 0.01))
    guesses = np.full((2 * N, K), -np.log(K))
    assert beside(guesses, member, cells)["is_kept"]
    assert not beside(knows, member, cells)["is_kept"]
