"""Optical density against a fitted white surface, and the thresholds drawn from it."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from buffycoat.statistics import quantile

NOISE_LIMIT = 4.0
"""Mean absolute difference to a 3x3 median, in gray levels, from which more smoothing is used;
pristine PBC training cells lie under 3."""
SELECT_STEPS = (0.30, 0.15, 0.08)
"""Log units under the fitted white that a pixel may lie and still count as background."""
FIT_STEP = 4
"""The white surface is fitted to every fourth pixel of every fourth row."""
BINS = 128
"""Of the histogram that Otsu's threshold is found in."""
_LOGS: np.ndarray = np.log(np.arange(256, dtype=np.float32) + 8.0)
_RIDGE: np.ndarray = np.diag([0.0, 0.02, 0.02, 0.05, 0.05, 0.05])
_DOWN: np.ndarray = np.array([0, 1, 0, 2, 0, 1])
_ACROSS: np.ndarray = np.array([0, 0, 1, 0, 2, 1])
"""Powers of row and column in each term of a quadratic surface."""


def optical_density(image: np.ndarray) -> np.ndarray:
    """Absorption of each channel relative to the local white.

    Args:
        image: Shape (h, w, 3), uint8, RGB.

    Returns:
        Shape (h, w, 3), float32, natural log units; 0 is the background, larger is darker.
    """
    logs = cv2.LUT(_denoise(image), _LOGS)
    return cv2.subtract(_white_surface(logs), logs, dst=logs)


def total(density: np.ndarray) -> np.ndarray:
    """Sum of the three channels, shape (h, w), float32."""
    return cv2.transform(density, np.ones((1, 3), np.float32))


def purple_index(density: np.ndarray) -> np.ndarray:
    """How much like chromatin a pixel is stained.

    Chromatin absorbs red and green; hemoglobin and eosinophil granules absorb green and blue,
    so the sum of red and green less blue keeps chromatin and cancels the others.

    Args:
        density: Shape (h, w, 3), natural log units.

    Returns:
        Shape (h, w), float32, natural log units.
    """
    return cv2.transform(density, np.array([[1, 1, -1]], np.float32))


def nucleus_threshold(purple: np.ndarray) -> float:
    """Otsu's threshold between chromatin and the rest, kept in a plausible range.

    Args:
        purple: Purple index, shape (h, w).

    Returns:
        Threshold in the units of `purple`. The dark end is taken from the central part of the
        image, so that a dark neighbour does not set it.
    """
    side = purple.shape[0]
    edge = side // 5
    dark = quantile(purple[edge:-edge, edge:-edge].ravel(), 0.98)
    stained = purple[purple > 0.2 * dark]
    if stained.size < 16 or dark <= 0:
        return 0.0
    return float(np.clip(otsu(stained), 0.42 * dark, 0.62 * dark))


def otsu(values: np.ndarray) -> float:
    """Otsu's threshold (IEEE Trans. SMC 9:62, 1979) of values (n,), float32, with `BINS` bins."""
    low, high = float(values.min()), float(values.max())
    ends = [low, float(np.nextafter(np.float32(high), np.float32(np.inf)))]  # without the last
    counts = cv2.calcHist([values], [0], None, [BINS], ends).ravel().astype(np.float64)
    centres = low + (np.arange(BINS) + 0.5) * ((high - low) / BINS)
    below, sums = np.cumsum(counts), np.cumsum(counts * centres)
    above = below[-1] - below
    apart = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    return float(centres[np.argmax(below * above * apart**2)])


def _denoise(image: np.ndarray) -> np.ndarray:
    median = cv2.medianBlur(image, 3)
    noise = cv2.norm(image, median, cv2.NORM_L1) / image.size
    if noise < NOISE_LIMIT:
        return median
    return cv2.GaussianBlur(cv2.medianBlur(median, 5), (0, 0), min(noise / 6.0, 2.0))


def _white_surface(logs: np.ndarray) -> np.ndarray:
    """Quadratic surface through the background, for each channel.

    The background is found as the upper envelope of the green channel, where both red cells and
    chromatin are dark; a ridge holds the surface flat where little of it is seen.
    """
    down, across, points = _grid(*logs.shape[:2])
    seen = logs[::FIT_STEP, ::FIT_STEP].reshape(-1, 3).astype(np.float64)
    green = np.ascontiguousarray(seen[:, 1])
    fitted = quantile(green, 0.88)  # so the first round keeps enough
    factors = np.zeros((6, 3))
    for tolerance in SELECT_STEPS:
        keep = np.flatnonzero(green > fitted - tolerance)
        if len(keep) < 0.04 * len(green):
            break
        factors = _ridge_fit(points.take(keep, axis=0), seen.take(keep, axis=0))
        fitted = points @ factors[:, 1]
    table = np.zeros((3, 3, 3), dtype=np.float32)  # power of row, power of column, channel
    table[_DOWN, _ACROSS] = factors
    return (down @ (across @ table).reshape(3, -1)).reshape(logs.shape)


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Powers 0 to 2 of rows (h, 3) and columns (w, 3), and the terms where it is fitted (n, 6)."""
    down, across = (
        np.vander(np.linspace(-1, 1, side), 3, increasing=True) for side in (height, width)
    )
    points = down[::FIT_STEP, None, _DOWN] * across[None, ::FIT_STEP, _ACROSS]
    return down.astype(np.float32), across.astype(np.float32), points.reshape(-1, 6)


def _ridge_fit(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    normal = points.T @ points + _RIDGE * len(points)
    return cv2.solve(normal, points.T @ values, flags=cv2.DECOMP_CHOLESKY)[1]
