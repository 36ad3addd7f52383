"""The part of an image that holds one cell, cut out once for all measurements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from buffycoat.errors import ShapeError

SMOOTH_SHARE = 0.015
"""Sigma of the granularity feature, as a share of the image's shorter side."""
MARGIN_SIGMAS = 4.5
"""OpenCV cuts a Gaussian at four sigmas; with this margin the crop's border is never seen."""
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
    def cell_px(self) -> int:
        """Pixels of the cell."""
        return cv2.countNonZero(self.cell)

    @cached_property
    def nucleus_px(self) -> int:
        """Pixels of the nucleus."""
        return cv2.countNonZero(self.nucleus)

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
        return self._white() - _LOGS[smooth]

    @cached_property
    def absorption(self) -> np.ndarray:
        """Red and green density together, shape (h, w), float32: what both stains absorb."""
        return np.ascontiguousarray(self.density[..., 0] + self.density[..., 1])

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
        y, x = _place(rows, height), _place(columns, width)
        grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
        seen = _LOGS[self.image[np.ix_(rows, columns)][outside]].astype(np.float64)
        factors = _white_factors(grid_y[outside], grid_x[outside], seen)
        own_rows = _place(self.top + np.arange(self.cell.shape[0]), height)
        own_columns = _place(self.left + np.arange(self.cell.shape[1]), width)
        return _surface(factors, own_rows[:, None], own_columns[None, :])


def cut(image: np.ndarray, cell_mask: np.ndarray, nucleus_mask: np.ndarray) -> Region | None:
    """Cut out one cell, with as much around it as blurring needs.

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
    sigma = max(SMOOTH_SHARE * min(height, width), 0.5)
    margin = int(np.ceil(MARGIN_SIGMAS * sigma)) + 1
    first, last = max(top - margin, 0), min(top + down + margin, height)
    start, stop = max(left - margin, 0), min(left + across + margin, width)
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


def _white_factors(y: np.ndarray, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Six factors a channel, shape (6, 3), of the surface through the brightest samples."""
    factors = np.zeros((6, 3))
    if not len(seen):
        factors[0] = np.log(255 + DARK_OFFSET)
        return factors
    basis = np.stack([np.ones_like(y), y, x, y * y, x * x, y * x], axis=1)
    factors[0] = np.percentile(seen, WHITE_PERCENTILE, axis=0)
    fitted = np.broadcast_to(factors[0], seen.shape)
    for tolerance in WHITE_TOLERANCES:
        keep = seen[:, 1] > fitted[:, 1] - tolerance
        if keep.mean() < 0.04:
            break
        near = basis[keep]
        penalty = np.diag([0.0, 0.02, 0.02, 0.05, 0.05, 0.05]) * len(near)
        factors = np.linalg.solve(near.T @ near + penalty, near.T @ seen[keep])
        fitted = basis @ factors
    return factors


def _surface(factors: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The surface at rows y (h, 1) and columns x (1, w), shape (h, w, 3), float32."""
    down = factors[0] + y * factors[1] + y * y * factors[3]
    across = x.T * factors[2] + (x * x).T * factors[4]
    leaning = (y[..., None] * factors[5]).astype(np.float32) * x[..., None].astype(np.float32)
    leaning += down[:, None, :].astype(np.float32)
    leaning += across[None, :, :].astype(np.float32)
    return leaning
