"""Colour of the cytoplasm, its granules and vacuoles, and the halo around the nucleus."""

from __future__ import annotations

import math

import cv2
import numpy as np

from buffycoat.refine.chromatin import shrunk, smoothed
from buffycoat.refine.region import MIN_ABSORPTION, SMOOTH_SHARE, Region
from buffycoat.statistics import quantile

MIN_CYTOPLASM_PX = 10
RIM_SHARE = 0.02
"""Of the cell's diameter: what is taken off the cytoplasm's rims, where edges are blurred."""
GRANULE_SIGMA = 0.025
"""Over the cell's diameter: what a granule is compared with is smoothed by this."""
GRANULE_DEPTH = 0.25
"""Of the cytoplasm's median absorption, by which a granule absorbs more than its surroundings.
Ours, not fitted."""
GRANULE_RIMS = (0.05, 0.04)
"""Distances to nucleus and contour, over the cell's diameter, within which no granule is sought:
a blurred edge looks like grains."""
NEAR, FAR = (0.03, 0.08), (0.12, 0.22)
"""Distances from the nucleus, over the cell's diameter, that the halo is looked for between."""
HALO_PERCENTILE = 33
VACUOLE_DEPTH = 0.45
"""Share of the cytoplasm's absorption that a vacuole lacks. This and the smallest area were raised
until half of PBC's training cells that pathologists call free of vacuoles had at most one."""
VACUOLE_ROUNDNESS = 0.5
"""Of a vacuole, by second moments: 1 a disc, 0.5 an ellipse 3.7 times as long as wide, less a
crack or an arc. Whichever way it lies. On PBC's training cells the area of vacuoles tells cells
with them better than at 0.6 or 0.7 (AUROC 0.896, 0.891, 0.885)."""
VACUOLE_AREAS = (1e-3, 0.08)
"""Smallest and largest vacuole, over the area of the cell."""


def measure(region: Region) -> dict[str, float]:
    """Everything on the cytoplasm, and the vacuoles of the whole cell.

    Args:
        region: A cell.

    Returns:
        Name -> value as in `features.FEATURES`; without the names that cannot be measured.
    """
    if cv2.countNonZero(region.cytoplasm) < MIN_CYTOPLASM_PX:
        return {}
    values = {"granularity": _granularity(region)}
    inner = shrunk(region.cytoplasm, region.length_px(RIM_SHARE))
    if cv2.countNonZero(inner) < MIN_CYTOPLASM_PX:
        return values
    away = cv2.distanceTransform(1 - region.nucleus, cv2.DIST_L2, 5) / region.diameter_px
    values |= _colour(region, inner) | _granules(region, away)
    return values | _halo(region, away) | _vacuoles(region, inner)


def hue(density: np.ndarray) -> float:
    """Hue of light that a density lets through.

    Args:
        density: Shape (3,), natural log units.

    Returns:
        Degrees from 180 to 540: 240 is blue, 300 purple, 360 red, 420 yellow. So no hue of a
        Romanowsky stain lies at the seam. NaN for a gray, which has no hue: channels that differ
        by less than `MIN_ABSORPTION`.
    """
    if max(density) - min(density) < MIN_ABSORPTION:
        return float("nan")
    red, green, blue = (math.exp(-value) for value in density)
    angle = math.degrees(math.atan2(math.sqrt(3.0) * (green - blue), 2 * red - green - blue)) % 360
    return angle + 360 * (angle < 180)


def _granularity(region: Region) -> float:
    sigma = max(SMOOTH_SHARE * min(region.image.shape[:2]), 0.5)
    gray = region.gray.astype(np.float32)
    (smooth,) = smoothed(gray, region.cytoplasm, [sigma])
    return cv2.mean(cv2.absdiff(gray, smooth), mask=region.cytoplasm)[0]


def _colour(region: Region, inner: np.ndarray) -> dict[str, float]:
    mean, spread = cv2.meanStdDev(region.density, mask=inner)
    red, green, blue = mean[:, 0]
    density = float(red + green + blue)
    total = max(density, MIN_ABSORPTION)
    return {
        "cytoplasm_hue": hue(mean[:, 0]),
        "cytoplasm_density": density,
        "basophilia": float((red - blue) / total),
        "cytoplasm_unevenness": float(np.sqrt((spread**2).sum()) / total),
    }


