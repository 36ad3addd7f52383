"""The closed contour of the cell around a known nucleus.

Seen from the nucleus a cell is nearly star-shaped, so its contour is one radius for each angle.
Dynamic programming finds the closed contour with the largest sum of a region term (pixels inside
look like cytoplasm, neither background nor red cell) and an edge term, with a bounded slope.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from buffycoat.segment import contrast
from buffycoat.statistics import quantile

ANGLES = 80
RADII = 96
MAX_STEP = 3
"""Largest change of radius, in samples, from one angle to the next."""
EDGE_WEIGHT = 6.0
STEP_COST = 0.35
MIN_SAMPLE = 40
"""Pixels needed of cytoplasm and of red cells before their colours are told apart."""
_WEIGHTS: np.ndarray = 0.3 + np.arange(RADII, dtype=np.float32) / 30.0
_TURN: np.ndarray = 2 * np.pi * np.arange(ANGLES) / ANGLES
_DIRECTIONS: np.ndarray = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_STEP_COSTS: np.ndarray = (STEP_COST * np.abs(np.arange(-MAX_STEP, MAX_STEP + 1))).astype(
    np.float32
)[:, None]


def find_cell(
    density: np.ndarray, nucleus: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cell mask around a nucleus.

    Args:
        density: Optical density, shape (h, w, 3), h = w.
        nucleus: Shape (h, w), bool, not empty.
        others: Nuclei of other white cells, shape (h, w), bool.

    Returns:
        Cell and nucleus, each (h, w), bool. The nucleus loses what lies outside the contour.
    """
    near = _distance_from(nucleus)
    total = contrast.total(density)
    stain = cv2.transform(density, np.array([[1, 1, 0]], np.float32))
    limit = _background_limit(stain, near)
    is_stained = stain > limit
    region = np.clip((stain - limit) / (0.5 * limit), -1.0, 1.0)
    far = _red_sample(is_stained, nucleus, others)
    beside = is_stained & (near > 2)
    inside = beside & (near < 0.06 * len(near))
    red = _Colours.of(density, far)
    seen = _Seen.of(*_clipped(density, total, near, limit), nucleus)
    cell = nucleus
    for _ in range(2):
        score = np.minimum(region, _cytoplasm_score(density, inside & ~far, red))
        score[others] = -2.0
        score[nucleus] = 1.0
        cell = _best_contour(score, seen)
        inside = cell & beside
    cell = _tidy(cell, stain, limit, nucleus)
    return cell, nucleus & cell


def fill_pale_chromatin(mask: np.ndarray, is_tinted: np.ndarray) -> np.ndarray:
    """Fill the holes of a nucleus that are pale chromatin, not cytoplasm.

    A hole is filled when it is a pinhole, or small and mostly still tinted; the cytoplasm inside
    a ring nucleus is neither.

    Args:
        mask: Nucleus, shape (h, w), bool.
        is_tinted: Pixels at least half as purple as chromatin, shape (h, w), bool.

    Returns:
        Shape (h, w), bool.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    closed = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, kernel).view(bool)
    closed = mask | (closed & is_tinted)
    labels, area = _components(~closed)
    total = int(np.count_nonzero(closed))
    is_small = area < 0.15 * total
    is_small[0] = False
    if not is_small.any():
        return closed
    tinted = np.bincount(labels[is_tinted], minlength=len(area)) / area
    fill = is_small & ((area < 0.01 * total) | (tinted > 0.6))
    return closed | fill[labels]


def _components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label of each pixel, 0 outside the mask, and the area under each label, that one first."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    return labels, stats[:, cv2.CC_STAT_AREA]


def _distance_from(mask: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 5)


def _background_limit(stain: np.ndarray, near: np.ndarray) -> float:
    """Stain above which a pixel is not background: a share of the cytoplasm's own."""
    ring = stain[(near > 2) & (near < 0.05 * len(near))]
    ring = ring[ring > 0.05]
    level = quantile(ring, 0.5) if ring.size else 0.3
    return float(np.clip(0.4 * level, 0.08, 0.25))


