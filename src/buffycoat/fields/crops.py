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