def _granules(region: Region, away: np.ndarray) -> dict[str, float]:
    whole = shrunk(region.cell, region.length_px(GRANULE_RIMS[1])).view(bool)
    own = whole & (away > GRANULE_RIMS[0])
    if np.count_nonzero(own) < MIN_CYTOPLASM_PX:
        return {}
    sigma = region.length_px(GRANULE_SIGMA)
    (smooth,) = smoothed(region.absorption, region.cytoplasm, [sigma])
    over = region.absorption - smooth
    level = max(quantile(region.absorption[own], 0.5), MIN_ABSORPTION)
    grains = (own & (over > GRANULE_DEPTH * level)).view(np.uint8)
    count = cv2.countNonZero(grains)
    values = {
        "granule_share": count / np.count_nonzero(own),
        "granule_contrast": float(over[own].std() / level),
    }
    if count < MIN_CYTOPLASM_PX:
        return values
    colour = np.array(cv2.mean(region.density, mask=grains)[:3])
    total = max(float(colour.sum()), MIN_ABSORPTION)
    return values | {
        "granule_hue": hue(colour),
        "granule_redness": float((colour[2] - colour[0]) / total),
    }


def _halo(region: Region, away: np.ndarray) -> dict[str, float]:
    if not region.nucleus_px:
        return {}
    own = (region.cytoplasm & shrunk(region.cell, region.length_px(RIM_SHARE))).view(bool)
    near = region.absorption[own & (away > NEAR[0]) & (away < NEAR[1])]
    far = region.absorption[own & (away > FAR[0]) & (away < FAR[1])]
    if min(len(near), len(far)) < MIN_CYTOPLASM_PX:
        return {}
    level = quantile(region.absorption[own], 0.5)
    if level < MIN_ABSORPTION:
        return {}
    # the paler third and not the mean: a halo lies on one side; of both, lest grains make one
    next_to, beyond = (quantile(part, HALO_PERCENTILE / 100) for part in (near, far))
    return {"perinuclear_halo": (beyond - next_to) / level}


def _vacuoles(region: Region, inner: np.ndarray) -> dict[str, float]:
    """Pale round spots well within the cell, whether in the cytoplasm or over the nucleus."""
    level = quantile(region.absorption[inner.view(bool)], 0.5)
    if level < MIN_ABSORPTION:  # cytoplasm as white as the background: nothing is paler
        return {}
    parts = region.cell_shape.parts
    body = np.zeros_like(region.cell)
    cv2.drawContours(body, [cv2.convexHull(max(parts, key=cv2.contourArea))], -1, 1, cv2.FILLED)
    pale = (region.absorption < (1 - VACUOLE_DEPTH) * level) & (body > 0)
    count, labels = cv2.connectedComponents(pale.view(np.uint8), connectivity=4)
    within = shrunk(body, region.length_px(RIM_SHARE)).view(bool)
    whole = np.bincount(labels[within], minlength=count)
    area, roundness = _roundness(labels, count)
    share = area / region.cell_px
    keep = (whole == area) & (share >= VACUOLE_AREAS[0]) & (share <= VACUOLE_AREAS[1])
    keep &= roundness > VACUOLE_ROUNDNESS
    keep[0] = False
    return {
        "vacuoles": float(keep.sum()),
        "vacuole_share": float(share[keep].sum()),
        "largest_vacuole": float(share[keep].max(initial=0.0)),
    }


def _roundness(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Area of each part, and the second moment of a disc of that area over its own.

    Args:
        labels: Shape (h, w), of the parts; 0 is none of them.
        count: Parts, and one.

    Returns:
        Each of shape (count,); 0 at what is no part.
    """
    place = np.flatnonzero(labels)
    y, x = np.divmod(place, labels.shape[1])
    part = labels.ravel()[place]
    area = np.bincount(part, minlength=count).astype(np.float64)
    own = np.maximum(area, 1)
    spread = np.zeros(count)
    for at in (x, y):
        mean = np.bincount(part, weights=at, minlength=count) / own
        spread += np.bincount(part, weights=(at - mean[part]) ** 2, minlength=count)
    spread += area / 6  # a pixel is a square, not a point
    return area, area**2 / (2 * np.pi * np.maximum(spread, 1e-9))
