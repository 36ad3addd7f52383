"""What the means of the classes say of a cell's class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.embed.gaussians import Mahalanobis
from buffycoat.embed.neighbours import fill_absent
from buffycoat.statistics import mahalanobis


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
        """
        return cls(Mahalanobis.fit(embeddings, targets, k))

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Log densities of Gaussian classes but for a constant of the row, uniform prior.

        Args:
            embeddings: Shape (n, d), rows of length 1.

        Returns:
            Shape (n, k), float32; a class without cells gets the least score of the row.
        """
        distances = mahalanobis(self.classes.project(embeddings), self.classes.statistics)
        return fill_absent(-distances / 2).astype(np.float32)
