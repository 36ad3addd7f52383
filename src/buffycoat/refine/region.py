"""The part of an image that holds one cell, cut out once for all measurements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from buffycoat import white
from buffycoat.errors import ShapeError
from buffycoat.refine.contour import Shape

SMOOTH_SHARE = 0.015
"""Sigma of the granularity feature, as a share of the image's shorter side."""
WHITE_STEPS = 45
"""Samples along each side that the white surface is fitted to."""
WHITE_SHARE = 0.85
"""Quantile of the green channel outside the cell: where the search for the background begins."""
MIN_ABSORPTION = 0.02
"""Log units: what absorbs less is as white as the background, and nothing is divided by it."""


@dataclass(frozen=True, eq=False)
class Region:
    """One cell and its surroundings.

    Attributes:
        image: The whole image, shape (H, W, 3), uint8.
        top: First row of the crop in the image.
        left: First column of the crop.
        cell: The crop of the cell mask, shape (h, w), uint8, 0 or 1; not empty.
        nucleus: The same of the nucleus, without what lies outside the cell.
    """

    image: np.ndarray
    top: int
    left: int
    cell: np.ndarray
    nucleus: np.ndarray

    @cached_property
    def pixels(self) -> np.ndarray:
        """The crop of the image, shape (h, w, 3), uint8."""
        height, width = self.cell.shape
        return np.ascontiguousarray(
            self.image[self.top : self.top + height, self.left : self.left + width]
        )

    @cached_property
    def gray(self) -> np.ndarray:
        """Gray levels, shape (h, w), uint8."""
        return cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY)

    @cached_property
    def cytoplasm(self) -> np.ndarray:
        """Cell less nucleus, shape (h, w), uint8."""
        return self.cell ^ self.nucleus

    @cached_property
    def cell_shape(self) -> Shape:
        """Contour and distances of the cell."""
        return Shape(self.cell)

    @cached_property
    def nucleus_shape(self) -> Shape:
        """Contour and distances of the nucleus."""
        return Shape(self.nucleus)

    @property
    def cell_px(self) -> int:
        """Pixels of the cell."""
        return self.cell_shape.area_px

    @property
    def nucleus_px(self) -> int:
        """Pixels of the nucleus."""
        return self.nucleus_shape.area_px

    @cached_property
    def diameter_px(self) -> float:
        """Of a disc of the cell's area."""
        return float(2 * np.sqrt(self.cell_px / np.pi))

    @cached_property
    def density(self) -> np.ndarray:
        """Absorption relative to the white around the cell, shape (h, w, 3), float32.

        Natural log units; 0 is the background, larger is darker. Each pixel is the median of
        its neighbourhood of three by three, against noise.
        """
        smooth: np.ndarray = cv2.medianBlur(self.pixels, 3)
        logs = cv2.LUT(smooth, white.LOGS)
        return cv2.subtract(self._white(), logs, dst=logs)

    @cached_property
    def absorption(self) -> np.ndarray:
        """Red and green density together, shape (h, w), float32: what both stains absorb."""
        return cv2.transform(self.density, np.array([[1, 1, 0]], np.float32))

    def length_px(self, share: float) -> float:
        """A share of the cell's diameter, in pixels."""
        return share * self.diameter_px

    def _white(self) -> np.ndarray:
        """Quadratic surface through the background's logs, shape (h, w, 3), float32."""
        height, width = self.image.shape[:2]
        step = max(min(height, width) // WHITE_STEPS, 1)
        rows, columns = _steps(height, step), _steps(width, step)
        outside = np.ones((len(rows), len(columns)), dtype=bool)
        in_rows = (rows >= self.top) & (rows < self.top + self.cell.shape[0])
        in_columns = (columns >= self.left) & (columns < self.left + self.cell.shape[1])
        outside[np.ix_(in_rows, in_columns)] = (
            self.cell[np.ix_(rows[in_rows] - self.top, columns[in_columns] - self.left)] == 0
        )
        logs = cv2.LUT(np.ascontiguousarray(self.image[_grid(rows), _grid(columns)]), white.LOGS)
        powers = (_powers(height, step), _powers(width, step))
        factors = white.fit(logs, outside, *powers, WHITE_SHARE)
        own_rows = _place(self.top + np.arange(self.cell.shape[0]), height)
        own_columns = _place(self.left + np.arange(self.cell.shape[1]), width)
        return white.surface(factors, white.powers(own_rows), white.powers(own_columns))


def cut(image: np.ndarray, cell_mask: np.ndarray, nucleus_mask: np.ndarray) -> Region | None:
    """Cut out one cell, with a pixel around it.

    Args:
        image: Shape (h, w, 3), uint8, RGB.
        cell_mask: Shape (h, w), bool.
        nucleus_mask: Shape (h, w), bool; only what lies in the cell counts.

    Returns:
        The region; None where the cell mask is empty.

    Raises:
        ShapeError: Image and masks do not match.
    """
    if image.shape != (*cell_mask.shape, 3) or nucleus_mask.shape != cell_mask.shape:
        raise ShapeError(
            f"expected image (h, w, 3) and masks (h, w); got {image.shape}, {cell_mask.shape} "
            f"and {nucleus_mask.shape}"
        )
    height, width = cell_mask.shape
    cell = np.ascontiguousarray(cell_mask, dtype=bool).view(np.uint8)
    left, top, across, down = cv2.boundingRect(cell)
    if not across:
        return None
    # one pixel more, which the median of three by three sees
    first, last = max(top - 1, 0), min(top + down + 1, height)
    start, stop = max(left - 1, 0), min(left + across + 1, width)
    inner = np.ascontiguousarray(cell[first:last, start:stop])
    nucleus = inner & nucleus_mask[first:last, start:stop].astype(np.uint8, copy=False)
    return Region(image, first, start, inner, nucleus)


def _steps(length: int, step: int) -> np.ndarray:
    """Places about `step` apart that lie the same seen from either end, shape (n,)."""
    # an odd step fits the middle of an image whether it is a pixel or the seam of two
    step -= 1 - step % 2
    middle = (length - 1 - step * (1 - length % 2)) // 2
    return np.arange(middle % step, length, step)


def _place(at: np.ndarray, length: int) -> np.ndarray:
    """Middles of pixels, from -1 at one end of the image to 1 at the other."""
    return (2 * at + 1) / length - 1


def _grid(steps: np.ndarray) -> slice:
    """Even places as a slice, which reads without an array of indices."""
    return slice(steps[0], None, steps[1] - steps[0] if len(steps) > 1 else 1)


@lru_cache(maxsize=8)
def _powers(length: int, step: int) -> np.ndarray:
    """Powers 0 to 4 of the places along one side where the surface is fitted, shape (n, 5)."""
    return white.powers(_place(_steps(length, step), length))
