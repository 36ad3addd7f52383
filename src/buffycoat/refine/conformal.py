"""Prediction sets with a stated coverage, class by class.

Conformal prediction on out-of-fold scores (cross-conformal: Vovk, arXiv 1208.0806; CV+: Barber et
al., arXiv 1905.02928) with one limit a class, so that rare classes are covered as often as frequent
ones. A class with too few cells of its own shares the limit of its lineage (clusters of classes:
Ding et al., arXiv 2306.09335).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from buffycoat.errors import BundleError, ShapeError

Guarantee = Literal["class", "lineage", "no guarantee"]
MIN_CELLS = 20
"""Calibration cells under which a class has no limit of its own: at 90 % two of them may miss."""


@dataclass(frozen=True, eq=False)
class Conformal:
    """Limits on 1 - p for each class.

    Attributes:
        alpha: Share of cells whose set may miss the truth.
        limits: Shape (k,); a class is in a cell's set if 1 - p is at most its limit.
        guarantees: For each class, what its coverage rests on: its own calibration cells, those
            of its lineage, or nothing ("no guarantee").
        counts: Shape (k,), int64, calibration cells; twins of one cell are one.
    """

    alpha: float
    limits: np.ndarray
    guarantees: tuple[Guarantee, ...]
    counts: np.ndarray

    def sets(self, probs: np.ndarray) -> np.ndarray:
        """Labels that cannot be ruled out.

        Args:
            probs: Shape (n, k).

        Returns:
            Shape (n, k), bool. The top label is always in, so no set is empty.

        Raises:
            ShapeError: Not k columns.
        """
        if probs.ndim != 2 or probs.shape[1] != len(self.limits):
            raise ShapeError(f"expected probs (n, {len(self.limits)}), got {probs.shape}")
        inside = 1.0 - probs <= self.limits
        inside[np.arange(len(probs)), probs.argmax(axis=1)] = True
        return inside

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; every float is kept exactly."""
        return {
            "alpha": self.alpha,
            "limits": self.limits.tolist(),
            "guarantees": list(self.guarantees),
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Conformal:
        """The limits that `to_dict` wrote.

        Raises:
            BundleError: The table is incomplete.
        """
        try:
            return cls(
                float(table["alpha"]),
                np.array(table["limits"], dtype=np.float64),
                tuple(table["guarantees"]),
                np.array(table["counts"], dtype=np.int64),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"conformal limits are incomplete ({error}); train again") from error


def fit_conformal(
    probs: np.ndarray,
    targets: np.ndarray,
    alpha: float,
    lineages: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
    min_cells: int = MIN_CELLS,
) -> Conformal:
    """Limits from calibration cells that the model did not see.

    Args:
        probs: Shape (n, k), out-of-fold.
        targets: Shape (n,), true column index.
        alpha: Error rate, between 0 and 1.
        lineages: Of each class, k of them. A class with too few cells takes the limit of its
            lineage, in which each class weighs the same; None where no lineage is known.
        groups: Shape (n,): rows of one cell, or patient, share one and count once; None if all
            differ.
        min_cells: Cells that a class, or else its lineage, needs. With neither, a class takes the
            limit of all classes alike, and has no guarantee.

    Raises:
        ShapeError: The arrays do not match, or there are no cells.
    """
    if probs.ndim != 2 or len(probs) != len(targets) or not len(probs):
        raise ShapeError(
            f"expected probs (n, k) and n > 0 targets, got {probs.shape} and {len(targets)}"
        )
    k = probs.shape[1]
    groups = np.arange(len(targets)) if groups is None else np.asarray(groups)
    strangeness = 1.0 - probs[np.arange(len(probs)), targets]
    counts = np.array([len(np.unique(groups[targets == column])) for column in range(k)])
    weights = 1.0 / np.bincount(targets, minlength=k)[targets]
    limits = np.empty(k)
    guarantees: list[Guarantee] = []
    for column in range(k):
        own = [c for c in range(k) if lineages is not None and lineages[c] == lineages[column]]
        pools: dict[Guarantee, list[int]] = {"class": [column], "lineage": own}
        enough: list[Guarantee] = [
            name for name, pool in pools.items() if counts[pool].sum() >= min_cells
        ]
        chosen: Guarantee = enough[0] if enough and counts[column] else "no guarantee"
        pool = pools.get(chosen, list(range(k)))
        rows = np.isin(targets, pool)
        n_cells = int(counts[pool].sum())
        limits[column] = _quantile(strangeness[rows], weights[rows], n_cells, alpha)
        guarantees.append(chosen)
    return Conformal(alpha, limits, tuple(guarantees), counts)


def cross_fitted_sets(
    probs: np.ndarray,
    targets: np.ndarray,
    folds: np.ndarray,
    alpha: float,
    lineages: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Label sets of each fold's cells by limits from the other folds.

    Args:
        probs: Shape (n, k), out-of-fold.
        targets: Shape (n,).
        folds: Shape (n,), the fold that held each row out.
        alpha: As for `fit_conformal`, and so on.
        lineages: Of each class.
        groups: Shape (n,).

    Returns:
        Shape (n, k), bool. With a single fold its own limits are all there is.
    """
    sets = np.zeros(probs.shape, dtype=bool)
    numbers = np.unique(folds)
    for fold in numbers:
        inside = folds == fold
        seen = ~inside if len(numbers) > 1 else inside
        part = None if groups is None else np.asarray(groups)[seen]
        fitted = fit_conformal(probs[seen], targets[seen], alpha, lineages, part)
        sets[inside] = fitted.sets(probs[inside])
    return sets


def _quantile(strangeness: np.ndarray, weights: np.ndarray, n_cells: int, alpha: float) -> float:
    """Least value that a share of ceil((n + 1)(1 - alpha)) / n of the weight does not exceed.

    1, which lets all in, where that share is over 1.
    """
    share = np.ceil((n_cells + 1) * (1 - alpha) - 1e-9) / max(n_cells, 1)
    if share > 1:
        return 1.0
    order = np.argsort(strangeness, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(strangeness[order][np.searchsorted(reached, share - 1e-9)])
