"""The part of an image that holds one cell, cut out once for all measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.refine.contour import Shape
from buffycoat.statistics import quantile

SMOOTH_SHARE = 0.015
"""Sigma of the granularity feature, as a share of the image's shorter side."""
WHITE_STEPS = 45
"""Samples along each side that the white surface is fitted to."""
WHITE_PERCENTILE = 85
"""Of the green channel outside the cell: where the search for the background begins."""
WHITE_TOLERANCES = (0.3, 0.15, 0.08)
"""Log units under the fitted white that a pixel may lie and still count as background."""
DARK_OFFSET = 8.0
"""Added to gray levels before the logarithm, so that black is finite and noise there small."""
MIN_ABSORPTION = 0.02
"""Log units: what absorbs less is as white as the background, and nothing is divided by it."""
_RIDGE: np.ndarray = np.diag([0.0, 0.02, 0.02, 0.05, 0.05, 0.05])
_DOWN: np.ndarray = np.array([0, 1, 0, 2, 0, 1])
_ACROSS: np.ndarray = np.array([0, 0, 1, 0, 2, 1])
"""Powers of row and column in each term of a quadratic surface."""
_LOGS: np.ndarray = np.log(np.arange(256, dtype=np.float32) + np.float32(DARK_OFFSET))


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
    def cell_depth(self) -> np.ndarray:
        """Distance of each pixel of the cell to its rim, shape (h, w), float32."""
        return depth(self.cell)

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
        return cv2.subtract(self._white(), cv2.LUT(smooth, _LOGS))

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
        samples = np.ascontiguousarray(self.image[_grid(rows), _grid(columns)])
        powers = (_powers(height, step), _powers(width, step))
        factors = _white_factors(cv2.split(cv2.LUT(samples, _LOGS)), outside, *powers)
        own_rows = _place(self.top + np.arange(self.cell.shape[0]), height)
        own_columns = _place(self.left + np.arange(self.cell.shape[1]), width)
        return _surface(factors, own_rows, own_columns)


def depth(mask: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel outside a mask; beyond the array all is outside.

    Args:
        mask: Shape (h, w), uint8.

    Returns:
        Shape (h, w), float32, pixels.
    """
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]


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
    return np.vander(_place(_steps(length, step), length), 5, increasing=True)


def _white_factors(
    logs: Sequence[np.ndarray], outside: np.ndarray, down: np.ndarray, across: np.ndarray
) -> np.ndarray:
    """Six factors a channel, shape (6, 3), of the surface through the brightest samples.

    The samples lie on a grid, so that all sums of the fit are products with powers of its sides.

    Args:
        logs: Of red, green and blue at the samples, each (r, c).
        outside: Samples that are not the cell, shape (r, c), bool.
        down: Powers of the rows, shape (r, 5).
        across: Powers of the columns, shape (c, 5).
    """
    factors = np.zeros((6, 3))
    total = np.count_nonzero(outside)
    if not total:
        factors[0] = np.log(255 + DARK_OFFSET)
        return factors
    green = logs[1].astype(np.float64)
    fitted = quantile(green[outside], WHITE_PERCENTILE / 100)  # so the first round keeps enough
    for tolerance in WHITE_TOLERANCES:
        keep = (outside & (green > fitted - tolerance)).astype(np.float64)
        moments = down.T @ keep @ across
        if moments[0, 0] < 0.04 * total:
            break
        normal = moments[_DOWN[:, None] + _DOWN, _ACROSS[:, None] + _ACROSS]
        sums = [(down[:, :3].T @ (keep * each) @ across[:, :3])[_DOWN, _ACROSS] for each in logs]
        factors = np.linalg.solve(normal + _RIDGE * moments[0, 0], np.stack(sums, axis=1))
        surface = np.zeros((3, 3))
        surface[_DOWN, _ACROSS] = factors[:, 1]
        fitted = down[:, :3] @ surface @ across[:, :3].T
    return factors


def _surface(factors: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The surface at rows y (h,) and columns x (w,), shape (h, w, 3), float32."""
    flat, down, across, down_2, across_2, leaning = factors
    x = x[:, None]
    by_power = [
        flat + x * across + x * x * across_2,
        down + x * leaning,
        np.broadcast_to(down_2, (len(x), 3)),
    ]
    powers = np.stack([np.ones_like(y), y, y * y], axis=1).astype(np.float32)
    terms = np.stack(by_power).reshape(3, -1).astype(np.float32)
    return (powers @ terms).reshape(len(y), len(x), 3)
