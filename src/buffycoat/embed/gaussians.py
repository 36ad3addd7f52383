"""Outlier scores that take each class for a Gaussian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from buffycoat.embed.strangeness import Strangeness
from buffycoat.errors import NotEstimableError
from buffycoat.statistics import (
    NO_SPREAD,
    ClassStatistics,
    mahalanobis,
    relative_mahalanobis,
)

COMPONENTS = 128
"""Principal components kept: a covariance of all dimensions would have more entries than a
small training set has numbers."""

_STATISTICS = "statistics."


@dataclass(frozen=True, eq=False)
class GaussianStrangeness(Strangeness):
    """Gaussian classes in principal components of the embeddings; the distance is left open.

    Embeddings have length 1 (Mahalanobis++, arXiv 2505.18032). One shrunk covariance serves all
    classes, since a rare one has too few cells for its own. Components share one unit and are not
    scaled before shrinking: scaled, they are all but uncorrelated, the estimate is the identity,
    and the last component, which may hold no more than the difference of two near copies, counts
    as much as the first. On PBC-LT's training cells (three folds, three seeds) class means gain
    0.010 to 0.017 in balanced macro-F1 over scaled ones, each interval holding 0, and the distance
    finds a class left out of training with an AUROC of 0.68 in place of 0.67, the relative one
    with 0.59 in place of 0.52.

    Attributes:
        centre: Mean embedding, shape (d,).
        axes: Principal axes, shape (d, c).
        statistics: Classes in the space of the components.
    """

    centre: np.ndarray
    axes: np.ndarray
    statistics: ClassStatistics

    @classmethod
    def fit(cls, embeddings: np.ndarray, targets: np.ndarray, k: int) -> Self:
        """Find the components, and the classes in them.

        Raises:
            NotEstimableError: Fewer than three different embeddings, or within the classes fewer
                than `statistics.MIN_ROWS` says.
        """
        from scipy.linalg import eigh

        rows = np.asarray(embeddings, dtype=np.float64)
        centre = rows.mean(axis=0)
        kept = max(1, min(COMPONENTS, rows.shape[1], len(rows) - 1))
        size = rows.shape[1]
        centred = rows - centre
        _, axes = eigh(centred.T @ centred, subset_by_index=(size - kept, size - 1))
        axes = np.ascontiguousarray(axes[:, ::-1])
        components = centred @ axes
        # What is left of a component beside rounding; a copy leaves one that has nothing.
        length = float(np.linalg.norm(rows, axis=1).max())
        kept = np.sqrt(np.mean(components**2, axis=0)) > NO_SPREAD * length
        if not kept.any():
            raise NotEstimableError(
                f"components are not estimable: the {len(rows)} embeddings are copies of one"
            )
        statistics = ClassStatistics.fit(components[:, kept], targets, k, is_one_unit=True)
        return cls(centre, np.ascontiguousarray(axes[:, kept]), statistics)

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Components of each row, shape (n, c)."""
        return (np.asarray(embeddings, dtype=np.float64) - self.centre) @ self.axes

    def to_tensors(self) -> dict[str, np.ndarray]:
        """Components and classes."""
        inner = {f"{_STATISTICS}{name}": a for name, a in self.statistics.to_tensors().items()}
        return {"centre": self.centre, "axes": self.axes, **inner}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> Self:
        """From components and classes."""
        inner = {
            name.removeprefix(_STATISTICS): value
            for name, value in tensors.items()
            if name.startswith(_STATISTICS)
        }
        centre, axes = (np.asarray(tensors[name]) for name in ("centre", "axes"))
        return cls(centre, axes, ClassStatistics.from_tensors(inner))


class Mahalanobis(GaussianStrangeness):
    """Squared distance to the nearest class (Lee et al., arXiv 1807.03888, of one layer).

    It grows with the number of components, of which a cross-fit may have fewer than the whole: on
    no more training cells than a few times `COMPONENTS`, percentiles of new cells come out high.
    """

    def score_together(self, embeddings: np.ndarray) -> np.ndarray:
        """Unitless, >= 0."""
        return mahalanobis(self.project(embeddings), self.statistics).min(axis=1)


class RelativeMahalanobis(GaussianStrangeness):
    """The same less the squared distance to all cells as one (Ren et al., arXiv 2106.09022).

    On no more training cells than a few times `COMPONENTS`, percentiles of new cells come out low.
    """

    def score_together(self, embeddings: np.ndarray) -> np.ndarray:
        """Unitless, of either sign."""
        return relative_mahalanobis(self.project(embeddings), self.statistics).min(axis=1)
