"""Find one picture inside another, at any place, in any orientation."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from buffycoat.audit import perceptual, warp

SIDE_PX = 32
SCALES = (1.0, 0.92, 0.85, 0.78, 0.7, 0.65)
"""Sides of the inner picture over the outer one's; between them the refinement gets there."""
_BAND = (0.6, 2.0)
"""Deviations in pixels of 32."""


def search(first: np.ndarray, second: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The best place of each picture in the other, by normalised correlation.

    Args:
        first: Shape (w, w), float32.
        second: Shape (w, w), float32.

    Returns:
        Two guesses, the second inside the first and the other way round: the orientation of the
        second and the warp from the first to it.
    """
    inside, x, y, side = max(_places(first, second))[1:]
    guesses = [(inside, warp.of_window(inside, x, y, side))]
    inside, x, y, side = max(_places(second, first))[1:]
    found = warp.invert(warp.of_window(inside, x, y, side))
    return [*guesses, (_inverse(inside), found)]


def _places(
    outer: np.ndarray, inner: np.ndarray
) -> Iterator[tuple[float, int, float, float, float]]:
    """Correlation, orientation, left, top and side of the inner picture at its best place."""
    field = _band(_resize(outer, SIDE_PX))
    for scale in SCALES:
        side = round(scale * SIDE_PX)
        template = _band(_resize(inner, side))
        for orientation in range(8):
            turned = np.ascontiguousarray(perceptual.orient(template, orientation))
            scores = cv2.matchTemplate(field, turned, cv2.TM_CCOEFF_NORMED)
            _, score, _, (x, y) = cv2.minMaxLoc(scores)
            yield score, orientation, x / SIDE_PX, y / SIDE_PX, side / SIDE_PX


def _resize(gray: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA)


def _band(gray: np.ndarray) -> np.ndarray:
    fine, coarse = (cv2.GaussianBlur(gray, (0, 0), sigma) for sigma in _BAND)
    return fine - coarse


def _inverse(orientation: int) -> int:
    """The orientation that undoes another."""
    mirrored = orientation & 3
    if orientation & 4:  # rows and columns are swapped: so are their mirrorings
        mirrored = (mirrored & 1) << 1 | mirrored >> 1
    return orientation & 4 | mirrored
