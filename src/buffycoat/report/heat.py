"""Shades of a confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ERROR_GAIN = 4.0
"""Errors are shaded this much more strongly than hits, so that rare ones show."""


@dataclass(frozen=True)
class HeatCell:
    """One cell of a confusion matrix.

    Attributes:
        row: Name of its row in the table `confusion`.
        count: Cells.
        share: Of the true class, 0-1.
        shade: Strength of the colour, 0-1.
        is_hit: Whether it lies on the diagonal.
    """

    row: str
    count: int
    share: float
    shade: float
    is_hit: bool


def heat_rows(confusion: Sequence[Mapping[str, Any]], k: int) -> list[list[HeatCell]]:
    """Counts, shares and shades, k cells a row.

    Args:
        confusion: Rows of the table `confusion` of one split, k * k of them.
        k: Number of classes.
    """
    cells = [_cell(row) for row in confusion]
    return [cells[start : start + k] for start in range(0, len(cells), k)]


def _cell(row: Mapping[str, Any]) -> HeatCell:
    share = row["share_of_true"] or 0.0
    is_hit = row["true"] == row["predicted"]
    shade = share if is_hit else min(share * ERROR_GAIN, 1.0)
    return HeatCell(row["row"], row["cells"], share, round(shade, 3), is_hit)
