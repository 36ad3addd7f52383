"""A Gaussian for each class, with shrunk covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.plurals import some_of
from buffycoat.statistics.cholesky import cholesky_with_jitter
from buffycoat.statistics.spread import MIN_ROWS, checked_spread, different_rows, spread, varying

MIN_CELLS = 20
"""Cells under which a class borrows the pooled covariance."""


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

    means: np.ndarray
    factors: np.ndarray
    global_mean: np.ndarray
    global_factor: np.ndarray
    counts: np.ndarray
    is_normalised: bool = False
    kept: np.ndarray | None = None

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        targets: np.ndarray,
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
        rows = as_rows(features, is_normalised)
        if len(rows) != len(targets) or not len(rows):
            raise ShapeError(
                f"expected one target a row and at least one row; got {len(targets)} targets for "
                f"{len(rows)} rows"
            )
        if not np.isfinite(rows).all():
            bad = int((~np.isfinite(rows)).any(axis=1).sum())
            told = some_of(bad, len(rows), "row", "holds", "hold")
            raise ShapeError(f"{told} features that are not finite")
        counts = np.bincount(targets, minlength=k)[:k]
        means = np.zeros((k, rows.shape[1]))
        for column in np.flatnonzero(counts):
            means[column] = rows[targets == column].mean(axis=0)
        residuals = rows - means[targets]
        kept = checked_spread(rows, residuals, targets)
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

    def to_tensors(self) -> dict[str, np.ndarray]:
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


def as_rows(features: np.ndarray, is_normalised: bool) -> np.ndarray:
    """Features (n, d) as float64, L2-normalised if asked.

    Raises:
        ShapeError: Not a table.
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2:
        raise ShapeError(f"expected features of shape (n, d), got {rows.shape}")
    if not is_normalised:
        return rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _is_enough(residuals: np.ndarray, min_cells: int) -> bool:
    """Whether one class's own covariance is estimable in every feature."""
    if len(residuals) < max(min_cells, MIN_ROWS) or not varying(residuals, residuals).all():
        return False
    return different_rows(residuals, np.zeros(len(residuals))) >= MIN_ROWS


def _covariance(residuals: np.ndarray, is_shrunk: bool, is_scaled: bool) -> np.ndarray:
    if not is_shrunk:
        return residuals.T @ residuals / len(residuals)
    from sklearn.covariance import LedoitWolf

    scale = spread(residuals) if is_scaled else np.ones(residuals.shape[1])
    shrunk = LedoitWolf(assume_centered=True).fit(residuals / scale).covariance_
    return shrunk * np.outer(scale, scale)
