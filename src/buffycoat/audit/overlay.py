"""How well two pictures agree where one lies over the other."""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.audit import perceptual, warp

BAND = (0.9, 4.5)
"""Deviations in pixels of 96: finer is noise, coarser is light and the cell's own roundness."""
WHITE = 250
BLACK = 5
_WHITE_SHARE = 0.02
"""Share of pixels at either end from which light is taken into account: less changes little."""


def correlation(first: np.ndarray, laid: np.ndarray, kept: np.ndarray) -> float:
    """Of the band-passed pictures, whatever the light.

    A copy that was brightened is white where the original still has detail: the original is lit
    alike, and cut off at white, before the two are compared.

    Args:
        first: Shape (w, w), float32.
        laid: The second, laid over it, likewise.
        kept: Where to compare them, shape (w, w), bool.
    """
    if kept.sum() < 16:
        return 0.0
    first, laid = _light_alike(first, laid, kept)
    a, b = (band(gray)[kept] for gray in (first, laid))
    a, b = a - a.mean(), b - b.mean()
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(lengths) < 1e-3 * np.sqrt(a.size):  # a blank picture agrees with nothing
        return 0.0
    return float(a @ b) / (lengths[0] * lengths[1])


def band(gray: np.ndarray) -> np.ndarray:
    """The detail of a square picture, without noise and light."""
    fine, coarse = (sigma * len(gray) / perceptual.GRAY_PX for sigma in BAND)
    return cv2.GaussianBlur(gray, (0, 0), fine) - cv2.GaussianBlur(gray, (0, 0), coarse)


def disc(sides: tuple[float, float], side: int) -> np.ndarray:
    """The largest circle in a frame that was pressed into a square, shape (side, side), bool.

    Args:
        sides: The frame's, as in `landmarks.Landmarks`.
        side: Of the square.
    """
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    return np.hypot(columns * sides[0], rows * sides[1]) <= min(sides) / 2


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


def _light_alike(
    first: np.ndarray, laid: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures, the less clipped of them lit and cut off as the other is."""
    clipped = [(gray >= WHITE) | (gray <= BLACK) for gray in (first, laid)]
    shares = [float(one[kept].mean()) for one in clipped]
    both = kept & ~clipped[0] & ~clipped[1]
    if max(shares) < _WHITE_SHARE or both.sum() < 16:
        return first, laid
    a, b = first[both], laid[both]
    if min(a.std(), b.std()) < 1:
        return first, laid
    if shares[1] >= shares[0]:
        return _lit(first, a, b), laid
    return first, _lit(laid, b, a)


def _lit(gray: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    gain = float(other.std() / own.std())
    return np.clip((gray - own.mean()) * gain + other.mean(), 0, 255).astype(np.float32)
