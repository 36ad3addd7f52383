"""Pseudo-labels: as precise as is asked, each class by its own limit."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.errors import ConfigError
from buffycoat.fuse.pseudo_labels import NONE, pseudo_labels


def _calibrated(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and classes that are drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(n, k)) + np.linspace(2, -2, k)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probs, np.array([rng.choice(k, p=row) for row in probs])


def test_the_cells_taken_for_a_class_are_as_often_of_it_as_was_asked() -> None:
    probs, truth = _calibrated(40_000, 4, seed=0)
    found = pseudo_labels(probs, np.ones(len(probs), bool), 0.95)
    for column in range(4):
        of_class = found == column
        assert of_class.sum() > 200
        assert (truth[of_class] == column).mean() == pytest.approx(0.95, abs=0.015)


def test_a_class_that_is_called_with_doubt_keeps_its_surest_cells() -> None:
    sure = np.tile([0.99, 0.01], (50, 1))
    doubtful = np.column_stack([np.linspace(0.02, 0.45, 50), np.linspace(0.98, 0.55, 50)])
    found = pseudo_labels(np.concatenate([sure, doubtful]), np.ones(100, bool), 0.95)
    assert (found[:50] == 0).all()
    n_taken = int((found[50:] == 1).sum())
    assert 0 < n_taken < 50
    assert (found[50 : 50 + n_taken] == 1).all()  # the surest, and no other


def test_a_class_that_is_never_sure_is_named_for_a_share_of_its_expected_cells() -> None:
    sure = np.tile([0.99, 0.01], (60, 1))
    doubtful = np.column_stack([np.linspace(0.3, 0.4, 40), np.linspace(0.7, 0.6, 40)])
    probs, asked = np.concatenate([sure, doubtful]), np.ones(100, bool)
    assert (pseudo_labels(probs, asked, 0.95)[60:] == NONE).all()
    found = pseudo_labels(probs, asked, 0.95, 0.5)
    expected = round(0.5 * probs[:, 1].sum())
    assert (found[60 : 60 + expected] == 1).all()  # the surest
    assert (found[60 + expected :] == NONE).all()
    whole = pseudo_labels(probs, asked, 0.95, 1.0)
    assert (whole == 1).sum() == round(probs[:, 1].sum())
    more = pseudo_labels(np.tile([0.55, 0.45], (9, 1)), np.ones(9, bool), 0.95, 1.0)
    assert not (more == 1).any()  # expected, but called another class


def test_a_cell_that_may_not_be_asked_is_taken_for_nothing() -> None:
    probs = np.tile([0.99, 0.01], (3, 1))
    found = pseudo_labels(probs, np.array([True, False, True]), 0.9)
    assert found.tolist() == [0, NONE, 0]


def test_no_cell_is_taken_where_none_is_sure_enough() -> None:
    assert (pseudo_labels(np.full((9, 3), 1 / 3), np.ones(9, bool), 0.9) == NONE).all()
    assert len(pseudo_labels(np.empty((0, 3)), np.empty(0, bool), 0.9)) == 0


def test_a_least_share_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="least_share"):
        pseudo_labels(np.ones((1, 1)), np.ones(1, bool), 0.9, 1.5)


@pytest.mark.parametrize("precision", [0.0, 1.2, float("nan")])
def test_a_precision_that_is_no_share_is_refused(precision: float) -> None:
    with pytest.raises(ConfigError, match="precision"):
        pseudo_labels(np.ones((1, 1)), np.ones(1, bool), precision)
