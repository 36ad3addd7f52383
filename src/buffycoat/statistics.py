"""Gaussian classes with shrunk covariance, and the distances of cells to them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import NotPositiveDefiniteError, ShapeError

Array = np.ndarray[Any, Any]

MIN_CELLS = 20
"""Cells under which a class borrows the pooled covariance."""
JITTERS = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
"""Tried in turn, relative to the mean of the diagonal; as in GPyTorch's linear_operator."""


class JitterWarning(UserWarning):
    """A covariance had to be made positive definite."""


def cholesky_with_jitter(matrix: Array) -> Array:
    """Lower Cholesky factor, with a growing diagonal where it would fail.

    Args:
        matrix: Shape (d, d), symmetric.

    Returns:
        Shape (d, d), lower triangular. A `JitterWarning` names the jitter, if one was needed.

    Raises:
        NotPositiveDefiniteError: Not finite, zero, or not positive definite after the largest
            jitter; the message states it.
    """
    if not np.isfinite(matrix).all():
        raise NotPositiveDefiniteError(
            f"a covariance of shape {matrix.shape} holds "
            f"{int((~np.isfinite(matrix)).sum())} values that are not finite"
        )
    scale = float(np.mean(np.diag(matrix)))
    for relative in (0.0, *JITTERS):
        jitter = relative * scale
        try:
            factor = np.linalg.cholesky(matrix + jitter * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            continue
        if relative:
            warnings.warn(
                f"covariance of shape {matrix.shape} was not positive definite; "
                f"added {jitter:.3g} to its diagonal",
                JitterWarning,
                stacklevel=2,
            )
        return factor
    raise NotPositiveDefiniteError(
        f"covariance of shape {matrix.shape} is not positive definite, even with "
        f"{JITTERS[-1] * scale:.3g} added to its diagonal (mean {scale:.3g}). Drop constant or "
        "duplicate features, or use shrinkage"
    )


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """A Gaussian for each class and one for all cells.

    Attributes:
        means: Shape (k, d); 0 where a class has no cells.
        factors: Lower Cholesky factors of the covariances, shape (k, d, d), or (1, d, d) if all
            classes share one.
        global_mean: Shape (d,).
        global_factor: Shape (d, d).
        counts: Shape (k,), int64: cells that each class was fitted on.
        is_normalised: Whether rows are L2-normalised first (Mahalanobis++, arXiv 2505.18032).
    """

    means: Array
    factors: Array
    global_mean: Array
    global_factor: Array
    counts: Array
    is_normalised: bool = False

    @classmethod
    def fit(
        cls,
        features: Array,
        targets: Array,
        k: int,
        *,
        is_shared: bool = True,
        is_normalised: bool = False,
        is_shrunk: bool = True,
        min_cells: int = MIN_CELLS,
    ) -> ClassStatistics:
        """Fit means and covariances.

        Covariances are Ledoit-Wolf shrunk (J. Multivariate Analysis 88:365, 2004) after each
        feature is scaled to unit variance, so that the units of the features do not matter.

        Args:
            features: Shape (n, d), finite.
            targets: Shape (n,), column index of each row's class.
            k: Number of classes.
            is_shared: One within-class covariance for all classes, or one a class.
            is_normalised: L2-normalise the rows here and in every distance.
            is_shrunk: Switch shrinkage off to compare with plain covariances.
            min_cells: A class with fewer uses the shared covariance.

        Raises:
            ShapeError: Shapes do not match, or a feature is not finite.
            NotPositiveDefiniteError: A covariance has no Cholesky factor.
        """
        rows = _rows(features, is_normalised)
        if len(rows) != len(targets) or not len(rows):
            raise ShapeError(
                f"expected one target a row and at least one row; got {len(targets)} targets for "
                f"{len(rows)} rows"
            )
        if not np.isfinite(rows).all():
            bad = int((~np.isfinite(rows)).any(axis=1).sum())
            raise ShapeError(f"{bad} of {len(rows)} rows hold features that are not finite")
        counts = np.bincount(targets, minlength=k)[:k]
        means = np.zeros((k, rows.shape[1]))
        for column in np.flatnonzero(counts):
            means[column] = rows[targets == column].mean(axis=0)
        residuals = rows - means[targets]
        shared = cholesky_with_jitter(_covariance(residuals, is_shrunk))
        factors = shared[None]
        if not is_shared:
            factors = np.stack(
                [
                    cholesky_with_jitter(_covariance(residuals[targets == column], is_shrunk))
                    if counts[column] >= min_cells
                    else shared
                    for column in range(k)
                ]
            )
        global_mean = rows.mean(axis=0)
        everything = cholesky_with_jitter(_covariance(rows - global_mean, is_shrunk))
        return cls(means, factors, global_mean, everything, counts, is_normalised)

    def only(self, column: int) -> ClassStatistics:
        """The statistics of one class alone, with the same background."""
        factor = self.factors[[0 if len(self.factors) == 1 else column]]
        return ClassStatistics(
            self.means[[column]],
            factor,
            self.global_mean,
            self.global_factor,
            self.counts[[column]],
            self.is_normalised,
        )

    def to_tensors(self) -> dict[str, Array]:
        """The arrays by name, as `from_tensors` reads them."""
        return {
            "means": self.means,
            "factors": self.factors,
            "global_mean": self.global_mean,
            "global_factor": self.global_factor,
            "counts": self.counts,
            "is_normalised": np.array([self.is_normalised], dtype=np.int64),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> ClassStatistics:
        """The statistics that `to_tensors` wrote."""
        arrays = {name: np.asarray(value) for name, value in tensors.items()}
        is_normalised = bool(arrays.pop("is_normalised")[0])
        return cls(**arrays, is_normalised=is_normalised)

    def to_dict(self) -> dict[str, Any]:
        """The same as lists for JSON; every float is kept exactly."""
        return {name: array.tolist() for name, array in self.to_tensors().items()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ClassStatistics:
        """The statistics that `to_dict` wrote."""
        whole = ("counts", "is_normalised")
        return cls.from_tensors(
            {
                name: np.array(value, dtype=np.int64 if name in whole else np.float64)
                for name, value in table.items()
            }
        )


def mahalanobis(features: Array, statistics: ClassStatistics) -> Array:
    """Squared Mahalanobis distance of each row to each class.

    Args:
        features: Shape (n, d), in the units that `statistics` was fitted in.
        statistics: Fitted classes.

    Returns:
        Shape (n, k), unitless, >= 0. A row with a value that is not finite gives NaN; a class
        without cells is infinitely far.

    Raises:
        ShapeError: Not d columns.
    """
    rows = _checked(features, statistics)
    k, is_shared = len(statistics.means), len(statistics.factors) == 1
    distances = np.empty((len(rows), k))
    for column in range(k):
        factor = statistics.factors[0 if is_shared else column]
        distances[:, column] = _squared(rows - statistics.means[column], factor)
    distances[:, statistics.counts == 0] = np.inf
    distances[~np.isfinite(rows).all(axis=1)] = np.nan
    return distances


def relative_mahalanobis(features: Array, statistics: ClassStatistics) -> Array:
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
    background = _squared(rows - statistics.global_mean, statistics.global_factor)
    return mahalanobis(features, statistics) - background[:, None]


def _checked(features: Array, statistics: ClassStatistics) -> Array:
    rows = _rows(features, statistics.is_normalised)
    if rows.shape[1] != statistics.means.shape[1]:
        raise ShapeError(
            f"expected {statistics.means.shape[1]} features a row, got {rows.shape[1]}"
        )
    return rows


def _rows(features: Array, is_normalised: bool) -> Array:
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2:
        raise ShapeError(f"expected features of shape (n, d), got {rows.shape}")
    if not is_normalised:
        return rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _covariance(residuals: Array, is_shrunk: bool) -> Array:
    spread = np.sqrt(np.mean(residuals**2, axis=0))
    if not is_shrunk:
        return residuals.T @ residuals / len(residuals)
    from sklearn.covariance import LedoitWolf

    scale = np.where(spread > 0, spread, 1.0)
    shrunk = LedoitWolf(assume_centered=True).fit(residuals / scale).covariance_
    return shrunk * np.outer(scale, scale)


def _squared(rows: Array, factor: Array) -> Array:
    from scipy.linalg import solve_triangular

    clean = np.where(np.isfinite(rows), rows, 0.0)
    solved = solve_triangular(factor, clean.T, lower=True)
    return np.sum(solved**2, axis=0)
