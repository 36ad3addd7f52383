"""Form of the nucleus: lobes, necks, and whether it is a band."""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.refine import contour
from buffycoat.refine.region import Region
from buffycoat.statistics import quantile

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
    nucleus = region.nucleus_shape
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
    segments = _segments(nucleus.depth)
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
        | _band(nucleus, segments["nucleus_constriction"])
    )


def offset(region: Region) -> float:
    """Distance of the centroids of nucleus and cell, over the cell's radius."""
    own, whole = region.nucleus_shape.moments, region.cell_shape.moments
    across, down = (own[at] / own["m00"] - whole[at] / whole["m00"] for at in ("m10", "m01"))
    return float(np.hypot(across, down) / (region.diameter_px / 2))


def _holes(shape: contour.Shape) -> int:
    """Pixels enclosed by the mask: those of a ring-shaped nucleus."""
    filled = np.zeros_like(shape.mask)
    cv2.drawContours(filled, shape.parts, -1, 1, cv2.FILLED)
    return cv2.countNonZero(filled) - shape.area_px


def _span(shape: contour.Shape) -> float:
    """Diameter in pixels of the smallest circle around all parts."""
    return 2 * cv2.minEnclosingCircle(np.concatenate(shape.parts))[1]


def _segments(depth: np.ndarray) -> dict[str, float]:
    """Segments by prominence: cut at rising depths, and see when each peak is the highest left.

    The depth at which a peak first stands highest in a part of its own is half the width of its
    neck. The peak less that, over the peak, is how much narrower the neck is than the segment: 0
    for none, 1 for a part that no neck joins.
    """
    top = float(depth.max())
    is_peak = (depth == cv2.dilate(depth, np.ones((3, 3), np.uint8))) & (depth >= MIN_PEAK * top)
    high = np.flatnonzero(is_peak)
    height = depth.ravel()[high] / top
    order = np.argsort(-height, kind="stable")
    high, height = high[order], height[order]
    neck = height.copy()
    peaks = range(len(high) - 1, -1, -1)
    for level in LEVELS[::-1]:
        _, parts = cv2.connectedComponents((depth > level * top).view(np.uint8), connectivity=8)
        own = parts.ravel()[high]
        # of each part its first peak, which is its highest
        highest = list(dict(zip(own[::-1].tolist(), peaks, strict=True)).values())
        if len(highest) == 1 and own.all():  # so it stays at each lower level
            neck[0] = LEVELS[0]
            break
        highest = np.array(highest)
        neck[highest[own[highest] > 0]] = level
    prominence = np.sort(1 - neck / height)[::-1]
    return {
        "nucleus_segments": float(max((prominence > MIN_PROMINENCE).sum(), 1)),
        "nucleus_constriction": float(prominence[1]) if len(prominence) > 1 else 0.0,
    }


def _band(nucleus: contour.Shape, constriction: float) -> dict[str, float]:
    """Width of the nucleus along its ridge, over the diameter of a disc of its area."""
    depth = nucleus.depth
    diameter = 2 * np.sqrt(nucleus.area_px / np.pi)
    deepest = float(depth.max())
    smooth = cv2.GaussianBlur(depth, (0, 0), max(RIDGE_SIGMA * diameter, 0.5))
    slope = np.hypot(
        cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8),
    )
    ridge = depth[(slope < RIDGE_SLOPE) & (depth > RIDGE_DEPTH * deepest)]
    widths = 2 * (ridge if len(ridge) else np.array([deepest])) / diameter
    low, middle, high = (quantile(widths, share) for share in (0.1, 0.5, 0.9))
    width = 2 * deepest / diameter
    return {
        "nucleus_width": width,
        "nucleus_ridge_width": float(middle),
        "nucleus_evenness": float(low / high),
        # a drawn disc is a little wider than its area says
        "nucleus_bandness": (1 - constriction) * max(1 - width**2, 0.0),
    }
