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
_LOGS: np.ndarray = np.log(np.arange(256, dtype=np.float32) + 8.0)
_RIDGE: np.ndarray = np.diag([0.0, 0.02, 0.02, 0.05, 0.05, 0.05])


def optical_density(image: np.ndarray) -> np.ndarray:
    """Absorption of each channel relative to the local white.

    Args:
        image: Shape (h, w, 3), uint8, RGB.

    Returns:
        Shape (h, w, 3), float32, natural log units; 0 is the background, larger is darker.
    """
    logs = cv2.LUT(_denoise(image), _LOGS)
    return cv2.subtract(_white_surface(logs), logs)


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
    """Otsu's threshold of any float values (IEEE Trans. SMC 9:62, 1979), with 128 bins."""
    counts, edges = np.histogram(values, bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(centres[np.argmax(np.nan_to_num(spread[:-1]))])


def _denoise(image: np.ndarray) -> np.ndarray:
    median = cv2.medianBlur(image, 3)
    noise = float(cv2.absdiff(image, median).mean())
    if noise < NOISE_LIMIT:
        return median
    return cv2.GaussianBlur(cv2.medianBlur(median, 5), (0, 0), min(noise / 6.0, 2.0))


def _white_surface(logs: np.ndarray) -> np.ndarray:
    """Quadratic surface through the background, for each channel.

    The background is found as the upper envelope of the green channel, where both red cells and
    chromatin are dark; a ridge holds the surface flat where little of it is seen.
    """
    basis, points = _basis(*logs.shape[:2])
    seen = logs[::FIT_STEP, ::FIT_STEP].reshape(-1, 3).astype(np.float64)
    level = np.array([quantile(channel, 0.88) for channel in seen.T])
    green = np.ascontiguousarray(seen[:, 1])
    fitted = np.broadcast_to(level[1], green.shape)
    coefficients = np.zeros((6, 3))
    coefficients[0] = level
    for tolerance in SELECT_STEPS:
        keep = np.flatnonzero(green > fitted - tolerance)
        if len(keep) < 0.04 * len(green):
            break
        coefficients = _ridge_fit(points.take(keep, axis=0), seen.take(keep, axis=0))
        fitted = points @ coefficients[:, 1]
    return (basis @ coefficients.astype(np.float32)).reshape(logs.shape)


@lru_cache(maxsize=4)
def _basis(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Terms of a quadratic surface at all pixels (h * w, 6), and where it is fitted (n, 6)."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = [np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns]
    basis = np.stack(terms, axis=-1)
    points = basis[::FIT_STEP, ::FIT_STEP].reshape(-1, 6).astype(np.float64)
    return basis.reshape(-1, 6), points


def _ridge_fit(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.linalg.solve(points.T @ points + _RIDGE * len(points), points.T @ values)
