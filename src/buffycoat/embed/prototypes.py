"""What the means of the classes say of a cell's class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.embed.gaussians import Mahalanobis
from buffycoat.embed.neighbours import fill_absent, log_counts
from buffycoat.statistics import MIN_ROWS, cells_of_each, mahalanobis


def too_few(targets: np.ndarray, names: np.ndarray) -> str:
    """What class means lack in these cells, in words; "" if nothing.

    Args:
        targets: Shape (n,).
        names: Shape (n,); rows of one cell share one.
    """
    counts = cells_of_each(targets, names)
    least, found = len(counts) + MIN_ROWS - 1, int(counts.sum())
    return "" if found >= least else f"needs {least} cells of {len(counts)} classes, has {found}"


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Each class is its mean embedding, in the covariance that all share.

    Linear discriminant analysis (Fisher 1936) with a shrunk covariance and a uniform prior: what
    few-shot classifiers by nearest mean are measured against (simple CNAPS, arXiv 1912.03432).

    Attributes:
        classes: Means and covariance in principal components.
    """

    classes: Mahalanobis

    @classmethod
    def fit(cls, embeddings: np.ndarray, targets: np.ndarray, k: int) -> Prototypes:
        """Find the means.

        Args:
            embeddings: Shape (n, d), rows of length 1.
            targets: Shape (n,).
            k: Number of classes.

        Raises:
            NotEstimableError: Too few different cells within the classes for a covariance.
        """
        return cls(Mahalanobis.fit(embeddings, targets, k))

    def logits(self, embeddings: np.ndarray, uniform_prior: bool = True) -> np.ndarray:
        """Log densities of Gaussian classes but for a constant of the row.

        Args:
            embeddings: Shape (n, d), rows of length 1.
            uniform_prior: All classes alike, else weighted by their training cells.

        Returns:
            Shape (n, k), float32; a class without cells gets the least score of the row.
        """
        distances = mahalanobis(self.classes.project(embeddings), self.classes.statistics)
        scores = -distances / 2
        if not uniform_prior:
            scores = scores + log_counts(self.classes.statistics.counts)
        return fill_absent(scores).astype(np.float32)

    def to_tensors(self) -> dict[str, np.ndarray]:
        """Means and covariance."""
        return self.classes.to_tensors()

    def to_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any], table: Mapping[str, Any]) -> Prototypes:
        """The means that `to_tensors` wrote."""
        return cls(Mahalanobis.from_tensors(tensors))
