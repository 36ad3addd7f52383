from __future__ import annotations

import numpy as np

from buffycoat.embed.gaussians import Mahalanobis, RelativeMahalanobis


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
