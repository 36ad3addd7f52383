"""What degradation leaves in the pixels: noise, lost sharpness, faults of light.

A few milliseconds a cell, no twin needed, and nothing that depends on the cell's class by intent.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

FEATURES = (
    *(f"noise_{channel}" for channel in ("luma", "red", "green", "blue", "luma_half")),
    *(f"noise_mean_{channel}" for channel in ("luma", "red_green", "blue_green")),
    "specks_dark",
    "specks_bright",
    "laplacian",
    "laplacian_half",
    "gradient",
    "gradient_half",
    "gradient_quarter",
    "edge_sharpness",
    "edge_sharpness_half",
    "edge_direction",
    "dark_level",
    "middle_level",
    *(f"bright_level_{channel}" for channel in ("red", "green", "blue")),
    "bright_red_green",
    "bright_blue_green",
    "contrast",
    "light_range",
    "light_slope",
    "light_corners",
    "saturated",
    "colourfulness",
)
"""Names of the features, in order; all unitless or in gray levels, most of them as logarithms."""

SPECK_LEVELS = 60
"""A pixel this far from its 3x3 median is a speck of salt or pepper."""
_BLOCKS = 4


def measure(image: np.ndarray) -> np.ndarray:
    """Features of one image.

    Args:
        image: Shape (h, w, 3), uint8, RGB.

    Returns:
        Shape (d,), float64, finite, as named in `FEATURES`.
    """
    image = np.ascontiguousarray(image)
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    half = cv2.pyrDown(luma)
    channels = cv2.split(image)
    features = [
        *_noise(channels, luma, half),
        *_sharpness(luma, half),
        *_light(image, channels, luma),
    ]
    return np.array(features, dtype=np.float64)


def _noise(channels: Sequence[np.ndarray], luma: np.ndarray, half: np.ndarray) -> list[float]:
    """What a 3x3 median takes away, in size and colour."""
    smooth = [cv2.medianBlur(level, 3) for level in (*channels, luma, half)]
    off = [cv2.absdiff(a, b) for a, b in zip((*channels, luma, half), smooth, strict=True)]
    typical = [_log(_typical(off[place])) for place in (3, 0, 1, 2, 4)]
    red, green, blue = (
        cv2.subtract(a, b, dtype=cv2.CV_16S) for a, b in zip(channels, smooth[:3], strict=True)
    )
    mean = [
        _log(_mean(part)) for part in (off[3], cv2.absdiff(red, green), cv2.absdiff(blue, green))
    ]
    # Subtraction of bytes stops at 0, so that each side holds its own specks only.
    sides = (cv2.subtract(smooth[3], luma), cv2.subtract(luma, smooth[3]))
    specks = [_log(1e3 * np.count_nonzero(side > SPECK_LEVELS) / luma.size) for side in sides]
    return typical + mean + specks


def _sharpness(luma: np.ndarray, half: np.ndarray) -> list[float]:
    quarter = cv2.pyrDown(half)
    contrast = max(float(np.subtract(*_levels(luma, (95, 5)))), 1.0)
    calm = [cv2.medianBlur(level, 3) for level in (luma, half)]
    laplacian = [_log(_typical(np.abs(cv2.Laplacian(level, cv2.CV_16S)))) for level in calm]
    gradients = [_gradient(level) for level in (*calm, quarter)]
    energy = [_log(float(size.mean()) / contrast * 100) for size, _ in gradients]
    edges = [_log(float(_levels(size, (98,))[0]) / contrast * 100) for size, _ in gradients[:2]]
    return [*laplacian, *energy, *edges, gradients[0][1]]


def _gradient(level: np.ndarray) -> tuple[np.ndarray, float]:
    """Size of the gradient, and how much it prefers one direction (0 to 1: motion blur)."""
    right, down = (cv2.Sobel(level, cv2.CV_32F, *axes) for axes in ((1, 0), (0, 1)))
    products = (right * right, down * down, right * down)
    xx, yy, xy = (float(cv2.mean(product)[0]) for product in products)
    direction = float(np.hypot(xx - yy, 2 * xy)) / (xx + yy + 1e-6)
    # Not cv2.magnitude: its last digit depends on where the array lies in memory.
    return np.sqrt(products[0] + products[1]), direction


def _light(image: np.ndarray, channels: Sequence[np.ndarray], luma: np.ndarray) -> list[float]:
    dark, middle = _levels(luma, (2, 50))
    bright = [float(_levels(channel, (92,))[0]) for channel in channels]
    red, green, blue = (_log(level) for level in bright)
    blocks = _bright_blocks(luma)
    light = np.log(blocks + 1.0)
    position = np.arange(_BLOCKS) - (_BLOCKS - 1) / 2
    slope = np.hypot((light.mean(0) * position).sum(), (light.mean(1) * position).sum())
    corners = light[[0, 0, -1, -1], [0, -1, 0, -1]].mean() - light[1:-1, 1:-1].mean()
    saturated = (image.size - np.count_nonzero(image) + np.count_nonzero(image == 255)) / image.size
    opponent = [cv2.subtract(channels[c], channels[1], dtype=cv2.CV_16S) for c in (0, 2)]
    red_sd, blue_sd = (cv2.meanStdDev(part)[1].item() for part in opponent)
    colour = _log(float(np.hypot(red_sd, blue_sd)))
    contrast = _log(max(float(np.subtract(*_levels(luma, (92, 2)))), 0.0))
    return [
        _log(float(dark)),
        _log(float(middle)),
        *(red, green, blue, red - green, blue - green),
        contrast,
        float(light.max() - light.min()),
        float(slope),
        float(corners),
        _log(1e3 * saturated),
        colour,
    ]


def _bright_blocks(luma: np.ndarray) -> np.ndarray:
    """The bright level (85th percentile) of each of 4x4 blocks: mostly free background."""
    rows = np.array_split(luma, _BLOCKS, axis=0)
    return np.array(
        [[_levels(b, (85,))[0] for b in np.array_split(row, _BLOCKS, axis=1)] for row in rows],
        dtype=np.float64,
    )


def _typical(size: np.ndarray) -> float:
    """Median of sizes, interpolated within its gray level: on whole numbers it is coarse."""
    return float(_levels(size, (50,))[0])


def _levels(values: np.ndarray, percents: tuple[float, ...]) -> np.ndarray:
    """Percentiles, from a histogram with linear interpolation within a level: fast on bytes."""
    flat = values.ravel()
    if flat.dtype.kind == "f":
        return np.percentile(flat[::3], percents)
    shares = np.cumsum(np.bincount(flat)) / flat.size
    below = np.concatenate([[0.0], shares])
    levels = []
    for percent in percents:
        level = int(np.searchsorted(shares, percent / 100))
        width = max(shares[level] - below[level], 1e-9)
        levels.append(level + (percent / 100 - below[level]) / width)
    return np.array(levels)


def _mean(values: np.ndarray) -> float:
    return cv2.mean(values)[0]


def _log(value: float) -> float:
    return float(np.log(value + 0.1))
