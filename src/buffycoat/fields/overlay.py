"""A field with what was found in it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from buffycoat.fields.field import Field
from buffycoat.fields.find import FoundCell

COLOURS = {"cell": (0, 160, 0), "smudge": (200, 120, 0)}
"""Of boxes and outlines, RGB."""


def draw(field: Field, cells: Sequence[FoundCell]) -> np.ndarray:
    """The field with box and outline of each cell, shape (h, w, 3), uint8."""
    picture = field.pixels.copy()
    thickness = max(1, round(max(picture.shape[:2]) / 700))
    for cell in cells:
        left, top, width, height = cell.box
        colour = COLOURS[cell.kind]
        points = np.round(cell.outline).astype(np.int32)
        cv2.polylines(picture, [points], isClosed=True, color=colour, thickness=thickness)
        far = (left + width - 1, top + height - 1)
        cv2.rectangle(picture, (left, top), far, colour, thickness)
    return picture
