"""Distances of cells to Gaussian classes."""

from __future__ import annotations

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.statistics.classes import ClassStatistics, as_rows


def mahalanobis(features: np.ndarray, statistics: ClassStatistics) -> np.ndarray:
    """Squared Mahalanobis distance of each row to each class.

    Args:
        features: Shape (n, d), in the units that `statistics` was fitted in.
        statistics: Fitted classes.

    Returns:
        Shape (n, k), unitless, >= 0. A row with a value that is not finite gives NaN, whether the
        feature is kept or not; a class without cells is infinitely far.

    Raises:
        ShapeError: Not d columns.
    """
    rows = _checked(features, statistics)
    k, is_shared = len(statistics.means), len(statistics.factors) == 1
    distances = np.empty((len(rows), k))
    for column in range(k):
        factor = statistics.factors[0 if is_shared else column]
        distances[:, column] = _squared(rows - statistics.means[column], factor, statistics.kept)
    distances[:, statistics.counts == 0] = np.inf
    distances[~np.isfinite(rows).all(axis=1)] = np.nan
    return distances


def relative_mahalanobis(features: np.ndarray, statistics: ClassStatistics) -> np.ndarray:
    """Squared distance to each class, less that to all cells taken as one Gaussian.

    What is common to all cells cancels, so the rest speaks of the class (arXiv 2106.09022).

    Args:
        features: Shape (n, d).
        statistics: Fitted classes.

    Returns:
        Shape (n, k), unitless, of either sign.

    Raises:
        ShapeError: Not d columns.
    """
    rows = _checked(features, statistics)
    away = rows - statistics.global_mean
    background = _squared(away, statistics.global_factor, statistics.kept)
    return mahalanobis(features, statistics) - background[:, None]


def _checked(features: np.ndarray, statistics: ClassStatistics) -> np.ndarray:
    rows = as_rows(features, statistics.is_normalised)
    if rows.shape[1] != statistics.means.shape[1]:
        raise ShapeError(
            f"expected {statistics.means.shape[1]} features a row, got {rows.shape[1]}"
        )
    return rows


def _squared(rows: np.ndarray, factor: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    from scipy.linalg import solve_triangular

    clean = np.where(np.isfinite(rows), rows, 0.0)
    solved = solve_triangular(factor, (clean if kept is None else clean[:, kept]).T, lower=True)
    return np.sum(solved**2, axis=0)
