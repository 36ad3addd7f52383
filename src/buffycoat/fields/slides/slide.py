"""A picture too large for memory, of which parts are read."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self, final

import cv2
import numpy as np

from buffycoat.errors import ImageError

WHITE = 255
"""Of what lies beside the picture, is transparent, or was never scanned."""
STRIP_PIXELS = 16_000_000
"""That are read at once for the overview."""


class Slide(ABC):
    """A picture that is read part by part; a context manager, and safe among threads.

    Attributes:
        name: How tables call it.
        width: In pixels of the finest level.
        height: The same.
        um_per_px: Micrometres that a pixel is wide; None where the file does not say it credibly.
        faults: What the library raises on a file that it cannot read.
    """

    faults: tuple[type[Exception], ...] = ()

    def __init__(self, name: str, width: int, height: int, um_per_px: float | None) -> None:
        self.name = name
        self.width = width
        self.height = height
        self.um_per_px = um_per_px
        self._lock = threading.Lock()

    @final
    def read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        """A part of the finest level; white beside the picture.

        Returns:
            Shape (height, width, 3), uint8, RGB.

        Raises:
            ImageError: The file is damaged there.
        """
        x, y = max(left, 0), max(top, 0)
        across = min(left + width, self.width) - x
        down = min(top + height, self.height) - y
        if across <= 0 or down <= 0:
            return np.full((height, width, 3), WHITE, dtype=np.uint8)
        try:
            with self._lock:
                pixels = self._read(x, y, across, down)
        except self.faults as error:
            raise damaged(self.name, error) from error
        if (across, down) == (width, height):
            return pixels
        whole = np.full((height, width, 3), WHITE, dtype=np.uint8)
        whole[y - top : y - top + down, x - left : x - left + across] = pixels
        return whole

    @abstractmethod
    def _read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        """A part that lies in the picture, shape (height, width, 3), uint8, RGB."""

    def overview(self, longest: int) -> np.ndarray:
        """The whole picture, shrunk to `longest` pixels if it is larger; read in strips.

        Returns:
            Shape (h, w, 3), uint8, RGB.
        """
        factor = min(1.0, longest / max(self.width, self.height))
        width, height = (max(round(side * factor), 1) for side in (self.width, self.height))
        small = np.empty((height, width, 3), dtype=np.uint8)
        rows = max(int(STRIP_PIXELS / self.width * factor), 1)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            low, high = (round(row * self.height / height) for row in (top, bottom))
            strip = self.read(0, low, self.width, max(high - low, 1))
            size = (width, bottom - top)
            small[top:bottom] = cv2.resize(strip, size, interpolation=cv2.INTER_AREA)
        return small

    def close(self) -> None:  # noqa: B027  a picture in memory has nothing to close
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PixelSlide(Slide):
    """A picture in memory, for what is too large to be searched as one field.

    Args:
        name: How tables call it.
        pixels: Shape (h, w, 3), uint8, RGB.
    """

    def __init__(self, name: str, pixels: np.ndarray) -> None:
        super().__init__(name, pixels.shape[1], pixels.shape[0], None)
        self._pixels = pixels

    def _read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        return self._pixels[top : top + height, left : left + width].copy()


def damaged(name: str, error: Exception) -> ImageError:
    """The error for a file that a library fails on."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if "imagecodecs" in reason:
        return ImageError(f"{name}: {reason}. Install it with: pip install 'buffycoat[fields]'")
    return ImageError(
        f"{name}: cut short or damaged, or of a kind that its reader does not know ({reason}). "
        "Copy it again from its source, or export it as OME-TIFF or as fields (TIFF, PNG)"
    )


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Pixels (h, w, 4), uint8, with straight alpha, laid on white: shape (h, w, 3), uint8."""
    colours, opacity = rgba[..., :3], rgba[..., 3:]
    if opacity.min() == WHITE:
        return np.ascontiguousarray(colours)
    share = opacity.astype(np.float32) / WHITE
    return np.rint(colours * share + WHITE * (1 - share)).astype(np.uint8)
