from __future__ import annotations

import numpy as np
import pytest

from buffycoat.embed.neighbours import nearest
from buffycoat.embed.outliers import OutlierModel


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _cells(counts: tuple[int, ...], width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    centres = np.random.default_rng(3).normal(size=(len(counts), width))
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(counts)), counts)
    return _unit(centres[targets] + 0.3 * rng.normal(size=(len(targets), width))), targets


@pytest.mark.parametrize("width", [16, 300])
def test_cells_of_no_class_are_stranger_than_new_cells_of_the_classes(width: int) -> None:
    rows, targets = _cells((80, 40, 20), width, seed=0)
    model = OutlierModel.fit(rows, targets, 3)
    known = model.percentile(model.score(_cells((30, 30, 30), width, seed=1)[0]))
    strange = _unit(np.random.default_rng(2).normal(size=(50, width)))
    # Cross-fitted scores come of models with a fifth less data, so new cells rank a little lower.
    assert 10 < np.median(known) < 70
    assert np.median(model.percentile(model.score(strange))) > 95


def test_what_is_stored_scores_bit_for_bit_as_what_was_fitted() -> None:
    rows, targets = _cells((30, 20, 10), 12, seed=0)
    model = OutlierModel.fit(rows, targets, 3)
    again = OutlierModel.from_tensors(model.to_tensors())
    scores = again.score(rows)
    assert np.array_equal(scores, model.score(rows))
    assert np.array_equal(again.percentile(scores), model.percentile(scores))


def test_percentiles_span_the_training_scores() -> None:
    rows, targets = _cells((30, 20, 10), 12, seed=0)
    model = OutlierModel.fit(rows, targets, 3)
    assert model.percentile(np.array([-np.inf, np.inf])).tolist() == [0.0, 100.0]


@pytest.mark.parametrize("counts", [(30, 1, 0), (4, 1, 1)])
def test_classes_of_one_and_absent_ones_leave_it_finite(counts: tuple[int, ...]) -> None:
    rows, targets = _cells(counts, 40, seed=0)
    model = OutlierModel.fit(rows, targets, 3)
    assert np.isfinite(model.score(rows)).all()
    assert np.isfinite(model.training_scores).all()


def test_neighbours_are_the_most_similar_first() -> None:
    stored = _unit(np.random.default_rng(0).normal(size=(20, 6)))
    rows, similarity = nearest(stored[:4], stored, 3)
    assert rows[:, 0].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(similarity[:, 0], 1.0, rtol=1e-5)
    brute = np.sort(stored[:4] @ stored.T, axis=1)[:, ::-1][:, :3]
    np.testing.assert_allclose(similarity, brute, rtol=1e-5)


def test_a_stored_cell_is_not_its_own_neighbour() -> None:
    stored = _unit(np.random.default_rng(0).normal(size=(4, 6)))
    rows, similarity = nearest(stored, stored, 10, exclude_same_row=True)
    assert rows.shape == (4, 3)
    assert not (rows == np.arange(4)[:, None]).any()
    assert np.isfinite(similarity).all()
