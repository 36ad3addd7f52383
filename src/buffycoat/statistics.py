"""Gaussian classes with shrunk covariance, and the distances of cells to them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from buffycoat.errors import NotEstimableError, NotPositiveDefiniteError, ShapeError

Array = np.ndarray[Any, Any]

MIN_CELLS = 20
"""Cells under which a class borrows the pooled covariance."""
MIN_ROWS = 3
"""Different rows under which a covariance is not estimable. Two leave one direction, and
Ledoit-Wolf's estimate does not shrink it: between equal outer products it sees no variance. With k
classes, of which each costs a mean, k + 2 are needed."""
NO_SPREAD = 1e-12
"""A spread under this share of the largest, or of the values themselves, is rounding: double
precision keeps 2e-16 of a value, and sums over some thousand cells lose up to four digits."""
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
        factors: Lower Cholesky factors of the covariances, shape (k, c, c), or (1, c, c) if all
            classes share one.
        global_mean: Shape (d,).
        global_factor: Shape (c, c).
        counts: Shape (k,), int64: cells that each class was fitted on.
        is_normalised: Whether rows are L2-normalised first (Mahalanobis++, arXiv 2505.18032).
        kept: Shape (d,), bool: the features that vary. The others are left out of every distance,
            and factors have a row and a column for each of the c that are kept. None keeps all.
    """

    means: Array
    factors: Array
    global_mean: Array
    global_factor: Array
    counts: Array
    is_normalised: bool = False
    kept: Array | None = None

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
        is_one_unit: bool = False,
        min_cells: int = MIN_CELLS,
    ) -> ClassStatistics:
        """Fit means and covariances.

        Covariances are Ledoit-Wolf shrunk (J. Multivariate Analysis 88:365, 2004) after each
        feature is scaled to unit variance, so that the units of the features do not matter; or as
        they are where all features have one unit, so that a direction in which cells hardly differ
        is not taken for as telling as the others. A feature that does not vary within the classes
        (`NO_SPREAD`) is left out.

        Args:
            features: Shape (n, d), finite.
            targets: Shape (n,), column index of each row's class.
            k: Number of classes.
            is_shared: One within-class covariance for all classes, or one a class.
            is_normalised: L2-normalise the rows here and in every distance.
            is_shrunk: Switch shrinkage off to compare with plain covariances.
            is_one_unit: Features share one unit, as components of embeddings do: do not scale.
            min_cells: A class with fewer uses the shared covariance, and so does one whose own
                is not estimable.

        Raises:
            ShapeError: Shapes do not match, or a feature is not finite.
            NotEstimableError: Fewer than `MIN_ROWS` different rows, or no feature varies within
                the classes.
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
        kept = _checked_spread(rows, residuals, targets)
        inside, between = residuals[:, kept], (means[targets] - rows.mean(axis=0))[:, kept]
        covariance = partial(_covariance, is_shrunk=is_shrunk, is_scaled=not is_one_unit)
        within = covariance(inside)
        shared = cholesky_with_jitter(within)
        factors = shared[None]
        if not is_shared:
            factors = np.stack(
                [
                    cholesky_with_jitter(covariance(own)) if _is_enough(own, min_cells) else shared
                    for own in (inside[targets == column] for column in range(k))
                ]
            )
        # Both parts of the total. Shrunk by itself, it could be narrower than the classes within,
        # and what is far from all of them would look familiar.
        everything = cholesky_with_jitter(within + between.T @ between / len(between))
        global_mean = rows.mean(axis=0)
        kept_or_all = None if kept.all() else kept
        return cls(means, factors, global_mean, everything, counts, is_normalised, kept_or_all)

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
            self.kept,
        )

    def to_tensors(self) -> dict[str, Array]:
        """The arrays by name, as `from_tensors` reads them; `kept` only where not all are."""
        tensors = {
            "means": self.means,
            "factors": self.factors,
            "global_mean": self.global_mean,
            "global_factor": self.global_factor,
            "counts": self.counts,
            "is_normalised": np.array([self.is_normalised], dtype=np.int64),
        }
        return tensors if self.kept is None else {**tensors, "kept": self.kept.astype(np.int64)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> ClassStatistics:
        """The statistics that `to_tensors` wrote."""
        arrays = {name: np.asarray(value) for name, value in tensors.items()}
        is_normalised = bool(arrays.pop("is_normalised")[0])
        kept = arrays.pop("kept", None)
        return cls(
            **arrays,
            is_normalised=is_normalised,
            kept=None if kept is None else kept.astype(bool),
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as lists for JSON; every float is kept exactly."""
        return {name: array.tolist() for name, array in self.to_tensors().items()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ClassStatistics:
        """The statistics that `to_dict` wrote."""
        whole = ("counts", "is_normalised", "kept")
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
    away = rows - statistics.global_mean
    background = _squared(away, statistics.global_factor, statistics.kept)
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


def varying(rows: Array, residuals: Array) -> Array:
    """Features that vary by more than rounding, shape (d,), bool.

    Args:
        rows: Shape (n, d), as they were given.
        residuals: Shape (n, d), less a mean each.
    """
    spread = _spread(residuals)
    values = np.abs(rows).max(axis=0, initial=0.0)
    return spread > NO_SPREAD * np.maximum(spread.max(initial=0.0), values)


def different_rows(rows: Array, targets: Array) -> int:
    """How many different rows the classes hold, each class counted by itself.

    Rows are compared by one weighted sum of their features, which is the same for equal rows and,
    as good as always, another for others: a product of matrices rounds copies differently.

    Args:
        rows: Shape (n, d).
        targets: Shape (n,).
    """
    scale = _spread(rows - rows.mean(axis=0))
    weights = np.random.default_rng(0).uniform(1, 2, rows.shape[1])
    sums = (rows / np.where(scale > 0, scale, 1.0)) @ weights
    least = NO_SPREAD * np.abs(sums).max(initial=0.0)
    return sum(
        1 + int((np.diff(np.sort(sums[targets == column])) > least).sum())
        for column in np.unique(targets)
    )


def cells_of_each(targets: Array, names: Array) -> Array:
    """How many different cells each class has, shape (classes present,).

    Args:
        targets: Shape (n,), class of each row.
        names: Shape (n,); rows of one cell (or patient, or photograph) share one.
    """
    return np.array([len(np.unique(names[targets == column])) for column in np.unique(targets)])


def _checked_spread(rows: Array, residuals: Array, targets: Array) -> Array:
    """Features that vary within the classes, shape (d,), bool; an error where too few rows do."""
    kept = varying(rows, residuals)
    if not kept.any():
        raise NotEstimableError(
            f"a covariance is not estimable: none of {len(kept)} features varies within its class"
        )
    n_classes = len(np.unique(targets))
    found, least = different_rows(rows[:, kept], targets), n_classes + MIN_ROWS - 1
    if found < least:
        raise NotEstimableError(
            f"a covariance of {n_classes} class(es) is not estimable from {found} different "
            f"row(s); expected at least {least}. Add cells that are no copies of each other"
        )
    return kept


def _is_enough(residuals: Array, min_cells: int) -> bool:
    """Whether one class's own covariance is estimable in every feature."""
    if len(residuals) < max(min_cells, MIN_ROWS) or not varying(residuals, residuals).all():
        return False
    return different_rows(residuals, np.zeros(len(residuals))) >= MIN_ROWS


def _spread(residuals: Array) -> Array:
    return np.sqrt(np.mean(residuals**2, axis=0))


def _covariance(residuals: Array, is_shrunk: bool, is_scaled: bool) -> Array:
    if not is_shrunk:
        return residuals.T @ residuals / len(residuals)
    from sklearn.covariance import LedoitWolf

    scale = _spread(residuals) if is_scaled else np.ones(residuals.shape[1])
    shrunk = LedoitWolf(assume_centered=True).fit(residuals / scale).covariance_
    return shrunk * np.outer(scale, scale)


def _squared(rows: Array, factor: Array, kept: Array | None) -> Array:
    from scipy.linalg import solve_triangular

    clean = np.where(np.isfinite(rows), rows, 0.0)
    solved = solve_triangular(factor, (clean if kept is None else clean[:, kept]).T, lower=True)
    return np.sum(solved**2, axis=0)


def quantile(values: np.ndarray, share: float) -> float:
    """`np.quantile` of one axis, without what it spends on cases that do not occur here.

    Args:
        values: Shape (n,), n > 0, without NaN.
        share: 0 to 1.
    """
    place = share * (len(values) - 1)
    low = int(place)
    ordered = np.partition(values, low)  # two places would take numpy's slower way
    below = float(ordered[low])
    above = float(ordered[low + 1 :].min()) if place > low else below
    return below + (above - below) * (place - low)
