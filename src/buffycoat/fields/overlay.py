"""A field or slide with what was found in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from buffycoat.fields.field import Field
from buffycoat.fields.find import FoundCell
from buffycoat.fields.rows import box_of
from buffycoat.fields.slides.slide import Slide

COLOURS = {"cell": (0, 160, 0), "smudge": (200, 120, 0)}
"""Of boxes and outlines, RGB."""
SLIDE_PX = 4096
"""Longer side of the picture of a slide."""
ROOM_PX = 2
"""Between a box and its cell, which may be a few pixels wide there."""


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


def draw_slide(slide: Slide, cells: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """The slide, shrunk to `SLIDE_PX`, with a box around each cell; shape (h, w, 3), uint8."""
    picture = slide.overview(SLIDE_PX).copy()
    factor = picture.shape[1] / slide.width
    for row in cells:
        left, top, width, height = (value * factor for value in box_of(row))
        low = (round(left) - ROOM_PX, round(top) - ROOM_PX)
        high = (round(left + width) + ROOM_PX, round(top + height) + ROOM_PX)
        cv2.rectangle(picture, low, high, COLOURS[row["kind"]], 2)
    return picture
