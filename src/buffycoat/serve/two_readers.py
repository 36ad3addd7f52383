"""How far two readings agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


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
