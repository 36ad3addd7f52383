"""Second opinions of one kind: a judge for each fold, behind one interface."""

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


class Judge(Protocol):
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
        """The judge that the two wrote."""
        ...


KINDS: dict[str, type[Judge]] = {
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
    """One judge a fold, each fitted on the cells of the other folds.

    Attributes:
        judges: All of one kind, in order of fold.
        temperatures: Of each, fitted on the cells that it has not seen.
    """

    judges: tuple[Judge, ...]
    temperatures: tuple[float, ...]

    def to_tensors(self) -> list[dict[str, np.ndarray]]:
        """The arrays of each judge."""
        return [judge.to_tensors() for judge in self.judges]

    def to_dict(self) -> dict[str, Any]:
        """What is not an array."""
        return {
            "judges": [judge.to_dict() for judge in self.judges],
            "temperatures": list(self.temperatures),
        }

    @classmethod
    def from_tensors(
        cls, kind: str, tensors: Sequence[Mapping[str, Any]], table: Mapping[str, Any]
    ) -> Panel:
        """The panel that `to_tensors` and `to_dict` wrote.

        Args:
            kind: A key of `KINDS`.
            tensors: The arrays of each judge.
            table: What is not an array.

        Raises:
            ConfigError: No such kind.
        """
        read = choose(KINDS, kind, "second opinion").from_tensors
        judges = tuple(read(*pair) for pair in zip(tensors, table["judges"], strict=True))
        return cls(judges, tuple(table["temperatures"]))
