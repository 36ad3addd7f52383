from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from safetensors.numpy import load, save

from buffycoat.config import EmbedConfig
from buffycoat.embed.neighbours import nearest
from buffycoat.embed.outliers import OF_EMBEDDINGS, SCORES, OutlierModel
from buffycoat.errors import ConfigError, ShapeError

every_score = pytest.mark.parametrize("name", OF_EMBEDDINGS)


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _centres(k: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(k, width))


def _cells(counts: tuple[int, ...], width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(counts)), counts)
    noise = 0.3 * rng.normal(size=(len(targets), width))
    return _unit(_centres(len(counts), width)[targets] + noise), targets


@pytest.mark.parametrize("width", [16, 300])
@every_score
def test_cells_of_no_class_are_strange(name: str, width: int) -> None:
    model = OutlierModel.fit(name, *_cells((80, 40, 20), width, seed=0), 3)
    strange = _unit(np.random.default_rng(2).normal(size=(50, width)))
    assert np.median(model.percentile(model.score(strange))) > 95


# Distances need more cells than components for this: see `Mahalanobis`.
@pytest.mark.parametrize(
    ("name", "width", "counts"),
    [
        *((name, 16, (80, 40, 20)) for name in OF_EMBEDDINGS),
        ("relative_mahalanobis", 300, (400, 200, 100)),
        ("mahalanobis", 300, (400, 200, 100)),
    ],
)
def test_new_cells_of_the_classes_are_as_strange_as_training_cells(
    name: str, width: int, counts: tuple[int, ...]
) -> None:
    model = OutlierModel.fit(name, *_cells(counts, width, seed=0), 3)
    known = model.percentile(model.score(_cells((30, 30, 30), width, seed=1)[0]))
    assert 10 < np.median(known) < 70


@every_score
def test_a_cell_far_from_every_class_is_stranger_than_all_training_cells(name: str) -> None:
    rows, targets = _cells((80, 40, 20), 40, seed=0)
    model = OutlierModel.fit(name, rows, targets, 3)
    far = model.score(_unit(-_centres(3, 40).sum(axis=0, keepdims=True)))
    assert far > model.score(rows).max()
    assert model.percentile(far) == 100.0


@every_score
def test_what_is_stored_scores_bit_for_bit_as_what_was_fitted(name: str) -> None:
    rows, targets = _cells((30, 20, 10), 12, seed=0)
    model = OutlierModel.fit(name, rows, targets, 3)
    again = OutlierModel.from_tensors(name, load(save(model.to_tensors())))
    scores = again.score(rows)
    assert again.name == name
    assert np.array_equal(scores, model.score(rows))
    assert np.array_equal(again.percentile(scores), model.percentile(scores))


@every_score
def test_a_score_does_not_depend_on_the_cells_beside_a_cell(name: str) -> None:
    rows, targets = _cells((30, 20, 10), 21, seed=0)
    model = OutlierModel.fit(name, rows, targets, 3)
    scores = model.score(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    assert np.array_equal(model.score(rows[order]), scores[order])
    for row in range(len(rows)):
        assert np.array_equal(model.score(rows[row : row + 1]), scores[row : row + 1])
    np.testing.assert_allclose(model.strangeness.score_together(rows), scores, rtol=1e-4, atol=1e-6)


@every_score
def test_no_cells_have_no_scores(name: str) -> None:
    model = OutlierModel.fit(name, *_cells((30, 20, 10), 12, seed=0), 3)
    assert model.score(np.zeros((0, 12), np.float32)).shape == (0,)


@every_score
def test_percentiles_span_the_training_scores(name: str) -> None:
    model = OutlierModel.fit(name, *_cells((30, 20, 10), 12, seed=0), 3)
    assert model.percentile(np.array([-np.inf, np.inf])).tolist() == [0.0, 100.0]
    percentiles = model.percentile(model.training_scores)
    assert percentiles.min() == 0.0
    assert percentiles.max() < 100.0
    assert (np.diff(percentiles) >= 0).all()


@pytest.mark.parametrize("counts", [(30, 1, 0), (4, 1, 1), (6, 0, 0)])
@every_score
def test_classes_of_one_and_absent_ones_leave_it_finite(name: str, counts: tuple) -> None:
    rows, targets = _cells(counts, 40, seed=0)
    model = OutlierModel.fit(name, rows, targets, 3)
    assert np.isfinite(model.score(rows)).all()
    assert np.isfinite(model.training_scores).all()


@every_score
def test_a_dimension_that_never_changes_tells_nothing(name: str) -> None:
    rows, targets = _cells((80, 40, 20), 16, seed=0)
    constant = np.full((len(rows), 1), 0.1, np.float32)
    model = OutlierModel.fit(name, _unit(np.hstack([rows, constant])), targets, 3)
    new = _cells((30, 30, 30), 16, seed=1)[0]
    known = model.percentile(model.score(_unit(np.hstack([new, constant[: len(new)]]))))
    assert 10 < np.median(known) < 70


@every_score
def test_faults_of_the_training_cells_are_named(name: str) -> None:
    rows, targets = _cells((5, 5), 8, seed=0)
    with pytest.raises(ShapeError, match=r"\(10, 8\) and \(9,\)"):
        OutlierModel.fit(name, rows, targets[:-1], 2)
    with pytest.raises(ShapeError, match="n >= 2"):
        OutlierModel.fit(name, rows[:1], targets[:1], 2)
    rows[3, 2] = np.nan
    with pytest.raises(ShapeError, match="1 of 10 embeddings"):
        OutlierModel.fit(name, rows, targets, 2)


def test_a_classifier_that_says_little_for_every_class_finds_the_cell_strange() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], 40)
    logits = 8.0 * np.eye(3)[targets] + rng.normal(size=(120, 3))
    model = OutlierModel.fit("classifier_energy", logits, targets, 3)
    doubtful = rng.normal(size=(30, 3))
    assert (model.percentile(model.score(doubtful)) > 99).all()
    torn = np.array([[8.0, 8.0, 0.0]])  # between two classes: doubtful, but not strange
    assert model.percentile(model.score(torn)) < 50
    again = OutlierModel.from_tensors(model.name, load(save(model.to_tensors())))
    assert np.array_equal(again.score(doubtful), model.score(doubtful))
    expected = -np.log(np.exp(doubtful).sum(axis=1))
    np.testing.assert_allclose(model.score(doubtful), expected)


def test_an_unknown_score_says_the_nearest() -> None:
    rows, targets = _cells((5, 5), 8, seed=0)
    with pytest.raises(ConfigError, match=r"outlier score 'enrgy'. Did you mean 'energy'"):
        OutlierModel.fit("enrgy", rows, targets, 2)
    with pytest.raises(ConfigError, match="Options: classifier_energy, energy, knn"):
        OutlierModel.from_tensors("none", {})


def test_the_settings_know_every_score() -> None:
    assert list(get_args(EmbedConfig.model_fields["outliers"].annotation)) == list(SCORES)


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