def _red_sample(stained: np.ndarray, nucleus: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pixels that are surely not the central cell: other components, and the image's border."""
    side = len(stained)
    labels, area = _components(stained)
    is_apart = np.ones(len(area), dtype=bool)
    is_apart[labels[nucleus]] = False
    is_apart[0] = False
    apart = is_apart[labels]
    band = np.ones_like(stained)
    edge = side // 12
    band[edge:-edge, edge:-edge] = False
    if others.any():
        reach = _distance_from(others) < 0.12 * side
        apart &= ~reach
        band &= ~reach
    return apart | (band & stained)


class _Colours(NamedTuple):
    """Densities of some pixels.

    Attributes:
        values: Shape (n, 3), float64.
        mean: Shape (3,); of no pixel: 0.
        spread: Their covariance, shape (3, 3).
    """

    values: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, density: np.ndarray, mask: np.ndarray) -> _Colours:
        """Of a mask, shape (h, w), bool."""
        places = np.flatnonzero(mask)
        return cls.among(density.reshape(-1, 3).take(places, axis=0).astype(np.float64))

    @classmethod
    def among(cls, values: np.ndarray) -> _Colours:
        """Of pixels, shape (n, 3)."""
        n = len(values)
        mean = (np.ones(n) @ values) / max(n, 1)
        spread = (values.T @ values - n * np.outer(mean, mean)) / max(n - 1, 1)
        return cls(values, mean, spread)


def _cytoplasm_score(density: np.ndarray, inside: np.ndarray, red: _Colours) -> np.ndarray:
    """Log-likelihood ratio of cytoplasm to red cell, from a shared-covariance Gaussian each.

    Returns:
        Shape (h, w), in [-1, 1]; all 1 where one of the samples is too small.
    """
    sample = cytoplasm = _Colours.of(density, inside)
    if min(len(sample.values), len(red.values)) < MIN_SAMPLE:
        return np.ones(inside.shape, dtype=np.float32)
    for _ in range(2):
        spread = (cytoplasm.spread + red.spread) / 2 + 1e-3 * np.eye(3)
        weights = np.linalg.solve(spread, cytoplasm.mean - red.mean)
        offset = weights @ (cytoplasm.mean + red.mean) / 2
        agrees = np.flatnonzero(sample.values @ weights > offset)
        if len(agrees) < max(MIN_SAMPLE, 0.3 * len(sample.values)):
            break
        cytoplasm = _Colours.among(sample.values.take(agrees, axis=0))
    score = cv2.transform(density, np.append(0.5 * weights, 0.35 - 0.5 * offset)[None])
    return np.clip(score, -1.0, 1.0, out=score)


def _clipped(
    density: np.ndarray, total: np.ndarray, near: np.ndarray, limit: float
) -> tuple[np.ndarray, float]:
    """Density whose dark end is cut at the cytoplasm's level, so that the nucleus has no edge.

    Returns:
        Shape (h, w, 3), float32, and the level of its channels together.
    """
    places = np.flatnonzero((near > 2) & (near < 0.06 * len(near)) & (total > limit))
    level = np.full(3, 0.3)
    if len(places):
        ring = density.reshape(-1, 3).take(places, axis=0).T
        level = np.array([quantile(channel, 0.6) for channel in ring])
    level = np.maximum(level, 0.12)
    lowest, highest = (-0.1, -0.1, -0.1, 0.0), (*level.tolist(), 0.0)
    clipped = cv2.max(density, lowest)  # pyright: ignore[reportCallIssue, reportArgumentType]
    clipped = cv2.min(clipped, highest)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return clipped, float(level.sum())


