"""Shape of a mask. A mask too small to have a shape gives NaN, never a made-up number."""

from __future__ import annotations

import cv2
import numpy as np

MIN_AREA_PX = 30
"""Masks with fewer pixels have no measurable contour: at a radius of three pixels the grid alone
moves spikiness by a tenth."""
CONTOUR_POINTS = 360


def spikiness(mask: np.ndarray) -> float:
    """Longest over median distance from the contour's centroid to the contour.

    As published in arXiv 2603.16249: near 1 for a smooth round cell, larger with blebs and
    villi. The contour is resampled evenly by arc length, so that its diagonal steps count as
    much as they are long.

    Args:
        mask: Shape (h, w), bool. Its largest part is measured.

    Returns:
        Unitless, >= 1; NaN under `MIN_AREA_PX` pixels.
    """
    contour = outline(mask)
    if contour is None:
        return float("nan")
    points = contour.astype(np.float64)
    steps = np.diff(points, axis=0, append=points[:1])
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))])
    closed = np.concatenate([points, points[:1]])
    at = np.linspace(0, lengths[-1], CONTOUR_POINTS, endpoint=False)
    even = np.stack([np.interp(at, lengths, closed[:, axis]) for axis in (0, 1)], axis=1)
    radii = np.linalg.norm(even - even.mean(axis=0), axis=1)
    return float(radii.max() / np.median(radii))


def solidity(mask: np.ndarray) -> float:
    """Area over the area of the convex hull of all its parts, 0-1; NaN if too small."""
    if np.count_nonzero(mask) < MIN_AREA_PX:
        return float("nan")
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull = np.zeros(mask.shape, dtype=np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return float(np.count_nonzero(mask) / np.count_nonzero(hull))


def eccentricity(mask: np.ndarray) -> float:
    """Of the ellipse with the same second moments: 0 a circle, near 1 a line; NaN if too small."""
    rows, columns = np.nonzero(mask)
    if len(rows) < MIN_AREA_PX:
        return float("nan")
    minor, major = np.linalg.eigvalsh(np.cov(rows, columns))
    return float(np.sqrt(max(0.0, 1.0 - minor / major)))


def lobes(mask: np.ndarray) -> float:
    """Lobes of a nucleus: parts left once its necks are cut.

    A neck is where the distance to the rim falls under `NECK` of the largest in that part.

    Args:
        mask: Nucleus, shape (h, w), bool.

    Returns:
        Number of lobes; NaN under `MIN_AREA_PX` pixels.
    """
    total = np.count_nonzero(mask)
    if total < MIN_AREA_PX:
        return float("nan")
    padded = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(padded, connectivity=4)
    found = 0
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_AREA] < MIN_LOBE_SHARE * total:
            continue
        inside = np.where(parts == part, depth, 0.0)
        cores = (inside > NECK * inside.max()).astype(np.uint8)
        _, _, core_stats, _ = cv2.connectedComponentsWithStats(cores, connectivity=8)
        found += int((core_stats[1:, cv2.CC_STAT_AREA] >= 2).sum())
    return float(found)


NECK = 0.7
"""Set by eye on the training cells of PBC."""
MIN_LOBE_SHARE = 0.05


def outline(mask: np.ndarray) -> np.ndarray | None:
    """Contour points (p, 2) as x, y of the largest part; None if it is too small."""
    contours, _ = cv2.findContours(
        np.ascontiguousarray(mask, dtype=np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not contours:
        return None
    largest = max(contours, key=cv2.contourArea)
    if cv2.contourArea(largest) < MIN_AREA_PX * 0.5 or np.count_nonzero(mask) < MIN_AREA_PX:
        return None
    return largest[:, 0, :]
