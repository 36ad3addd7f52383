"""How well two pictures agree where one lies over the other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.audit import perceptual, warp

BAND = (0.9, 4.5)
"""Deviations in pixels of 96: finer is noise, coarser is light and the cell's own roundness."""
SQUARE = (1.0, 1.0)
"""Sides of a frame as high as wide."""
WHITE = 250
BLACK = 5
CLIPPED_FROM = 0.1
"""Share of pixels at either end from which a picture counts as clipped."""
CLIPPED_AT_LEAST = 0.93
"""Correlation asked of clipped pictures. On plain white, strangers agree by their outlines: to 0.86
in one frame, brightened by 1.5 to 2.2. True copies reach 0.99, one in ten is under 0.93."""
_RIM = 0.05
"""Of a side: what `BAND` carries into the circle from corners that were filled in."""
_MIN_PIXELS = 16


@dataclass(frozen=True)
class Agreement:
    """How well two pictures agree.

    Attributes:
        correlation: At most 1.
        is_clipped: Whether so much of one is white or black that outlines alone may agree.
    """

    correlation: float
    is_clipped: bool

    def least(self, asked: float) -> float:
        """The correlation to ask for: `CLIPPED_AT_LEAST` of clipped pictures."""
        return max(asked, CLIPPED_AT_LEAST) if self.is_clipped else asked


def agree(first: np.ndarray, laid: np.ndarray, kept: np.ndarray) -> Agreement:
    """Correlation of the band-passed pictures, whatever the light.

    A copy that was brightened is white where the original still has detail: the original is lit
    alike, and cut off at white, before the two are compared.

    Args:
        first: Shape (w, w), float32.
        laid: The second, laid over it, likewise.
        kept: Where to compare them, shape (w, w), bool.
    """
    if kept.sum() < _MIN_PIXELS:
        return Agreement(0.0, False)
    clipped = [(gray >= WHITE) | (gray <= BLACK) for gray in (first, laid)]
    shares = [float(one[kept].mean()) for one in clipped]
    is_clipped = max(shares) >= CLIPPED_FROM
    if is_clipped:
        both = kept & ~clipped[0] & ~clipped[1]
        if shares[1] >= shares[0]:
            first = _lit(first, laid, both)
        else:
            laid = _lit(laid, first, both)
    a, b = (band(gray)[kept] for gray in (first, laid))
    a, b = a - a.mean(), b - b.mean()
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(lengths) < 1e-3 * np.sqrt(a.size):  # a blank picture agrees with nothing
        return Agreement(0.0, is_clipped)
    return Agreement(float(a @ b) / (lengths[0] * lengths[1]), is_clipped)


def band(gray: np.ndarray) -> np.ndarray:
    """The detail of a square picture, without noise and light."""
    fine, coarse = (sigma * len(gray) / perceptual.GRAY_PX for sigma in BAND)
    return cv2.GaussianBlur(gray, (0, 0), fine) - cv2.GaussianBlur(gray, (0, 0), coarse)


def disc(sides: tuple[float, float], side: int) -> np.ndarray:
    """The largest circle in a frame that was pressed into a square, but for a rim: (side, side).

    Args:
        sides: The frame's, as in `landmarks.Landmarks`.
        side: Of the square.
    """
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    return np.hypot(columns * sides[0], rows * sides[1]) <= min(sides) / 2 - _RIM


def round_part(
    sides: tuple[float, float], found: np.ndarray, side: int = perceptual.GRAY_PX
) -> np.ndarray:
    """Where the second picture's circle lies over the first, shape (side, side), bool.

    Args:
        sides: The second frame's.
        found: Warp from the first to the second.
        side: Of the squares that both were pressed into.
    """
    return warp.lay_over(disc(sides, side).astype(np.float32), found)[0] > 0.5


def _lit(gray: np.ndarray, goal: np.ndarray, both: np.ndarray) -> np.ndarray:
    """A picture lit as another is where neither is clipped, and cut off at black and white."""
    own, other = gray[both], goal[both]
    if own.size < _MIN_PIXELS or min(own.std(), other.std()) < 1:
        return gray
    gain = float(other.std() / own.std())
    return np.clip((gray - own.mean()) * gain + other.mean(), 0, 255).astype(np.float32)
