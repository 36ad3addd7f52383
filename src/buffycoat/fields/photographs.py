"""Photographs that lie on a ground of one colour: scanned areas, or fields that somebody pasted.

Two of them may be of another light and stain, so each is searched by itself. They are recognised
by their borders: where a photograph differs from the ground, its outline is a rectangle, as no
group of cells is. Where it does not differ, there is nothing to keep apart.
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.fields.nuclei import Box

BINS = 16
"""Along a red cell, that one colour is looked for in, each of 2 pixels or more."""
LEVELS = 3
"""Gray levels, means of bins, within which neighbours are of one colour."""
LEAST = 4.0
"""Sides of a photograph, in red cells, at least."""
FILLED = 0.95
"""Of its bounding box, that the outline of a rectangle encloses, at least."""
EDGE_BINS = 4
"""From the outline inwards, in which the border itself lies."""


def coarse(pixels: np.ndarray, red_px: float) -> np.ndarray:
    """Means of bins, shape (h / s, w / s, 3), uint8, with s pixels a bin."""
    step = _step(red_px)
    height, width = (max(side // step, 1) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def _step(red_px: float) -> int:
    return max(int(red_px / BINS), 2)


def varied(bins: np.ndarray) -> np.ndarray:
    """Where a picture has not one colour, shape (h, w), uint8."""
    near = np.ones((3, 3), np.uint8)
    soft = cv2.blur(bins, (3, 3))  # of a camera's noise
    span = cv2.dilate(soft, near) - cv2.erode(soft, near)
    return (span.max(axis=2) > LEVELS).astype(np.uint8)


def rectangles(pixels: np.ndarray, is_varied: np.ndarray, red_px: float) -> list[Box]:
    """Boxes of photographs in a part of a slide, in its pixels, from top to bottom.

    A picture without ground around is no photograph on it.

    Args:
        pixels: Shape (h, w, 3), uint8.
        is_varied: Of its bins (`varied`).
        red_px: Diameter of a red cell.
    """
    height, width = is_varied.shape
    step = _step(red_px)
    contours, _ = cv2.findContours(is_varied, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in contours:
        left, top, across, down = cv2.boundingRect(contour)
        is_whole = (across, down) == (width, height)
        if is_whole or min(across, down) * step < LEAST * red_px:
            continue
        is_cut = left == 0 or top == 0 or left + across == width or top + down == height
        outline = cv2.convexHull(contour) if is_cut else contour  # open where the part ends
        if cv2.contourArea(outline) < FILLED * (across - 1) * (down - 1):
            continue
        found.append(_bordered(pixels, (left, top, across, down), (width, height), step))
    return sorted((box for box in found if min(box[2:]) > 0), key=lambda box: (box[1], box[0]))


def _bordered(pixels: np.ndarray, box: Box, size: tuple[int, int], step: int) -> Box:
    """A box of bins as one of pixels, its sides where the colour changes most."""
    left, top, across, down = box
    rows = np.s_[(top + EDGE_BINS) * step : (top + down - EDGE_BINS) * step]
    columns = np.s_[(left + EDGE_BINS) * step : (left + across - EDGE_BINS) * step]
    x0, x1 = _sides(pixels[rows, :, 1], left, across, size[0], step)
    y0, y1 = _sides(pixels[:, columns, 1].T, top, down, size[1], step)
    return x0, y0, x1 - x0, y1 - y0


def _sides(lines: np.ndarray, first: int, count: int, total: int, step: int) -> tuple[int, int]:
    """Where an interval of bins begins and ends in lines (n, w) of pixels."""
    length = lines.shape[1]
    low, high = 0, length
    if first > 0:
        start = first * step
        low = start + _steepest(lines[:, start : start + EDGE_BINS * step])
    if first + count < total:
        start = (first + count - EDGE_BINS) * step
        high = start + _steepest(lines[:, start : start + EDGE_BINS * step])
    return low, high


def _steepest(lines: np.ndarray) -> int:
    """Column of lines (n, w) before which they change most."""
    changes = np.abs(np.diff(lines.astype(np.int16), axis=1)).mean(axis=0)
    return int(np.argmax(changes)) + 1
