"""A field of view in memory, and where its pixels come from.

Readers of other formats (slides, CZI, OME-TIFF) give the same record; nothing below asks where it
came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from buffycoat import images
from buffycoat.errors import ShapeError


@dataclass(frozen=True)
class Field:
    """One photograph of many cells.

    Attributes:
        name: How tables call it.
        pixels: Shape (h, w, 3), uint8, RGB.
        um_per_px: Micrometres that a pixel is wide; None if unknown.
    """

    name: str
    pixels: np.ndarray
    um_per_px: float | None = None

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
            raise ShapeError(
                f"{self.name}: expected a field of shape (h, w, 3), uint8, RGB; got {shape}, "
                f"{dtype}"
            )

    @property
    def height(self) -> int:
        """In pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.pixels.shape[1]

    def square(self, centre: tuple[float, float], side_px: int) -> np.ndarray:
        """A square around a place, mirrored where it leaves the field.

        Args:
            centre: Across and down, in pixels.
            side_px: Of the square.

        Returns:
            Shape (side_px, side_px, 3), uint8.
        """
        left, top = (int(np.floor(value - side_px / 2 + 0.5)) for value in centre)
        columns = _mirrored(np.arange(left, left + side_px), self.width)
        rows = _mirrored(np.arange(top, top + side_px), self.height)
        return self.pixels[rows[:, None], columns]


def _mirrored(places: np.ndarray, length: int) -> np.ndarray:
    """Places on a line (n,), reflected at its ends as often as need be, the last pixel once."""
    period = max(2 * (length - 1), 1)
    folded = np.abs(places) % period
    return np.minimum(folded, period - folded)


def read_field(path: Path, name: str, um_per_px: float | None = None) -> Field:
    """Read a picture of any format that `images` reads, with its checks.

    Raises:
        ImageError: It cannot be read, or is too large or too small.
    """
    return Field(name, images.read(path), um_per_px)
