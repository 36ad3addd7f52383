"""Form of the nucleus: lobes, necks, and whether it is a band."""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.refine import contour
from buffycoat.refine.region import Region

LEVELS = np.linspace(0.0, 0.96, 25)
"""Depths at which the nucleus is cut, over its largest depth."""
MIN_PROMINENCE = 2 / 3
"""How much narrower than a segment its neck is, from which it counts as one: a neck of less than a
third of the width, as hematologists tell segments from bands."""
MIN_PEAK = 0.3
"""Depth of a segment over the largest, from which it is one: smaller ones are threads."""
RIDGE_SLOPE = 0.75
"""The slope of the distance to the rim is 1 on a flank and falls on the ridge between two flanks;
under this a pixel is on the ridge."""
RIDGE_DEPTH = 0.35
"""Over the largest depth: what lies nearer to the rim is no ridge but a corner of the contour."""
RIDGE_SIGMA = 0.02
"""Over the diameter of a disc of the nucleus's area, against the grid of the pixels."""


def measure(region: Region) -> dict[str, float]:
    """Everything on the form of the nucleus.

    Args:
        region: A cell; its nucleus may be empty.

    Returns:
        Name -> value as in `features.FEATURES`; without the names that cannot be measured.
    """
    nucleus = region.nucleus
    if not region.nucleus_px:
        return {}
    values = {
        "nucleus_solidity": contour.solidity(nucleus),
        "nucleus_eccentricity": contour.eccentricity(nucleus),
        "nucleus_lobes": contour.lobes(nucleus),
    }
    radial = contour.profile(nucleus)
    if radial is None:
        return values
    count, deepest = contour.notches(nucleus)
    left, top, width, height = cv2.boundingRect(nucleus)
    padded = np.pad(nucleus[top : top + height, left : left + width], 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    segments = _segments(padded, depth)
    return (
        values
        | {
            "nucleus_roughness": radial.roughness(contour.FINE_HARMONICS),
            "nucleus_waviness": radial.roughness(contour.COARSE_HARMONICS),
            "nucleus_circularity": contour.circularity(nucleus),
            "nucleus_notches": count,
            "nucleus_notch_depth": deepest,
            "nucleus_hole_share": _holes(nucleus) / region.nucleus_px,
            "nucleus_span": _span(nucleus) / region.diameter_px,
        }
        | segments
        | _band(padded, depth, segments["nucleus_constriction"])
    )


def offset(region: Region) -> float:
    """Distance of the centroids of nucleus and cell, over the cell's radius."""
    own, whole = (cv2.moments(mask, binaryImage=True) for mask in (region.nucleus, region.cell))
    across, down = (own[at] / own["m00"] - whole[at] / whole["m00"] for at in ("m10", "m01"))
    return float(np.hypot(across, down) / (region.diameter_px / 2))


def _holes(mask: np.ndarray) -> int:
    """Pixels enclosed by the mask: those of a ring-shaped nucleus."""
    parts, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, parts, -1, 1, cv2.FILLED)
    return cv2.countNonZero(filled) - cv2.countNonZero(mask)


def _span(mask: np.ndarray) -> float:
    """Diameter in pixels of the smallest circle around all parts."""
    parts, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return 2 * cv2.minEnclosingCircle(np.concatenate(parts))[1]


def _segments(nucleus: np.ndarray, depth: np.ndarray) -> dict[str, float]:
    """Segments by prominence: cut at rising depths, and see when each peak is the highest left.

    The depth at which a peak first stands highest in a part of its own is half the width of its
    neck. The peak less that, over the peak, is how much narrower the neck is than the segment: 0
    for none, 1 for a part that no neck joins.
    """
    top = float(depth.max())
    high = np.argwhere((depth == cv2.dilate(depth, np.ones((3, 3), np.uint8))) & (nucleus > 0))
    height = depth[high[:, 0], high[:, 1]] / top
    order = np.argsort(-height, kind="stable")[: np.count_nonzero(height >= MIN_PEAK)]
    high, height = high[order], height[order]
    neck = height.copy()
    for level in LEVELS[::-1]:
        _, parts = cv2.connectedComponents((depth > level * top).view(np.uint8), connectivity=8)
        own = parts[high[:, 0], high[:, 1]]
        labels, highest = np.unique(own, return_index=True)
        neck[highest[labels > 0]] = level
    prominence = np.sort(1 - neck / height)[::-1]
    return {
        "nucleus_segments": float(max((prominence > MIN_PROMINENCE).sum(), 1)),
        "nucleus_constriction": float(prominence[1]) if len(prominence) > 1 else 0.0,
    }


def _band(nucleus: np.ndarray, depth: np.ndarray, constriction: float) -> dict[str, float]:
    """Width of the nucleus along its ridge, over the diameter of a disc of its area."""
    diameter = 2 * np.sqrt(cv2.countNonZero(nucleus) / np.pi)
    deepest = float(depth.max())
    smooth = cv2.GaussianBlur(depth, (0, 0), max(RIDGE_SIGMA * diameter, 0.5))
    slope = np.hypot(
        cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8),
    )
    ridge = depth[(slope < RIDGE_SLOPE) & (depth > RIDGE_DEPTH * deepest)]
    widths = 2 * (ridge if len(ridge) else np.array([deepest])) / diameter
    low, middle, high = np.percentile(widths, [10, 50, 90])
    width = 2 * deepest / diameter
    return {
        "nucleus_width": width,
        "nucleus_ridge_width": float(middle),
        "nucleus_evenness": float(low / high),
        # a drawn disc is a little wider than its area says
        "nucleus_bandness": (1 - constriction) * max(1 - width**2, 0.0),
    }
