"""Optical density of a field against its own background, and what of it shows the smear."""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat import white
from buffycoat.statistics import quantile

SURROUND_LEVEL = 0.4
"""Of the field's bright level, under which what reaches a corner is the microscope's black
surround; the darkest nuclei keep more than that in their brightest channel, blue."""
FIT_SAMPLES = 120
"""Along the shorter side, that the white surface is fitted to."""
BRIGHT_SHARE = 0.88
"""Quantile of green where the search for the background begins, as in `segment.contrast`."""


def surround(image: np.ndarray) -> np.ndarray:
    """The black around a round field: what is dark in every channel and reaches a corner.

    Args:
        image: Shape (h, w, 3), uint8, RGB.

    Returns:
        Shape (h, w), bool.
    """
    brightest = cv2.blur(image.max(axis=2), (3, 3))
    level = quantile(brightest[::4, ::4].ravel(), 0.95)
    dark = (brightest < SURROUND_LEVEL * level).astype(np.uint8)
    corners = (dark[0, 0], dark[0, -1], dark[-1, 0], dark[-1, -1])
    if not any(corners):
        return dark.astype(bool) & False
    labels = cv2.connectedComponents(dark, connectivity=4)[1]
    found = {labels[0, 0], labels[0, -1], labels[-1, 0], labels[-1, -1]} - {0}
    return np.isin(labels, list(found))


def optical_density(image: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Absorption of each channel relative to the local white.

    Args:
        image: Shape (h, w, 3), uint8, RGB.
        outside: What is not smear, shape (h, w), bool; its density is 0.

    Returns:
        Shape (h, w, 3), float32, natural log units; 0 is the background, larger is darker.
    """
    logs = cv2.LUT(cv2.medianBlur(image, 3), white.LOGS)
    step = max(1, min(image.shape[:2]) // FIT_SAMPLES)
    down, across = (white.powers(np.linspace(-1, 1, side)) for side in image.shape[:2])
    grid = np.s_[::step, ::step]
    factors = white.fit(logs[grid], ~outside[grid], down[::step], across[::step], BRIGHT_SHARE)
    density = white.surface(factors, down, across) - logs
    density[outside] = 0
    return density
