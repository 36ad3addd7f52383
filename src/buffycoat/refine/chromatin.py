"""Texture of the chromatin, as absorption relative to the white around the cell."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from buffycoat.refine.region import MIN_ABSORPTION, Region
from buffycoat.statistics import quantile

RIM_SHARE = 0.03
"""Of the cell's diameter: what is taken off the nucleus's rim, where the edge is blurred."""
MIN_CHROMATIN_PX = 30
SIGMA_SHARES = (0.008, 0.02, 0.05)
"""Sigmas between which fine and coarse texture lie, over the cell's diameter."""
MIN_SIGMA_PX = 0.3
MIN_WEIGHT = 1e-3
STRAIGHT_STEP, SLANTED_STEP = 0.955, 1.3693
"""Lengths of the steps between neighbours that come nearest to Euclid's distance (Borgefors,
Computer Vision, Graphics, and Image Processing 34:344, 1986), as OpenCV has them."""
PALE = 0.8
"""Of the median absorption, under which chromatin counts as pale."""


def measure(region: Region) -> dict[str, float]:
    """Everything on the chromatin.

    Args:
        region: A cell; its nucleus may be empty.

    Returns:
        Name -> value as in `features.FEATURES`; without the names that cannot be measured.
    """
    if not region.nucleus_px:
        return {}
    values = {"chromatin_sd": float(cv2.meanStdDev(region.gray, mask=region.nucleus)[1][0, 0])}
    left, top, width, height = cv2.boundingRect(region.nucleus)
    box = slice(top, top + height), slice(left, left + width)
    nucleus, density, total = region.nucleus[box], region.density[box], region.absorption[box]
    inner = shrunk(nucleus, region.length_px(RIM_SHARE))
    if cv2.countNonZero(inner) < MIN_CHROMATIN_PX:
        return values
    own = total[inner.view(bool)]
    mean, middle = float(own.mean()), quantile(own, 0.5)
    if mean < MIN_ABSORPTION:
        return values | {"chromatin_density": mean}
    sigmas = [region.length_px(share) for share in SIGMA_SHARES]
    fine, middling, coarse = smoothed(total, nucleus, sigmas)
    red, _, blue, _ = cv2.mean(density, mask=inner)
    return values | {
        "chromatin_density": mean,
        "chromatin_contrast": float(own.std() / mean),
        "chromatin_clumping": _spread(fine - middling, inner) / mean,
        "chromatin_coarseness": _spread(middling - coarse, inner) / mean,
        "chromatin_pale_share": float((own < PALE * middle).mean()),
        "chromatin_redness": float(blue / red) if red > MIN_ABSORPTION else float("nan"),
    }


def _spread(values: np.ndarray, mask: np.ndarray) -> float:
    return float(cv2.meanStdDev(values, mask=mask)[1][0, 0])


def shrunk(mask: np.ndarray, by_px: float) -> np.ndarray:
    """The mask less a rim; beyond the array all is outside.

    Args:
        mask: Shape (h, w), uint8, 0 or 1.
        by_px: Width of the rim: pixels that are no farther from one outside are taken off.

    Returns:
        Same shape and type.
    """
    reach = int(by_px / STRAIGHT_STEP)
    away = np.abs(np.arange(-reach, reach + 1))
    shorter, longer = np.minimum(away[:, None], away), np.maximum(away[:, None], away)
    is_near = STRAIGHT_STEP * (longer - shorter) + SLANTED_STEP * shorter <= by_px
    return cv2.erode(mask, is_near.view(np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)


def smoothed(values: np.ndarray, mask: np.ndarray, sigmas_px: Sequence[float]) -> list[np.ndarray]:
    """Gaussian blurs of what lies in a mask, by itself: what lies outside has no weight.

    Args:
        values: Shape (h, w), float32.
        mask: Shape (h, w), uint8, 0 or 1; not empty.
        sigmas_px: Width of each blur.

    Returns:
        For each sigma, shape (h, w), float32; of no meaning far from the mask.
    """
    own = mask.astype(np.float32)
    inside = values * own
    blurs = []
    for sigma in sigmas_px:
        wide = max(sigma, MIN_SIGMA_PX)
        total, weight = (
            cv2.GaussianBlur(part, (0, 0), wide, borderType=cv2.BORDER_CONSTANT)
            for part in (inside, own)
        )
        blurs.append(total / np.maximum(weight, MIN_WEIGHT))
    return blurs