class _Seen(NamedTuple):
    """What both rounds see from the nucleus: everything but the score.

    Attributes:
        centre: Of the nucleus, x and y.
        reach: Radius of the last sample, in pixels.
        gain: What a contour gains by its edge, shape (`ANGLES`, `RADII`).
        is_within: Samples before the end of the nucleus, same shape.
    """

    centre: tuple[float, float]
    reach: float
    gain: np.ndarray
    is_within: np.ndarray

    @classmethod
    def of(cls, colour: np.ndarray, level: float, nucleus: np.ndarray) -> _Seen:
        """From the clipped density (h, w, 3), its level and the nucleus (h, w)."""
        moments = cv2.moments(nucleus.view(np.uint8), binaryImage=True)
        centre = (moments["m10"] / moments["m00"], moments["m01"] / moments["m00"])
        reach = 0.62 * len(nucleus)
        polar = cv2.GaussianBlur(_unroll(colour, centre, reach), (3, 5), 0)
        gain = np.zeros((ANGLES, RADII), dtype=np.float32)
        gain[:, 2:-2] = contrast.total(cv2.absdiff(polar[:, :-4], polar[:, 4:]))
        gain *= EDGE_WEIGHT / level
        chromatin = _unroll(nucleus, centre, reach) > 0.5
        last = np.where(chromatin.any(axis=1), RADII - 1 - chromatin[:, ::-1].argmax(axis=1), 0)
        return cls(centre, reach, gain, np.arange(RADII) < last[:, None])


def _unroll(image: np.ndarray, centre: tuple[float, float], reach: float) -> np.ndarray:
    """The image seen from a place, shape (`ANGLES`, `RADII`) or (..., 3), float32."""
    return cv2.warpPolar(
        image.astype(np.float32, copy=False),
        (RADII, ANGLES),
        centre,
        reach,
        cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS,
    )


def _best_contour(score: np.ndarray, seen: _Seen) -> np.ndarray:
    gain = np.cumsum(_unroll(score, seen.centre, seen.reach) * _WEIGHTS, axis=1)
    gain += seen.gain
    gain[seen.is_within] -= 50.0
    length = (_closed_path(gain) + 0.5) * seen.reach / RADII
    points = seen.centre + length[:, None] * _DIRECTIONS
    mask = np.zeros(score.shape, dtype=np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask.view(bool)


def _closed_path(gain: np.ndarray) -> np.ndarray:
    """One radius for each angle with the largest total gain; half a turn more closes it.

    Paths run from both ends towards the middle, two angles at a time, and the best pair meets.
    """
    overlap = ANGLES // 4
    looped = np.concatenate([gain, gain[: 2 * overlap]])
    middle = len(looped) // 2
    # (angles, 2, radii): what a path from either end has gained; beyond the radii is no way
    best = np.full((middle, 2, RADII + 2 * MAX_STEP), -np.inf, dtype=np.float32)
    inner = best[:, :, MAX_STEP:-MAX_STEP]
    inner[:, 0], inner[:, 1] = looped[:middle], looped[: middle - 1 : -1]
    around = np.lib.stride_tricks.sliding_window_view(best, RADII, axis=2)
    options = np.empty((2, len(_STEP_COSTS), RADII), dtype=np.float32)
    reached = np.empty((2, RADII), dtype=np.float32)
    for angle in range(1, middle):
        np.subtract(around[angle - 1], _STEP_COSTS, out=options)
        np.maximum.reduce(options, axis=1, out=reached)
        inner[angle] += reached
    joined = (around[-1, 0] - _STEP_COSTS) + inner[-1, 1]
    step, start = np.unravel_index(int(joined.argmax()), joined.shape)
    ways = [
        _way_back(best[:, 0], int(start) + int(step) - MAX_STEP),
        _way_back(best[:, 1], int(start)),
    ]
    path = np.array(ways[0] + ways[1][::-1])
    return np.concatenate([path[ANGLES : ANGLES + overlap], path[overlap:ANGLES]])


def _way_back(best: np.ndarray, end: int) -> list[int]:
    """Radii of the path to an end; the step is found again, as that is one radius an angle."""
    costs = _STEP_COSTS[:, 0]
    path = [end]
    for angle in range(len(best) - 2, -1, -1):
        options = best[angle, end : end + len(costs)] - costs
        end += int(options.argmax()) - MAX_STEP
        path.append(end)
    return path[::-1]


def _tidy(cell: np.ndarray, stain: np.ndarray, limit: float, nucleus: np.ndarray) -> np.ndarray:
    """Cut background slivers off the contour, keep the part with the nucleus, fill holes."""
    solid = (cell & ((stain > 0.8 * limit) | nucleus)).view(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, kernel)
    solid = cv2.bitwise_or(solid, nucleus.view(np.uint8))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, kernel)
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(solid)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.view(bool)
