from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from buffycoat.embed.energy import Energy

WIDTH = 4


def _cells(counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    targets = np.repeat(np.arange(len(counts)), counts)
    rows = rng.normal(size=(len(counts), WIDTH))[targets] + rng.normal(size=(len(targets), WIDTH))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), targets


def _energy(row: np.ndarray, weights: np.ndarray, intercepts: np.ndarray) -> float:
    return -np.log(sum(np.exp(w @ row + b) for w, b in zip(weights, intercepts, strict=True)))


def _objective(flat: np.ndarray, rows: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Cross-entropy in which every class weighs the same, and a penalty of the weights."""
    weights, intercepts = flat[:-k].reshape(k, WIDTH), flat[-k:]
    total = 0.5 * np.sum(weights**2)
    for row, target in zip(rows, targets, strict=True):
        share = len(targets) / (k * np.sum(targets == target))
        log_sum = -_energy(row, weights, intercepts)
        total += share * (log_sum - weights[target] @ row - intercepts[target])
    return float(total)


def test_it_is_the_energy_of_a_balanced_probe() -> None:
    rows, targets = _cells((25, 12, 4))
    inputs = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    found = minimize(_objective, np.zeros(3 * WIDTH + 3), args=(inputs, targets, 3))
    weights, intercepts = found.x[:-3].reshape(3, WIDTH), found.x[-3:]
    expected = [_energy(row, weights, intercepts) for row in inputs]
    np.testing.assert_allclose(Energy.fit(rows, targets, 3).score(rows), expected, atol=0.01)


@pytest.mark.parametrize("counts", [(25, 12, 4), (20, 6), (0, 9, 5)])
def test_logits_are_centred_so_that_their_sum_is_no_matter_of_the_fit(counts: tuple) -> None:
    model = Energy.fit(*_cells(counts), len(counts))
    present = sum(count > 0 for count in counts)
    assert model.weights.shape == (present, WIDTH)
    np.testing.assert_allclose(model.weights.sum(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(model.intercepts.sum(), 0.0, atol=1e-9)


def test_two_classes_are_told_apart_on_the_right_side() -> None:
    rows, targets = _cells((30, 30))
    model = Energy.fit(rows, targets, 2)
    logits = (rows - model.centre) / model.scale @ model.weights.T + model.intercepts
    assert np.mean(logits.argmax(axis=1) == targets) > 0.7


def test_with_one_class_every_cell_scores_alike() -> None:
    rows, targets = _cells((9,))
    assert np.unique(Energy.fit(rows, targets, 1).score(rows)).tolist() == [0.0]


def test_a_dimension_that_hardly_fires_in_training_does_not_drown_the_rest() -> None:
    rows, targets = _cells((25, 12, 4))
    rows[:, 3] = 0.0
    rows[0, 3] = 1e-6
    model = Energy.fit(rows, targets, 3)
    fired = rows.copy()
    fired[:, 3] = 0.1
    assert np.abs(model.score(fired) - model.score(rows)).max() < 1.0
