"""How wide red cells are in a field, by votes of their edges.

A red cell is 7 to 8 micrometres wide in nearly everybody, so it is the ruler that every field
brings along. Each edge pixel votes for the place one radius further into the dark side. At the
radius of the red cells the votes of one cell meet in one place, also where cells touch, overlap
or are cut (the circular Hough transform with gradients: Kimme, Ballard and Sklansky, CACM 18:120,
1975). The pale centre's edge votes outwards and meets nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.statistics import quantile

RED_CELL_UM = 7.5
"""Diameter of a red cell in a smear."""
WORK_PX = 720
"""Longer side of the field at which the edges are looked for."""
LEAST_RADIUS_PX = 2.5
RADIUS_STEP = 1.06
LARGEST_SHARE = 1 / 7
"""Of the shorter side, that a radius may be: a field shows at least three red cells across."""
EDGE_SHARE = 0.2
"""Of the pixels, the steepest, that vote."""
MOST_VOTES = 15_000
BINS_A_RADIUS = 4
FALL = 2.0
"""Power of the radius by which votes that meet by chance grow with it."""
SHORT = 0.9
"""Radius of most votes over that of a cell: its edge is blurred, and cells are not circles.
Median of the fields of `bccd` and `aslan`, whose red cells have boxes (0.86 and 0.95)."""
LEAST_CELLS = 5
"""Places where votes meet, under which the radius is that of something else."""
CIRCLE_SHARE = 0.4
"""Of the votes of the fullest circles, that make another one."""
SAME = 1.25
"""Factor within which the red cells of two fields are as wide: measures of one site lie within
1.2 of their median, magnifications differ by 1.6 or more."""
LEAST_SUPPORT = 0.1
"""Of the fields, and two of them, that agree on a magnification of their own."""
ROUNDED = 1.03


@dataclass(frozen=True)
class RedCells:
    """The red cells of a field.

    Attributes:
        diameter_px: Of a typical one, in pixels of the field.
        count: Of places where edges agree on a circle of that size; a few are not red cells.
    """

    diameter_px: float
    count: int

    @property
    def is_certain(self) -> bool:
        """Whether the field has enough of them to measure by."""
        return self.count >= LEAST_CELLS


def agree(found: Sequence[RedCells | None]) -> list[float | None]:
    """The diameter to take for each of many fields, in pixels.

    Fields of one folder are of one magnification as a rule, or of few. A field's own measure counts
    if others agree with it; a field with too few red cells takes what most others agree on.

    Returns:
        One for each field; None for all if no field is certain.
    """
    own = np.array([f.diameter_px if f and f.is_certain else np.nan for f in found])
    certain = own[~np.isnan(own)]
    if not len(certain):
        return [None] * len(found)
    is_same = np.abs(np.log(certain[:, None] / certain)) < np.log(SAME)
    support = is_same.sum(axis=1)
    medians = np.array([np.median(certain[row]) for row in is_same])
    usual = float(medians[np.argmax(support)])
    is_known = support >= min(max(2, LEAST_SUPPORT * len(certain)), len(certain))
    chosen = dict(zip(certain[is_known], medians[is_known], strict=True))
    return [_rounded(float(chosen.get(value, usual))) for value in own]


def _rounded(diameter: float) -> float:
    """In steps of a few percent, so that one field more in a folder moves nothing."""
    return float(ROUNDED ** round(np.log(diameter) / np.log(ROUNDED)))


def measure(density: np.ndarray, outside: np.ndarray) -> RedCells | None:
    """Diameter and number of the red cells.

    Args:
        density: Optical density of green, shape (h, w), float32.
        outside: What is not smear, shape (h, w), bool.

    Returns:
        None where nothing has an edge.
    """
    edges = _Edges.of(density, outside)
    largest = LARGEST_SHARE * min(density.shape)
    steps = int(np.log(max(largest / LEAST_RADIUS_PX, 1)) / np.log(RADIUS_STEP)) + 1
    radii = LEAST_RADIUS_PX * RADIUS_STEP ** np.arange(steps)
    if edges is None or len(radii) < 3:
        return None
    votes = [edges.votes(radius, density.shape) for radius in radii]
    agreed = [_agreement(v) * r ** (1 - FALL) for v, r in zip(votes, radii, strict=True)]
    best = int(np.argmax(agreed))
    return RedCells(2 * float(radii[best]) / SHORT, len(_circles(votes[best])))


def places(density: np.ndarray, outside: np.ndarray, diameter_px: float) -> np.ndarray:
    """Centres of red cells of a known diameter, across and down, shape (n, 2), int64.

    Args:
        density: Optical density of green, shape (h, w), float32.
        outside: What is not smear, shape (h, w), bool.
        diameter_px: Of a red cell, in pixels.
    """
    edges = _Edges.of(density, outside)
    if edges is None:
        return np.empty((0, 2), dtype=np.int64)
    radius = SHORT * diameter_px / 2
    bins = _circles(edges.votes(radius, density.shape))
    found = np.rint((bins + 0.5 - 2 * BINS_A_RADIUS) * radius / BINS_A_RADIUS).astype(np.int64)
    is_inside = ((found >= 0) & (found < density.shape[::-1])).all(axis=1)
    return found[is_inside]


@dataclass(frozen=True)
class _Edges:
    """Edge pixels: places (n,) across and down, and unit vectors (n,) to the dark side."""

    x: np.ndarray
    y: np.ndarray
    to_x: np.ndarray
    to_y: np.ndarray

    @classmethod
    def of(cls, density: np.ndarray, outside: np.ndarray) -> _Edges | None:
        soft = cv2.GaussianBlur(density, (0, 0), 1.0)
        slopes = [cv2.Sobel(soft, cv2.CV_32F, *way, ksize=3) for way in ((1, 0), (0, 1))]
        steepness = cv2.magnitude(*slopes)
        if outside.any():
            steepness[cv2.dilate(outside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0] = 0
        limit = quantile(steepness[::2, ::2].ravel(), 1 - EDGE_SHARE)
        y, x = np.nonzero(steepness > max(limit, 1e-4))
        if not len(y):
            return None
        if len(y) > MOST_VOTES:
            drawn = np.random.default_rng(0).choice(len(y), MOST_VOTES, replace=False)
            y, x = y[drawn], x[drawn]
        length = steepness[y, x]
        return cls(x, y, slopes[0][y, x] / length, slopes[1][y, x] / length)

    def votes(self, radius: float, shape: tuple[int, ...]) -> np.ndarray:
        """Votes for the places one radius away, in bins of a quarter of it, smoothed."""
        size = radius / BINS_A_RADIUS
        margin = 2 * BINS_A_RADIUS
        width, height = (int(side / size) + 2 * margin for side in (shape[1], shape[0]))
        x = ((self.x + radius * self.to_x) / size).astype(np.int64) + margin
        y = ((self.y + radius * self.to_y) / size).astype(np.int64) + margin
        counts = np.bincount(y * width + x, minlength=width * height)
        table = counts[: width * height].reshape(height, width).astype(np.float32)
        return cv2.GaussianBlur(table, (0, 0), _SOFT)


_SOFT = 0.7
_WIDE = 4.0
"""Bins over which votes are smoothed, and over which those that meet by chance are."""


def _agreement(votes: np.ndarray) -> float:
    """How much votes (h, w) meet, beyond chance, a vote."""
    total = float(votes.sum())
    apart = votes - cv2.GaussianBlur(votes, (0, 0), _WIDE)
    by_chance = 0.9 * total / (4 * np.pi * _SOFT**2)
    return (float((apart**2).sum()) - by_chance) / max(total, 1.0)


def _circles(votes: np.ndarray) -> np.ndarray:
    """Bins where votes (h, w) meet, across and down, shape (n, 2)."""
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BINS_A_RADIUS + 1, BINS_A_RADIUS + 1))
    is_peak = (votes == cv2.dilate(votes, around)) & (votes > 0)
    if not is_peak.any():
        return np.empty((0, 2), dtype=np.int64)
    full = np.sort(votes[is_peak])[-LEAST_CELLS:].mean()
    return np.argwhere(is_peak & (votes > CIRCLE_SHARE * full))[:, ::-1]
