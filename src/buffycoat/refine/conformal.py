"""Sets of labels that hold the truth at a stated rate, class by class.

Split conformal prediction with one limit a class, so that rare classes are covered as often as
frequent ones; classes with too few calibration cells share a limit (Ding et al., "Class-
conditional conformal prediction with many classes", arXiv 2306.09335).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from buffycoat.errors import BundleError, ShapeError

Guarantee = Literal["class", "pooled", "no guarantee"]


@dataclass(frozen=True, eq=False)
class Conformal:
    """Limits on 1 - p for each class.

    Attributes:
        alpha: Share of cells whose set may miss the truth.
        limits: Shape (k,); a class is in a cell's set if 1 - p is at most its limit.
        guarantees: For each class, what its coverage rests on: its own calibration cells, those
            of all small classes together, or nothing ("no guarantee").
        counts: Shape (k,), int64, calibration cells.
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
    probs: np.ndarray, targets: np.ndarray, alpha: float, min_cells: int = 20
) -> Conformal:
    """Limits from calibration cells that the model did not see.

    Args:
        probs: Shape (n, k), out-of-fold.
        targets: Shape (n,), true column index.
        alpha: Error rate, between 0 and 1.
        min_cells: A class with fewer cells shares the limit of all such classes; if these are
            fewer together, it takes the limit of all cells and has no guarantee.

    Raises:
        ShapeError: The arrays do not match, or there are no cells.
    """
    if probs.ndim != 2 or len(probs) != len(targets) or not len(probs):
        raise ShapeError(
            f"expected probs (n, k) and n > 0 targets, got {probs.shape} and {len(targets)}"
        )
    k = probs.shape[1]
    strangeness = 1.0 - probs[np.arange(len(probs)), targets]
    counts = np.bincount(targets, minlength=k)
    is_small = counts < min_cells
    pooled = strangeness[is_small[targets]]
    limits = np.empty(k)
    guarantees: list[Guarantee] = []
    for column in range(k):
        if not is_small[column]:
            limits[column] = _quantile(strangeness[targets == column], alpha)
            guarantees.append("class")
        elif len(pooled) >= min_cells and counts[column]:
            limits[column] = _quantile(pooled, alpha)
            guarantees.append("pooled")
        else:
            limits[column] = _quantile(strangeness, alpha)
            guarantees.append("no guarantee")
    return Conformal(alpha, limits, tuple(guarantees), counts)


def _quantile(strangeness: np.ndarray, alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest; 1, which lets all in, if there is none."""
    rank = int(np.ceil((len(strangeness) + 1) * (1 - alpha) - 1e-9))
    return 1.0 if rank > len(strangeness) else float(np.sort(strangeness)[rank - 1])
