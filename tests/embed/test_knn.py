from __future__ import annotations

import numpy as np
import pytest

from buffycoat.embed import knn
from buffycoat.embed.knn import NEIGHBOUR, KthNeighbour


def _unit(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 9))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _fit(stored: np.ndarray) -> KthNeighbour:
    return KthNeighbour.fit(stored, np.zeros(len(stored), np.int64), 1)


def _distance(row: np.ndarray, stored: np.ndarray, place: int) -> float:
    return sorted(float(np.sqrt(np.sum((row - other) ** 2))) for other in stored)[place - 1]


@pytest.mark.parametrize(("stored", "place"), [(40, NEIGHBOUR), (NEIGHBOUR, NEIGHBOUR), (3, 3)])
def test_it_is_the_distance_to_the_kth_nearest(stored: int, place: int) -> None:
    training, rows = _unit(stored, 0), _unit(7, 1)
    expected = [_distance(row, training, place) for row in rows.astype(np.float64)]
    np.testing.assert_allclose(_fit(training).score(rows), expected, rtol=1e-5)


def test_blocks_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    training, rows = _unit(40, 0), _unit(7, 1)
    whole = _fit(training).score_together(rows)
    monkeypatch.setattr(knn, "_AT_ONCE", 3)
    np.testing.assert_allclose(_fit(training).score_together(rows), whole, rtol=1e-6)


def test_copies_of_a_cell_are_no_distance_apart() -> None:
    training = np.repeat(_unit(1, 0), NEIGHBOUR, axis=0)
    assert _fit(training).score(training[:1]) == pytest.approx(0.0, abs=1e-3)


def test_a_cross_fit_of_a_class_of_ten_still_has_enough_neighbours() -> None:
    assert NEIGHBOUR <= 8
