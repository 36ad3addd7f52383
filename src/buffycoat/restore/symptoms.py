"""What degradation leaves in the pixels: noise, lost sharpness, faults of light.

Under two milliseconds a cell, no twin needed, and nothing that depends on the cell's class by
intent. Sums and counts are over whole numbers, so that no digit depends on where an array lies in
memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

FEATURES = (
    *(f"noise_{level}" for level in ("luma", "half")),
    *(f"noise_mean_{level}" for level in ("luma", "red_green", "blue_green")),
    "specks_dark",
    "specks_bright",
    *(f"laplacian_{level}" for level in ("luma", "half")),
    *(f"gradient_{level}" for level in ("luma", "half")),
    *(f"edge_{level}" for level in ("luma", "half")),
    *(f"direction_{level}" for level in ("luma", "half")),
    "dark_level",
    "middle_level",
    "contrast",
    *(f"bright_level_{channel}" for channel in ("red", "green", "blue")),
    "bright_red_green",
    "bright_blue_green",
    "light_range",
    "light_slope",
    "light_corners",
    "tint_red",
    "tint_blue",
    "saturated",
    "red_green_sd",
    "blue_green_sd",
)
"""Names of the features, in order; all unitless or in gray levels, most of them as logarithms."""

SPECK_LEVELS = 60
"""A pixel this far from its 3x3 median is a speck of salt or pepper."""
THUMB_PX = 64
"""Side of the small copy on which light is measured: it holds no detail, and means less noise."""
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
    levels = (*cv2.split(image), luma, cv2.pyrDown(luma))
    calm = [cv2.medianBlur(level, 3) for level in levels]
    thumb = cv2.resize(image, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(thumb, cv2.COLOR_RGB2GRAY)
    dark, low, middle, bright, high = _percentiles(gray, (2, 5, 50, 92, 95))
    features = [
        *_noise(levels, calm),
        *_sharpness(calm[3], calm[4], max(high - low, 1.0)),
        *map(_log, (dark, middle, max(bright - dark, 0.0))),
        *_bright_colour(thumb),
        *_bright_field(thumb),
        *_saturation(image, thumb),
    ]
    return np.array(features, dtype=np.float64)


def _noise(levels: Sequence[np.ndarray], calm: Sequence[np.ndarray]) -> list[float]:
    """What a 3x3 median takes away, in size and colour."""
    off = [cv2.absdiff(levels[place], calm[place]) for place in (3, 4)]
    typical = [_percentiles(size, (50,))[0] for size in off]
    red, green, blue = (
        cv2.subtract(a, b, dtype=cv2.CV_16S) for a, b in zip(levels[:3], calm[:3], strict=True)
    )
    colours = [cv2.norm(part, green, cv2.NORM_L1) / green.size for part in (red, blue)]
    # Subtraction of bytes stops at 0, so that each side holds its own specks only.
    sides = (cv2.subtract(calm[3], levels[3]), cv2.subtract(levels[3], calm[3]))
    specks = [1e3 * np.count_nonzero(side > SPECK_LEVELS) / side.size for side in sides]
    return [_log(value) for value in (*typical, cv2.mean(off[0])[0], *colours, *specks)]


def _sharpness(luma: np.ndarray, half: np.ndarray, contrast: float) -> list[float]:
    """Detail that is left once a median has taken the noise away.

    Args:
        luma: Calmed, shape (h, w), uint8.
        half: The same of the half-sized image.
        contrast: Between dark and bright places, gray levels, >= 1.
    """
    laplacian = [
        _percentiles(cv2.convertScaleAbs(cv2.Laplacian(level, cv2.CV_16S)), (50,))[0]
        for level in (luma, half)
    ]
    gradients = [_gradient(level) for level in (luma, half)]
    means, edges, directions = zip(*gradients, strict=True)
    relative = [100 * size / contrast for size in (*means, *edges)]
    return [*map(_log, (*laplacian, *relative)), *directions]


def _gradient(level: np.ndarray) -> tuple[float, float, float]:
    """Mean size, size at edges, and how much one direction is preferred (0 to 1: motion blur)."""
    right, down = (cv2.Sobel(level, cv2.CV_16S, *axes) for axes in ((1, 0), (0, 1)))
    mean = (cv2.norm(right, cv2.NORM_L1) + cv2.norm(down, cv2.NORM_L1)) / level.size
    # A quarter of the size fits into a byte, where a histogram is fast.
    across, along = (cv2.convertScaleAbs(side, alpha=0.25) for side in (right, down))
    both = cv2.add(right, down)
    xx, yy, squares = (cv2.norm(side, cv2.NORM_L2SQR) for side in (right, down, both))
    direction = float(np.hypot(xx - yy, squares - xx - yy)) / (xx + yy + 1e-6)
    return mean, 4 * _percentiles(cv2.add(across, along), (98,))[0], direction


def _bright_colour(thumb: np.ndarray) -> list[float]:
    red, green, blue = (_log(_percentiles(level, (92,))[0]) for level in cv2.split(thumb))
    return [red, green, blue, red - green, blue - green]


def _bright_field(thumb: np.ndarray) -> list[float]:
    """How the bright level (85th percentile) of 4x4 blocks varies: mostly free background."""
    side = THUMB_PX // _BLOCKS
    blocks = thumb.reshape(_BLOCKS, side, _BLOCKS, side, 3).transpose(0, 2, 4, 1, 3)
    place = int(0.85 * side * side)
    ordered = np.partition(blocks.reshape(_BLOCKS, _BLOCKS, 3, -1), place, axis=-1)
    bright = np.log(ordered[..., place] + 1.0)
    light = bright.mean(axis=-1)
    position = np.arange(_BLOCKS) - (_BLOCKS - 1) / 2
    slope = np.hypot((light.mean(0) * position).sum(), (light.mean(1) * position).sum())
    corners = light[[0, 0, -1, -1], [0, -1, 0, -1]].mean() - light[1:-1, 1:-1].mean()
    tint = (bright[..., [0, 2]] - bright[..., [1]]).std(axis=(0, 1))
    return [float(value) for value in (np.ptp(light), slope, corners, *tint)]


def _saturation(image: np.ndarray, thumb: np.ndarray) -> list[float]:
    """Share of values at either end, and how much colours differ from place to place."""
    ends = image.size - np.count_nonzero(image) + np.count_nonzero(image == 255)
    channels = cv2.split(thumb)
    opponent = [cv2.subtract(channels[c], channels[1], dtype=cv2.CV_16S) for c in (0, 2)]
    sds = [cv2.meanStdDev(part)[1].item() for part in opponent]
    return [_log(1e3 * ends / image.size), *map(_log, sds)]


def _percentiles(values: np.ndarray, percents: tuple[float, ...]) -> list[float]:
    """Percentiles of bytes, interpolated within a gray level: on whole numbers they are coarse."""
    counts = cv2.calcHist([values], [0], None, [256], [0, 256]).ravel()
    shares = np.cumsum(counts, dtype=np.float64) / values.size
    levels = []
    for percent in percents:
        level = int(np.searchsorted(shares, percent / 100))
        below = float(shares[level - 1]) if level else 0.0
        width = max(float(shares[level]) - below, 1e-9)
        levels.append(level + (percent / 100 - below) / width)
    return levels


def _log(value: float) -> float:
    return float(np.log(value + 0.1))
