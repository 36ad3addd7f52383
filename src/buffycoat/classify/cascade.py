"""When a cell has been looked at often enough: views stop early for a cell that is certain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from buffycoat.classify.views import D4, VIEWS

ROTATIONS_FIRST = (0, 3, 5, 6, 1, 2, 4, 7)
"""Order in which the eight views of `D4` are looked at: half a turn, quarter turns, mirrors."""
assert len(ROTATIONS_FIRST) == len(D4)


@dataclass(frozen=True)
class Step:
    """A point at which a cell may be done.

    Attributes:
        models: Models that have looked, the first of the bundle's; 0 for all of them.
        views: Views that each of them has seen, the first of `order_of`.
        temperature: Factor on each model's own temperature, since fewer views say too much.
        shift: Added to the mean logits: what fewer views lack in energy, so that outlier scores
            compare.
        limit: Least probability of the likeliest class with which a cell is done.
    """

    models: int
    views: int
    temperature: float
    shift: float
    limit: float


@dataclass(frozen=True)
class Cascade:
    """Steps in order; a cell that no step is sure of is looked at by all models in all views.

    Attributes:
        steps: The steps.
        trial: How it did on cells that its limits were not fitted on: `equal`, share of labels
            that stayed; `views`, mean number; `gain`, `low`, `high`: change in balanced macro-F1
            with its paired interval; `n`, cells.
    """

    steps: tuple[Step, ...]
    trial: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {"steps": [asdict(step) for step in self.steps], "trial": dict(self.trial)}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Cascade:
        """The cascade that `to_dict` wrote."""
        return cls(tuple(Step(**step) for step in table["steps"]), dict(table["trial"]))


def order_of(views: str) -> Sequence[int]:
    """Order in which the views of a set are looked at.

    Args:
        views: A key of `views.VIEWS`.
    """
    return ROTATIONS_FIRST if views == "d4" else range(len(VIEWS[views]))
