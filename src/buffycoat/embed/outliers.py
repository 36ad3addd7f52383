"""How strange a cell is among the training cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.statistics import ClassStatistics, relative_mahalanobis

COMPONENTS = 128
"""Principal components kept: a covariance of all dimensions would have more entries than a
small training set has numbers."""
CROSS_FITS = 5

_STATISTICS = "statistics."


@dataclass(frozen=True, eq=False)
class OutlierModel:
    """Relative Mahalanobis distance to the nearest class (arXiv 2106.09022).

    Embeddings are L2-normalised (arXiv 2505.18032), projected onto principal components, and
    measured with shrunk covariances. Training scores are cross-fitted: each cell is scored by
    a model that was fitted without it, so that a percentile means the same for a new cell.

    Attributes:
        centre: Mean embedding, shape (d,).
        axes: Principal axes, shape (d, c).
        statistics: Classes in the space of the components.
        training_scores: Sorted cross-fitted scores of the training cells, shape (n,).
    """

    centre: np.ndarray
    axes: np.ndarray
    statistics: ClassStatistics
    training_scores: np.ndarray

    @classmethod
    def fit(cls, embeddings: np.ndarray, targets: np.ndarray, k: int) -> OutlierModel:
        """Fit on training cells.

        Args:
            embeddings: Shape (n, d), rows of length 1; n >= 2.
            targets: Shape (n,).
            k: Number of classes.

        Raises:
            ShapeError: Shapes do not match, or a value is not finite.
            NotPositiveDefiniteError: The embeddings do not vary.
        """
        part = _parts(targets)
        scores = np.empty(len(targets))
        for number in np.unique(part):
            held_out = part == number
            fitted = _fit(embeddings[~held_out], targets[~held_out], k)
            scores[held_out] = _score(embeddings[held_out], *fitted)
        return cls(*_fit(embeddings, targets, k), np.sort(scores))

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Relative Mahalanobis distance to the nearest class.

        Args:
            embeddings: Shape (n, d), rows of length 1.

        Returns:
            Shape (n,), unitless, of either sign; the larger the stranger.
        """
        # Row by row, since a matrix product may round differently for another n.
        rows = (_score(row[None], self.centre, self.axes, self.statistics) for row in embeddings)
        return np.concatenate([np.zeros(0), *rows])

    def percentile(self, scores: np.ndarray) -> np.ndarray:
        """Share of the training cells that are less strange.

        Args:
            scores: Shape (n,), from `score`.

        Returns:
            Shape (n,), 0-100.
        """
        below = np.searchsorted(self.training_scores, scores, side="left")
        return 100.0 * below / len(self.training_scores)

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name, as `from_tensors` reads them."""
        inner = {f"{_STATISTICS}{name}": a for name, a in self.statistics.to_tensors().items()}
        return {
            "centre": self.centre,
            "axes": self.axes,
            "training_scores": self.training_scores,
            **inner,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> OutlierModel:
        """The model that `to_tensors` wrote."""
        inner = {
            name.removeprefix(_STATISTICS): value
            for name, value in tensors.items()
            if name.startswith(_STATISTICS)
        }
        centre, axes, scores = (
            np.asarray(tensors[name]) for name in ("centre", "axes", "training_scores")
        )
        return cls(centre, axes, ClassStatistics.from_tensors(inner), scores)


def _parts(targets: np.ndarray) -> np.ndarray:
    """Cells of each class dealt in turn to the cross-fits; each part leaves others to fit on."""
    part = np.empty(len(targets), dtype=np.int64)
    dealt = 0
    for column in np.unique(targets):
        rows = np.flatnonzero(targets == column)
        part[rows] = (dealt + np.arange(len(rows))) % CROSS_FITS
        dealt += len(rows)
    return part


def _fit(
    embeddings: np.ndarray, targets: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, ClassStatistics]:
    from scipy.linalg import eigh

    rows = np.asarray(embeddings, dtype=np.float64)
    centre = rows.mean(axis=0)
    kept = max(1, min(COMPONENTS, rows.shape[1], len(rows) - 1))
    size = rows.shape[1]
    centred = rows - centre
    _, axes = eigh(centred.T @ centred, subset_by_index=(size - kept, size - 1))
    axes = np.ascontiguousarray(axes[:, ::-1])
    return centre, axes, ClassStatistics.fit(centred @ axes, targets, k)


def _score(
    embeddings: np.ndarray, centre: np.ndarray, axes: np.ndarray, statistics: ClassStatistics
) -> np.ndarray:
    rows = (np.asarray(embeddings, dtype=np.float64) - centre) @ axes
    return relative_mahalanobis(rows, statistics).min(axis=1)
