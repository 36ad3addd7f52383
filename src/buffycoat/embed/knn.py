"""Outlier score by the nearest training cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.embed.strangeness import Strangeness

NEIGHBOUR = 5
"""Which nearest training cell counts. A rare class has as few as 10 cells, of which a cross-fit
leaves 8: from the ninth on, every cell of it would be measured by the distance to another class.
The paper's 50 to 1000 are for classes of 5000 and 1300 images. Our choice; fitted on nothing."""

_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class KthNeighbour(Strangeness):
    """Distance to the k-th nearest training embedding (Sun et al., arXiv 2204.06507).

    No class is assumed to have a shape, and none is asked for: labels are not used.

    Attributes:
        stored: Training embeddings, shape (m, d), float32.
    """

    stored: np.ndarray

    @classmethod
    def fit(cls, embeddings: np.ndarray, targets: np.ndarray, k: int) -> KthNeighbour:
        """Keep the training cells."""
        return cls(np.ascontiguousarray(embeddings, dtype=np.float32))

    def score_together(self, embeddings: np.ndarray) -> np.ndarray:
        """Distances, 0 to 2; to the farthest cell where fewer than `NEIGHBOUR` are stored."""
        rows = np.asarray(embeddings, dtype=np.float32)
        place = min(NEIGHBOUR, len(self.stored)) - 1
        squared = np.empty(len(rows))
        for start in range(0, len(rows), _AT_ONCE):
            chunk = slice(start, start + _AT_ONCE)
            opposite = -(rows[chunk] @ self.stored.T)
            # Rows have length 1, so a distance follows from the cosine.
            squared[chunk] = 2.0 + 2.0 * np.partition(opposite, place, axis=1)[:, place]
        return np.sqrt(np.maximum(squared, 0.0))

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The training cells: four bytes a dimension of each."""
        return {"stored": self.stored}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> KthNeighbour:
        """From the training cells."""
        return cls(np.asarray(tensors["stored"]))
