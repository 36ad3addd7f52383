"""Crops of cells at one scale, as classifiers take them."""

from __future__ import annotations

import numpy as np

from buffycoat.fields.field import Field
from buffycoat.fields.nuclei import Box
from buffycoat.fields.outlines import WINDOW


def crop(field: Field, box: Box, red_px: float) -> np.ndarray:
    """The square around a cell, `WINDOW` red cells wide, at the field's own resolution.

    So wide a square shows cells as large as PBC's frames do, which `starter` was trained on (2.67
    times a typical white cell). It is mirrored where it leaves the field: black or white beyond a
    border is something that no training cell has beside it.

    Returns:
        Shape (side, side, 3), uint8.
    """
    left, top, width, height = box
    return field.square((left + width / 2, top + height / 2), round(WINDOW * red_px))


def part_in_field(box: Box, side: int, size: tuple[int, int]) -> Box:
    """The part of a cell's crop that is not mirrored.

    Args:
        box: Of the cell in its field, pixels.
        side: Of the crop.
        size: Width and height of the field.

    Returns:
        Left, top, right and bottom end in the crop, pixels.
    """
    left, top, width, height = box
    # As `Field.square` cuts it.
    first = [int(np.floor(at - side / 2 + 0.5)) for at in (left + width / 2, top + height / 2)]
    ends = [min(length - start, side) for length, start in zip(size, first, strict=True)]
    return max(-first[0], 0), max(-first[1], 0), ends[0], ends[1]
