"""How far a field can be counted in: enough red cells, not piled up, in focus and stained.

All measures are made where a red cell is `RED_PX` wide, so they do not depend on the
magnification.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.fields.nuclei import RED_PX
from buffycoat.fields.red_cells import LEAST_CELLS
from buffycoat.statistics import quantile

MOST_COVERED = 0.85
"""Of the smear, that red cells may cover: beyond, they lie on each other and white cells are
hidden or shrunk. Fields of the four sites cover 0.2 to 0.75."""
LEAST_COVERED = 0.03
"""Under which a field lies outside the smear's body."""
MOST_EDGE = 0.3
"""Width of a red cell's edge over its diameter, at most; sharp fields have 0.08 to 0.2."""
LEAST_STAIN = 0.03
"""Green density of red cells, natural log units, under which a field is not stained or
overexposed."""
LEAST_COLOUR = 8
"""Gray levels that some pixel's channels differ by in a picture of colours."""
_LEVELS = 170
"""Of a unit of density: up to 1.5 of it in 8 bits."""


@dataclass(frozen=True)
class FieldQuality:
    """What a field is like.

    Attributes:
        red_count: Red cells seen.
        covered: Part of the smear that is stained, 0 to 1.
        edge: Distance over which the density rises at sharp edges, in red-cell diameters.
        stain: Green density of red cells, natural log units.
        has_colour: Whether the channels differ.
    """

    red_count: int
    covered: float
    edge: float
    stain: float
    has_colour: bool

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the field should not be counted; empty for a good one."""
        found = (
            (self.red_count < LEAST_CELLS, "no red cells"),
            (self.covered > MOST_COVERED, "too thick"),
            (self.covered < LEAST_COVERED, "too thin"),
            (self.edge > MOST_EDGE, "out of focus"),
            (self.stain < LEAST_STAIN, "hardly stained"),
            (not self.has_colour, "without colour"),
        )
        return tuple(words for is_so, words in found if is_so)


def is_coloured(image: np.ndarray) -> bool:
    """Whether a field (h, w, 3), uint8, is more than a gray picture."""
    sample = image[::4, ::4]
    return bool((sample.max(axis=2) - sample.min(axis=2)).max() >= LEAST_COLOUR)


def measure(
    density: np.ndarray, is_ground: np.ndarray, red_count: int, has_colour: bool
) -> FieldQuality:
    """Quality of a field.

    Args:
        density: Of green at `RED_PX`, shape (h, w), float32.
        is_ground: Smear without nuclei, shape (h, w), bool.
        red_count: Red cells seen.
        has_colour: See `is_coloured`.
    """
    is_stained, stain = stained(density, is_ground)
    covered = float(is_stained[is_ground].mean()) if is_ground.any() else 0.0
    soft = cv2.GaussianBlur(density, (0, 0), 1.0)
    slope = cv2.magnitude(
        cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=0.125),
        cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3, scale=0.125),
    )
    solid, kernel = is_stained.astype(np.uint8), np.ones((3, 3), np.uint8)
    rim = (cv2.dilate(solid, kernel) > cv2.erode(solid, kernel)) & is_ground
    steep = quantile(slope[rim], 0.75) if rim.any() else 0.0
    edge = stain / max(steep, 1e-4) / RED_PX
    return FieldQuality(red_count, covered, edge, stain, has_colour)


def stained(density: np.ndarray, is_ground: np.ndarray) -> tuple[np.ndarray, float]:
    """Red cells, by Otsu's threshold, and the median density of them.

    Args:
        density: Of green, shape (h, w), float32.
        is_ground: Smear without nuclei, shape (h, w), bool.

    Returns:
        Shape (h, w), bool; natural log units, 0 where nothing is stained.
    """
    levels = np.clip(density * _LEVELS, 0, 255).astype(np.uint8)
    sample = levels[::2, ::2][is_ground[::2, ::2]]
    if not sample.size:
        return np.zeros(density.shape, dtype=bool), 0.0
    limit, _ = cv2.threshold(sample, 0, 255, cv2.THRESH_OTSU)
    found = (levels > limit) & is_ground
    some = density[::2, ::2][found[::2, ::2]]
    return found, float(np.median(some)) if some.size else 0.0
