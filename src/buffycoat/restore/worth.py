"""Whether there was anything to undo: how much restoration changed, and whether it moved the white.

A restorer has an error of its own, which it leaves in every image, clean ones too. Where a fault is
smaller than that, as most blur is, the restored image is the worse one, however sharp it looks.
And a background that is photographed in another white than most is no fault of light.
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.restore.classical import WHITES
from buffycoat.restore.texture import small_copy, smooth
from buffycoat.statistics import quantile

Whites = tuple[np.ndarray, np.ndarray]
"""`background_level` of an original and of its restored image."""

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
    return cv2.norm(restored, original, cv2.NORM_L2) / original.size**0.5


def white_shift(original: np.ndarray, restored: np.ndarray, whites: Whites | None = None) -> float:
    """How far the background's level moved, beyond what the noise taken away may have hidden.

    Noise that is clipped at white lowers the level of a bright background by up to 0.4 of its
    standard deviation, so that a denoised background is rightly brighter. What was taken away at a
    fine scale is the noise, if there was any.

    Args:
        original: Shape (h, w, 3), uint8, RGB.
        restored: Same shape.
        whites: Their background levels; measured if not given.

    Returns:
        Gray levels, of the channel that moved most; at most 0 where noise explains all of it.
    """
    before, after = whites or _whites(original, restored)
    moved = np.abs(after - before)
    change = cv2.subtract(restored, original, dtype=cv2.CV_32F)
    fine = cv2.subtract(change, smooth(change, FINE_SCALE))
    power = np.array(cv2.mean(cv2.multiply(fine, fine))[:3])
    return float((moved - np.sqrt(power)).max())


def leaves_known_white(
    original: np.ndarray, restored: np.ndarray, whites: Whites | None = None
) -> bool:
    """Whether a background of one known colour was given another one's.

    Only the colour counts: a known white under too little light may be brightened.

    Args:
        original: Shape (h, w, 3), uint8, RGB.
        restored: Same shape.
        whites: Their background levels; measured if not given.
    """
    before, after = (
        np.abs(_colour(white) - WHITE_COLOURS).max(axis=1)
        for white in whites or _whites(original, restored)
    )
    return bool(before.min() <= COLOUR_TOLERANCE and before.argmin() != after.argmin())


def background_level(small: np.ndarray) -> np.ndarray:
    """Level of the free background of each channel, shape (3,), of a `texture.small_copy`."""
    channels = cv2.split(smooth(small, NOISE_SCALE))
    return np.array([quantile(channel.ravel(), WHITE_PERCENTILE / 100) for channel in channels])


def _whites(original: np.ndarray, restored: np.ndarray) -> Whites:
    return background_level(small_copy(original)), background_level(small_copy(restored))


def _colour(white: np.ndarray) -> np.ndarray:
    red, green, blue = np.log(white + 1.0)
    return np.array([red - green, blue - green])
