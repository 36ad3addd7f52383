"""Whether there was anything to undo: how much restoration changed, and whether it moved the white.

A restorer has an error of its own, which it leaves in every image, clean ones too. Where a fault is
smaller than that, as most blur is, the restored image is the worse one, however sharp it looks.
And a background that is photographed in another white than most is no fault of light.
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.restore.classical import WHITES

SMALL_PX = 128
"""Shorter side at which the background is measured; larger images are averaged down to it."""
WHITE_PERCENTILE = 90
"""The level of the free background."""
NOISE_SCALE = 0.03
"""Sigma that leaves hardly any noise in the background, as a share of the shorter side."""
FINE_SCALE = 0.036
"""Sigma over which a change is one of light or colour; finer ones are noise and sharpness."""

WHITE_COLOURS = np.log(np.array(WHITES)[:, [0, 2]]) - np.log(np.array(WHITES)[:, [1]])
"""Colours of known free backgrounds: logarithms of red and blue over green, shape (k, 2)."""
COLOUR_TOLERANCE = 0.03
"""Distance from a known colour within which a background's own is believed (ADR 15)."""


def change_size(original: np.ndarray, restored: np.ndarray) -> float:
    """Root mean square difference of two images (h, w, 3), uint8, in gray levels."""
    change = restored.astype(np.float64) - original
    return float(np.sqrt(np.mean(change**2)))


def white_shift(original: np.ndarray, restored: np.ndarray) -> float:
    """How far the background's level moved, beyond what the noise taken away may have hidden.

    Noise that is clipped at white lowers the level of a bright background by up to 0.4 of its
    standard deviation, so that a denoised background is rightly brighter. What was taken away at a
    fine scale is the noise, if there was any.

    Args:
        original: Shape (h, w, 3), uint8, RGB.
        restored: Same shape.

    Returns:
        Gray levels, of the channel that moved most; at most 0 where noise explains all of it.
    """
    moved = np.abs(_white(restored) - _white(original))
    change = restored.astype(np.float32) - original
    fine = change - _smooth(change, FINE_SCALE)
    return float((moved - np.sqrt(np.mean(fine**2, axis=(0, 1)))).max())


def leaves_known_white(original: np.ndarray, restored: np.ndarray) -> bool:
    """Whether a background of one known colour was given another one's.

    Only the colour counts: a known white under too little light may be brightened.

    Args:
        original: Shape (h, w, 3), uint8, RGB.
        restored: Same shape.
    """
    before, after = (
        np.abs(_colour(image) - WHITE_COLOURS).max(axis=1) for image in (original, restored)
    )
    return bool(before.min() <= COLOUR_TOLERANCE and before.argmin() != after.argmin())


def _colour(image: np.ndarray) -> np.ndarray:
    red, green, blue = np.log(_white(image) + 1.0)
    return np.array([red - green, blue - green])


def _white(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    factor = min(1.0, SMALL_PX / min(height, width))
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    calm = cv2.medianBlur(np.ascontiguousarray(image), 3)  # salt and pepper would survive a mean
    small = cv2.resize(calm, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.percentile(_smooth(small, NOISE_SCALE), WHITE_PERCENTILE, axis=(0, 1))


def _smooth(image: np.ndarray, scale: float) -> np.ndarray:
    sigma = max(scale * min(image.shape[:2]), 0.3)
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
