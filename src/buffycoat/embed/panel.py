"""Second opinions of one kind: a model for each fold, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from buffycoat.embed import head, neighbours, prototypes
from buffycoat.embed.head import Head
from buffycoat.embed.neighbours import NeighbourVote
from buffycoat.embed.prototypes import Prototypes
from buffycoat.optional import choose

HEAD = "head"
MODELS = "judges"
"""The key of the models in `bundle.json`, as bundles of earlier versions have it."""


class EmbeddingModel(Protocol):
    """Whatever gives classes to embeddings."""

    def logits(self, embeddings: np.ndarray, uniform_prior: bool = True) -> np.ndarray:
        """Scores, shape (n, k), float32, of embeddings of shape (n, d), rows of length 1.

        With `uniform_prior`, the class mix of the training is taken out, else it is left in.
        """
        ...

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """What is not an array."""
        ...

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any], table: Mapping[str, Any]) -> Self:
        """The model that the two wrote."""
        ...


KINDS: dict[str, type[EmbeddingModel]] = {
    HEAD: Head,
    "neighbours": NeighbourVote,
    "class_means": Prototypes,
}

TOO_FEW: dict[str, Callable[[np.ndarray, np.ndarray], str]] = {
    HEAD: head.too_few,
    "neighbours": neighbours.too_few,
    "class_means": prototypes.too_few,
}
"""Kind -> what says what it lacks in some cells, by their targets and names; "" if nothing."""

LABELS = {HEAD: "embedding head", "neighbours": "neighbours", "class_means": "class means"}
"""Kind -> what tables call it."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One model a fold, each fitted on the cells of the other folds.

    Attributes:
        models: All of one kind, in order of fold.
        temperatures: Of each, fitted on the cells that it has not seen.
    """

    models: tuple[EmbeddingModel, ...]
    temperatures: tuple[float, ...]

    def to_tensors(self) -> list[dict[str, np.ndarray]]:
        """The arrays of each model."""
        return [model.to_tensors() for model in self.models]

    def to_dict(self) -> dict[str, Any]:
        """What is not an array."""
        return {
            MODELS: [model.to_dict() for model in self.models],
            "temperatures": list(self.temperatures),
        }

    @classmethod
    def from_tensors(
        cls, kind: str, tensors: Sequence[Mapping[str, Any]], table: Mapping[str, Any]
    ) -> Panel:
        """The panel that `to_tensors` and `to_dict` wrote.

        Args:
            kind: A key of `KINDS`.
            tensors: The arrays of each model.
            table: What is not an array.

        Raises:
            ConfigError: No such kind.
        """
        read = choose(KINDS, kind, "second opinion").from_tensors
        models = tuple(read(*pair) for pair in zip(tensors, table[MODELS], strict=True))
        return cls(models, tuple(table["temperatures"]))
