"""What every outlier score does: learn from the training cells, say how strange a cell is."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np


class Strangeness(abc.ABC):
    """How strange a cell is to the training cells.

    Attributes:
        looks_at: What its rows are: embeddings of length 1, or the classifier's logits; called
            embeddings below in either case.
    """

    looks_at: ClassVar[Literal["embeddings", "logits"]] = "embeddings"

    @classmethod
    @abc.abstractmethod
    def fit(cls, embeddings: np.ndarray, targets: np.ndarray, k: int) -> Self:
        """Learn from training cells.

        Args:
            embeddings: Shape (n, d), finite.
            targets: Shape (n,), column index of each cell's class; a class may have no cells.
            k: Number of classes.
        """

    @abc.abstractmethod
    def score_together(self, embeddings: np.ndarray) -> np.ndarray:
        """As `score`, but fast: the last digits may depend on the cells beside a cell.

        A matrix product may round differently for another n.
        """

    @abc.abstractmethod
    def to_tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name, as `from_tensors` reads them."""

    @classmethod
    @abc.abstractmethod
    def from_tensors(cls, tensors: Mapping[str, Any]) -> Self:
        """The score that `to_tensors` wrote."""

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """How strange each cell is, bit for bit the same whichever cells are beside it.

        Args:
            embeddings: Shape (n, d).

        Returns:
            Shape (n,), float64; the larger the stranger. Unit and sign are the score's own.
        """
        rows = (self.score_together(row[None]) for row in embeddings)
        return np.concatenate([np.zeros(0), *rows])
