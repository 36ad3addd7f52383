"""Which cells at the border of a field count."""

from __future__ import annotations

from buffycoat.fields.find import FoundCell


def is_counted(cell: FoundCell, width: int, height: int) -> bool:
    """Whether a cell counts in a differential.

    Smudges do not. Of the cells that the border cuts, those at the left and upper border do and
    those at the right and lower border do not, as in a counting chamber (Gundersen 1977, J.
    Microsc. 111, 219): large cells meet a border more often than small ones, so counting all or
    none of them shifts the percentages (ADR 28). In a round field the upper left half of the rim
    counts.

    Args:
        cell: As it was found.
        width: Of the field, pixels.
        height: Of the field, pixels.
    """
    if cell.kind != "cell" or not cell.is_cut:
        return cell.kind == "cell"
    left, top, across, down = cell.box
    if left + across >= width or top + down >= height:
        return False
    if left <= 0 or top <= 0:
        return True
    return left + across / 2 + top + down / 2 < (width + height) / 2
