from __future__ import annotations

import numpy as np
import pytest

from buffycoat.embed.gaussians import Mahalanobis, RelativeMahalanobis
from buffycoat.embed.prototypes import Prototypes
from buffycoat.errors import NotEstimableError


def _cells() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(3), (40, 20, 10))
    rows = rng.normal(size=(3, 6))[targets] + 0.4 * rng.normal(size=(len(targets), 6))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), targets


def _squared(row: np.ndarray, mean: np.ndarray, factor: np.ndarray) -> float:
    away = row - mean
    return float(away @ np.linalg.inv(factor @ factor.T) @ away)


def test_it_is_the_distance_to_the_nearest_class_and_that_less_the_distance_to_all() -> None:
    rows, targets = _cells()
    plain, relative = (score.fit(rows, targets, 3) for score in (Mahalanobis, RelativeMahalanobis))
    known = plain.statistics
    components = (rows - rows.mean(axis=0)) @ plain.axes
    nearest = [min(_squared(c, m, known.factors[0]) for m in known.means) for c in components]
    to_all = [_squared(c, known.global_mean, known.global_factor) for c in components]
    np.testing.assert_allclose(plain.score(rows), nearest, rtol=1e-9)
    np.testing.assert_allclose(relative.score(rows), np.subtract(nearest, to_all), rtol=1e-6)


def test_tensors_keep_the_names_that_older_bundles_use() -> None:
    assert set(RelativeMahalanobis.fit(*_cells(), 3).to_tensors()) == {
        "centre",
        "axes",
        *(
            f"statistics.{name}"
            for name in ("means factors global_mean global_factor counts is_normalised".split())
        ),
    }


def _embeddings(n: int, seed: int, width: int = 320) -> tuple[np.ndarray, np.ndarray]:
    """Four classes far apart in a space wider than there are cells, as a small set's are."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 4
    means = np.random.default_rng(9).normal(size=(4, width))
    rows = means[targets] + 2.0 * rng.normal(size=(n, width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), targets


@pytest.mark.parametrize("difference", [None, 0.0, 1e-9, 1e-7, 1e-5, 1e-3, 1e-2])
def test_a_copy_of_one_cell_spoils_neither_class_means_nor_distances(
    difference: float | None,
) -> None:
    """None: without a copy, which the others are compared with."""
    rows, targets = _embeddings(80, 0)
    new, truth = _embeddings(200, 1)
    plain = Mahalanobis.fit(rows, targets, 4).score(new)
    if difference is not None:
        other = rows[:1] + difference / 18 * np.random.default_rng(2).normal(size=(1, 320))
        rows = np.concatenate([rows.astype(float), other])
        targets = np.append(targets, targets[0])
    means = Prototypes.fit(rows, targets, 4).logits(new).argmax(axis=1)
    assert (means == truth).mean() > 0.98
    for kind in (Mahalanobis, RelativeMahalanobis):
        assert np.isfinite(kind.fit(rows, targets, 4).score(new)).all()
    distances = Mahalanobis.fit(rows, targets, 4).score(new)
    assert 0.7 < np.median(distances) / np.median(plain) < 1.4


def test_many_copies_and_constant_dimensions_leave_the_classes_apart() -> None:
    rows, targets = _embeddings(40, 0)
    new, truth = _embeddings(200, 1)
    rows[:, 7], new[:, 7] = 0.1, 0.1
    rows, targets = np.tile(rows, (3, 1)), np.tile(targets, 3)
    assert (Prototypes.fit(rows, targets, 4).logits(new).argmax(axis=1) == truth).mean() > 0.95
    assert np.median(Mahalanobis.fit(rows, targets, 4).score(new)) < 1e4


@pytest.mark.parametrize("n_different", [1, 2])
def test_fewer_than_three_different_cells_are_not_estimable(n_different: int) -> None:
    rows, _ = _embeddings(4, 0)
    same = np.tile(rows[:n_different], (6, 1))
    with pytest.raises(NotEstimableError, match="not estimable"):
        Mahalanobis.fit(same, np.zeros(len(same), dtype=int), 1)
