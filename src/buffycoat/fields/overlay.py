"""A field or slide with what was found in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from buffycoat.fields.field import Field
from buffycoat.fields.find import FoundCell
from buffycoat.fields.nuclei import Box
from buffycoat.fields.rows import box_of

COLOURS = {"cell": (0, 160, 0), "smudge": (200, 120, 0)}
"""Of boxes and outlines, RGB."""
ROOM_PX = 2
"""Between a box and its cell, which may be a few pixels wide on the picture of a slide."""
LETTER = 1 / 34
"""Height of letters over the shorter side of the field, at most; and a quarter of a cell."""
LEAST_LETTER_PX = 12
DASH = 6
"""Length of a dash in widths of its line."""
HALO = (255, 255, 255)
GROUND = 0.7
"""Of a class's colour under white letters: no hue is too light for them."""


HATCHED, HATCH_DARK = 235, 150
"""Gray of what lies outside of a field, and of the lines across it."""
HATCH_PARTS = 12
"""Lines along a side."""
SHINES_THROUGH = 0.2
"""Of the mirrored pixels: their edge can be seen, and nothing in them is read as a cell."""


@dataclass(frozen=True)
class MarkedCell:
    """A cell to be drawn with its class.

    Attributes:
        outline: Shape (n, 2), across and down, in pixels of the field.
        text: Such as "LY".
        colour: RGB.
        is_doubtful: Its outline is dashed.
    """

    outline: np.ndarray
    text: str
    colour: tuple[int, int, int]
    is_doubtful: bool


def hatch_outside(crop: np.ndarray, seen: Box) -> np.ndarray:
    """A crop for people: what is mirrored beyond the border of the field is hatched.

    Args:
        crop: Shape (h, w, 3), uint8.
        seen: Left, top, right and bottom end of what is in the field (`crops.part_in_field`).

    Returns:
        Shape (h, w, 3), uint8; the crop itself where all of it is in the field.
    """
    height, width = crop.shape[:2]
    left, top, right, bottom = seen
    if (left, top) == (0, 0) and right >= width and bottom >= height:
        return crop
    step = max(min(height, width) // HATCH_PARTS, 4)
    rows, columns = np.mgrid[:height, :width]
    lines = np.where((rows + columns) % step < max(step // 4, 1), HATCH_DARK, HATCHED)
    hatched = crop * SHINES_THROUGH + lines[..., None] * (1 - SHINES_THROUGH)  # (h, w, 3)
    hatched = np.round(hatched).astype(np.uint8)
    hatched[top:bottom, left:right] = crop[top:bottom, left:right]
    return hatched


def draw(field: Field, cells: Sequence[FoundCell]) -> np.ndarray:
    """The field with box and outline of each cell, shape (h, w, 3), uint8."""
    picture = field.pixels.copy()
    thickness = _thickness(picture)
    for cell in cells:
        left, top, width, height = cell.box
        colour = COLOURS[cell.kind]
        points = np.round(cell.outline).astype(np.int32)
        cv2.polylines(picture, [points], isClosed=True, color=colour, thickness=thickness)
        far = (left + width - 1, top + height - 1)
        cv2.rectangle(picture, (left, top), far, colour, thickness)
    return picture


def draw_boxes(pixels: np.ndarray, cells: Sequence[Mapping[str, Any]], factor: float) -> np.ndarray:
    """A picture of a slide with a box around each cell, shape (h, w, 3), uint8.

    Args:
        pixels: Shape (h, w, 3), uint8, RGB.
        cells: Rows of the table of cells.
        factor: Pixels of the picture over those of the slide.
    """
    picture = pixels.copy()
    for row in cells:
        left, top, width, height = (value * factor for value in box_of(row))
        low = (round(left) - ROOM_PX, round(top) - ROOM_PX)
        high = (round(left + width) + ROOM_PX, round(top + height) + ROOM_PX)
        cv2.rectangle(picture, low, high, COLOURS[row["kind"]], 2)
    return picture


def draw_classes(pixels: np.ndarray, cells: Sequence[MarkedCell], footer: str) -> np.ndarray:
    """The field with the outline and class of each cell, and a line of text under it.

    Args:
        pixels: Shape (h, w, 3), uint8, RGB.
        cells: In any order.
        footer: What else is to be said of the field.

    Returns:
        Shape (h', w, 3), uint8, h' > h.
    """
    picture = pixels.copy()
    cell_px = float(np.median([np.ptp(cell.outline, axis=0).max() for cell in cells] or [np.inf]))
    thickness = max(round(min(_thickness(picture), cell_px / 40)), 1)
    for cell in cells:
        for line in _lines(cell.outline, DASH * thickness if cell.is_doubtful else None):
            for colour, width in ((HALO, 3 * thickness), (cell.colour, 2 * thickness)):
                cv2.polylines(picture, [line], False, colour, width, cv2.LINE_AA)
    size = round(max(min(LETTER * min(picture.shape[:2]), cell_px / 4), LEAST_LETTER_PX))
    font = ImageFont.load_default(size)
    height, width = picture.shape[:2]
    sheet = Image.new("RGB", (width, height + round(1.6 * size)), HALO)
    sheet.paste(Image.fromarray(picture))
    pen = ImageDraw.Draw(sheet)
    for cell in cells:
        wide, high = pen.textlength(cell.text, font) + 0.6 * size, 1.3 * size
        left, top = _beside(cell.outline, wide, high, (width, height))
        ground = tuple(round(GROUND * part) for part in cell.colour)
        pen.rounded_rectangle((left, top, left + wide, top + high), size // 4, ground)
        pen.text((left + 0.3 * size, top + 0.05 * size), cell.text, HALO, font)
    pen.text((size // 2, height + round(0.2 * size)), footer, (30, 30, 30), font)
    return np.asarray(sheet)


def _thickness(picture: np.ndarray) -> int:
    return max(1, round(max(picture.shape[:2]) / 700))


def _lines(outline: np.ndarray, dash_px: float | None) -> Iterable[np.ndarray]:
    """A closed line as it is, or in dashes with gaps as long."""
    closed = np.vstack([outline, outline[:1]])
    if dash_px is None:
        return [np.round(closed).astype(np.int32)]
    steps = np.hypot(*np.diff(closed, axis=0).T)
    reached = np.concatenate([[0], np.cumsum(steps)])
    marks = np.arange(0, reached[-1], max(dash_px / 3, 1))
    dense = np.stack([np.interp(marks, reached, closed[:, axis]) for axis in (0, 1)], axis=1)
    points = np.round(dense).astype(np.int32)
    return [points[start : start + 4] for start in range(0, len(points), 6)]


def _beside(
    outline: np.ndarray, width: float, height: float, field: tuple[int, int]
) -> tuple[float, float]:
    """Where a text goes: above the cell, or below it where there is no room."""
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    across = min(max((left + right - width) / 2, 2), field[0] - width - 2)
    above = top - height - 4
    return across, above if above > 0 else min(bottom + 4, field[1] - height)
