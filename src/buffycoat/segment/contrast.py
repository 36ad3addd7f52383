"""Optical density against a fitted white surface, and the thresholds drawn from it."""

from __future__ import annotations

import cv2
import numpy as np

NOISE_LIMIT = 4.0
"""Mean absolute difference to a 3x3 median, in gray levels, from which more smoothing is used;
pristine PBC training cells lie under 3."""
SELECT_STEPS = (0.30, 0.15, 0.08)
"""Log units under the fitted white that a pixel may lie and still count as background."""


def optical_density(image: np.ndarray) -> np.ndarray:
    """Absorption of each channel relative to the local white.

    Args:
        image: Shape (h, w, 3), uint8, RGB.

    Returns:
        Shape (h, w, 3), float32, natural log units; 0 is the background, larger is darker.
    """
    smooth = _denoise(image)
    logs = np.log(np.arange(256, dtype=np.float32) + 8.0)[smooth]
    return _white_surface(logs) - logs


def purple_index(density: np.ndarray) -> np.ndarray:
    """How much like chromatin a pixel is stained.

    Chromatin absorbs red and green; hemoglobin and eosinophil granules absorb green and blue,
    so the sum of red and green less blue keeps chromatin and cancels the others.

    Args:
        density: Shape (h, w, 3), natural log units.

    Returns:
        Shape (h, w), float32, natural log units.
    """
    return density[..., 0] + density[..., 1] - density[..., 2]


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
    dark = float(np.percentile(purple[edge:-edge, edge:-edge], 98))
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
    height, width = logs.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis = np.stack(
        [np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns], axis=-1
    )
    points = basis[::4, ::4].reshape(-1, 6)
    seen = logs[::4, ::4].reshape(-1, 3)
    level = np.percentile(seen, 88, axis=0)
    fitted = np.broadcast_to(level, seen.shape)
    coefficients = np.zeros((6, 3))
    coefficients[0] = level
    for tolerance in SELECT_STEPS:
        keep = seen[:, 1] > fitted[:, 1] - tolerance
        if keep.mean() < 0.04:
            break
        coefficients = _ridge_fit(points[keep], seen[keep])
        fitted = points @ coefficients
    return (basis @ coefficients.astype(np.float32)).astype(np.float32)


def _ridge_fit(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    penalty = np.diag([0.0, 0.02, 0.02, 0.05, 0.05, 0.05]) * len(points)
    return np.linalg.solve(points.T @ points + penalty, points.T @ values)
