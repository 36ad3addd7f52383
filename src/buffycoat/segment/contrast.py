"""Optical density against a fitted white surface, and the thresholds drawn from it."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from buffycoat import white
from buffycoat.statistics import quantile

NOISE_LIMIT = 4.0
"""Mean absolute difference to a 3x3 median, in gray levels, from which more smoothing is used;
pristine PBC training cells lie under 3."""
FIT_STEP = 4
"""The white surface is fitted to every fourth pixel of every fourth row."""
BRIGHT_SHARE = 0.88
"""Quantile of the green channel where the search for the background begins."""
BINS = 128
"""Of the histogram that Otsu's threshold is found in."""


def optical_density(image: np.ndarray) -> np.ndarray:
    """Absorption of each channel relative to the local white.

    Args:
        image: Shape (h, w, 3), uint8, RGB.

    Returns:
        Shape (h, w, 3), float32, natural log units; 0 is the background, larger is darker.
    """
    logs = cv2.LUT(_denoise(image), white.LOGS)
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
    """Of the background of an image's logarithms (h, w, 3), same shape."""
    down, across = (_powers(side) for side in logs.shape[:2])
    grid = logs[::FIT_STEP, ::FIT_STEP]
    free = np.ones(grid.shape[:2], dtype=bool)
    factors = white.fit(grid, free, down[::FIT_STEP], across[::FIT_STEP], BRIGHT_SHARE)
    return white.surface(factors, down, across)


@lru_cache(maxsize=4)
def _powers(side: int) -> np.ndarray:
    return white.powers(np.linspace(-1, 1, side))
