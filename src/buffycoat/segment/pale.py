"""Pale pictures: how much stronger their stain must be made for the limits of home to hold.

Where little stain, low contrast or a tone curve leave chromatin under `nucleus.MIN_PURPLE`, how
dark it is does not tell a nucleus from a red cell. The picture itself does: a nucleus is a compact
patch that is clearly more purple than everything else in it. Limits were chosen on cells of PBC
made pale, with casts, uneven light and noise, and on pictures of its red cells alone (ADR 31).
"""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.segment.masks import box_around
from buffycoat.segment.nucleus import MIN_PURPLE, central_nucleus
from buffycoat.statistics import quantile

LEAST_PURPLE = 0.1
"""Mean purple index of a nucleus (natural log units) under which 8 bits do not show one."""
LEAST_SHARE = 0.5
"""Purple index over the density of all channels; red cells of PBC have 0.41 to 0.54, its nuclei
0.7 to 0.8."""
LEAST_RATIO = 1.8
"""Purple index of a nucleus over that of the rest of the picture."""
REST = 0.9
"""Quantile that stands for the rest: the most purple of red cells and cytoplasm."""
MARGIN_PX = 4
"""Around a nucleus, where its blurred edge belongs to neither."""
LEAST_RADIUS = 0.05
"""Of the largest circle in a nucleus, over the side of the picture: what is thinner is the rim of a
red cell or a platelet. One in fifty nuclei of PBC has less than 0.06."""
CHROMATIN = 2.0
"""Purple index that nuclei are brought to; those of PBC lie between 1.5 and 2.8."""
MOST_GAIN = 8.0
"""Factor on a pale picture's densities, at most, as in `fields.outlines`."""
BLUR_PX = 1.5
"""Sigma over which they are averaged, as noise grows with them; of 0 to 3 the best outlines."""
LEAST_PLAUSIBLE = 0.5
"""Quality of the masks under which a pale picture shows no cell, as in `fields.outlines`."""


def gain(density: np.ndarray, purple: np.ndarray, threshold: float) -> float:
    """Factor by which a picture's densities are to be multiplied; 1 unless it shows a pale nucleus.

    Args:
        density: Optical density, shape (h, w, 3), h = w.
        purple: Smoothed purple index, shape (h, w).
        threshold: Of the purple index, above which a pixel is chromatin.
    """
    if not 0 < threshold < MIN_PURPLE:
        return 1.0
    nucleus, _ = central_nucleus(purple, threshold)
    if not nucleus.any() or not _is_compact(nucleus):
        return 1.0
    own = float(purple[nucleus].mean())
    whole = float(density[nucleus].sum(axis=1).mean())
    if own < max(LEAST_PURPLE, LEAST_SHARE * whole, LEAST_RATIO * _rest(purple, nucleus)):
        return 1.0
    return min(CHROMATIN / own, MOST_GAIN)


def strengthened(density: np.ndarray, gain: float) -> np.ndarray:
    """The densities of a pale picture as a stronger stain would have them, shape (h, w, 3)."""
    return gain * cv2.GaussianBlur(density, (0, 0), BLUR_PX)


def _is_compact(nucleus: np.ndarray) -> bool:
    cut = np.pad(nucleus[box_around(nucleus, 1)].view(np.uint8), 1)
    radius_px = cv2.distanceTransform(cut, cv2.DIST_L2, 5).max()
    return bool(radius_px >= LEAST_RADIUS * len(nucleus))


def _rest(purple: np.ndarray, nucleus: np.ndarray) -> float:
    """How purple the rest of the picture is; without a rest, as the nucleus is."""
    size = (2 * MARGIN_PX + 1, 2 * MARGIN_PX + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size)
    rest = purple[cv2.dilate(nucleus.view(np.uint8), kernel) == 0]
    return quantile(rest, REST) if rest.size else float(purple[nucleus].mean())
