"""How each feature is distributed in each class of the training cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import BundleError
from buffycoat.refine.features import NAMES

LEVELS = (1.0, *np.arange(5.0, 100.0, 5.0).tolist(), 99.0)
"""Percentiles that are kept."""
MIN_TAIL_CELLS = 30
"""Measurable cells of a class under which its 1st and 99th percentiles say nothing."""
MIN_CELLS = 5
"""Measurable cells of a class under which no percentile does."""
DIGITS = 6


@dataclass(frozen=True, eq=False)
class Distributions:
    """Percentiles of each feature in each class.

    Attributes:
        values: Shape (k, len(NAMES), len(LEVELS)); NaN where too few cells were measurable.
        counts: Shape (k, len(NAMES)), int64, measurable cells.
    """

    values: np.ndarray
    counts: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray, targets: np.ndarray, k: int) -> Distributions:
        """Percentiles of training cells.

        Args:
            features: Shape (n, len(NAMES)); NaN where not measurable.
            targets: Shape (n,), column index.
            k: Number of classes.
        """
        values = np.full((k, features.shape[1], len(LEVELS)), np.nan)
        counts = np.zeros((k, features.shape[1]), dtype=np.int64)
        for column in range(k):
            rows = features[targets == column]
            for place in range(features.shape[1]):
                known = rows[np.isfinite(rows[:, place]), place]
                counts[column, place] = len(known)
                if len(known) >= MIN_CELLS:
                    values[column, place] = np.percentile(known, LEVELS)
        return cls(values, counts)

    def limits(self, column: int) -> tuple[np.ndarray, np.ndarray]:
        """1st and 99th percentile of each feature of a class, shape (len(NAMES),).

        NaN where the class has fewer than `MIN_TAIL_CELLS`.
        """
        is_known = self.counts[column] >= MIN_TAIL_CELLS
        ends = (self.values[column, :, place] for place in (0, -1))
        low, high = (np.where(is_known, end, np.nan) for end in ends)
        return low, high

    def percentiles(self, features: np.ndarray, column: int) -> np.ndarray:
        """Where a cell lies among the training cells of a class.

        Args:
            features: Of one cell, shape (len(NAMES),).
            column: Of the class.

        Returns:
            Shape (len(NAMES),), percent of the class's cells below, between 1 and 99: farther out
            nothing is kept. NaN where the cell or the class could not be measured.
        """
        found = np.full(len(features), np.nan)
        for place, value in enumerate(features):
            known = self.values[column, place]
            if np.isfinite(value) and np.isfinite(known).all():
                # The mean of the two sides: a value that many cells share lies amid them.
                below = np.interp(value, known, LEVELS)
                above = 100 - np.interp(-value, -known[::-1], LEVELS)
                found[place] = (below + above) / 2
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no percentile."""
        return {
            "names": list(NAMES),
            "levels": list(LEVELS),
            "values": [
                [[_rounded(v) for v in levels] for levels in places]
                for places in self.values.tolist()
            ],
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Distributions:
        """The percentiles that `to_dict` wrote; features that were not known then have none.

        Raises:
            BundleError: Other percentiles were kept, or the table is incomplete.
        """
        try:
            names, levels = list(table["names"]), list(table["levels"])
            stored = np.array(table["values"], dtype=np.float64)
            stored_counts = np.array(table["counts"], dtype=np.int64)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"distributions of features are incomplete ({error}); train again"
            ) from error
        if levels != list(LEVELS):
            raise BundleError(f"expected percentiles {LEVELS}, got {levels}; train again")
        values = np.full((len(stored), len(NAMES), len(LEVELS)), np.nan)
        counts = np.zeros(values.shape[:2], dtype=np.int64)
        for place, name in enumerate(NAMES):
            if name in names:
                values[:, place] = stored[:, names.index(name)]
                counts[:, place] = stored_counts[:, names.index(name)]
        return cls(values, counts)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.{DIGITS}g}")
