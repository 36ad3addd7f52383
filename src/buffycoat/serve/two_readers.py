"""What a reading says of each cell, and how far two readings agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from buffycoat.serve.states import FIRST, SECOND, Label, SlideState


@dataclass(frozen=True)
class Agreement:
    """Of two readings of the same cells.

    Attributes:
        n: Cells.
        n_agree: Cells with the same label in both.
        kappa: Cohen's (1960, doi 10.1177/001316446002000104); None where chance alone would agree
            on every cell.
    """

    n: int
    n_agree: int
    kappa: float | None


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Compare two readings.

    Args:
        pairs: First and second label of each cell.
    """
    n, n_agree = len(pairs), sum(one == other for one, other in pairs)
    firsts, seconds = (Counter(side) for side in zip(*pairs, strict=True)) if pairs else ({}, {})
    by_chance = sum(count * seconds[code] for code, count in firsts.items()) / n**2 if n else 1.0
    kappa = None if by_chance >= 1 else round((n_agree / n - by_chance) / (1 - by_chance), 4)
    return Agreement(n, n_agree, kappa)


def as_read(predicted: Mapping[int, str], said: Mapping[int, Label]) -> dict[int, str]:
    """Cell -> label of one reading: as predicted where nothing was said."""
    labels = {n: label.label for n, label in said.items() if label.label is not None}
    return {n: labels.get(n, code) for n, code in predicted.items()}


def n_differ(
    state: SlideState, predicted: Mapping[int, str], given: Mapping[str, Mapping[int, Label]]
) -> int | None:
    """Cells that two readers gave different labels; None where two have not read the slide."""
    if not (state.is_finished(FIRST) and state.is_finished(SECOND)):
        return None
    first, second = (as_read(predicted, given[role]) for role in (FIRST, SECOND))
    return sum(first[n] != second[n] for n in first)
