"""The closed contour of the cell around a known nucleus.

Seen from the nucleus a cell is nearly star-shaped, so its contour is one radius for each angle.
Dynamic programming finds the closed contour with the largest sum of a region term (pixels inside
look like cytoplasm, neither background nor red cell) and an edge term, with a bounded slope.
"""

from __future__ import annotations

import cv2
import numpy as np

ANGLES = 80
RADII = 96
MAX_STEP = 3
"""Largest change of radius, in samples, from one angle to the next."""
EDGE_WEIGHT = 6.0
STEP_COST = 0.35
MIN_SAMPLE = 40
"""Pixels needed of cytoplasm and of red cells before their colours are told apart."""


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
    stain = density[..., 0] + density[..., 1]
    near = _distance_from(nucleus)
    limit = _background_limit(stain, near)
    region = np.clip((stain - limit) / (0.5 * limit), -1.0, 1.0)
    far = _red_sample(stain > limit, nucleus, others)
    inside = (stain > limit) & (near > 2) & (near < 0.06 * len(near))
    colour = _clipped(density, near, limit)
    cell = nucleus
    for _ in range(2):
        score = np.minimum(region, _cytoplasm_score(density, inside & ~far, far))
        score[others] = -2.0
        score[nucleus] = 1.0
        cell = _best_contour(score, colour, nucleus)
        inside = cell & (near > 2) & (stain > limit)
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
    closed = mask | (cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel) & is_tinted)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~closed.astype(bool)).astype(np.uint8), connectivity=4
    )
    area = stats[:, cv2.CC_STAT_AREA]
    tinted = np.bincount(labels.ravel(), weights=is_tinted.ravel(), minlength=count) / area
    total = closed.sum()
    fill = (area < 0.01 * total) | ((area < 0.15 * total) & (tinted > 0.6))
    fill[0] = False
    return closed.astype(bool) | fill[labels]


def _distance_from(mask: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)


def _background_limit(stain: np.ndarray, near: np.ndarray) -> float:
    """Stain above which a pixel is not background: a share of the cytoplasm's own."""
    ring = stain[(near > 2) & (near < 0.05 * len(near))]
    ring = ring[ring > 0.05]
    level = float(np.median(ring)) if ring.size else 0.3
    return float(np.clip(0.4 * level, 0.08, 0.25))


def _red_sample(stained: np.ndarray, nucleus: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pixels that are surely not the central cell: other components, and the image's border."""
    side = len(stained)
    _count, labels = cv2.connectedComponents(stained.astype(np.uint8), connectivity=4)
    own = np.unique(labels[nucleus])
    apart = stained & ~np.isin(labels, own)
    band = np.ones_like(stained)
    edge = side // 12
    band[edge:-edge, edge:-edge] = False
    if others.any():
        reach = _distance_from(others) < 0.12 * side
        apart &= ~reach
        band &= ~reach
    return apart | (band & stained)


def _cytoplasm_score(density: np.ndarray, inside: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Log-likelihood ratio of cytoplasm to red cell, from a shared-covariance Gaussian each.

    Returns:
        Shape (h, w), in [-1, 1]; all 1 where one of the samples is too small.
    """
    if inside.sum() < MIN_SAMPLE or far.sum() < MIN_SAMPLE:
        return np.ones(inside.shape, dtype=np.float32)
    cytoplasm = density[inside]
    red = density[far]
    for _ in range(2):
        means = cytoplasm.mean(axis=0), red.mean(axis=0)
        spread = (np.cov(cytoplasm.T) + np.cov(red.T)) / 2 + 1e-3 * np.eye(3)
        weights = np.linalg.solve(spread, means[0] - means[1])
        offset = weights @ (means[0] + means[1]) / 2
        agrees = density[inside] @ weights > offset
        if agrees.sum() < max(MIN_SAMPLE, 0.3 * agrees.size):
            break
        cytoplasm = density[inside][agrees]
    ratio = density @ weights.astype(np.float32) - np.float32(offset)
    return np.clip(0.5 * ratio + 0.35, -1.0, 1.0)


def _clipped(density: np.ndarray, near: np.ndarray, limit: float) -> np.ndarray:
    """Density whose dark end is cut at the cytoplasm's level, so that the nucleus has no edge."""
    ring = density[(near > 2) & (near < 0.06 * len(near)) & (density.sum(axis=2) > limit)]
    level = np.percentile(ring, 60, axis=0) if len(ring) else np.full(3, 0.3)
    level = np.maximum(level, 0.12).astype(np.float32)
    return np.minimum(np.maximum(density, -0.1), level) / level.sum()


def _best_contour(score: np.ndarray, colour: np.ndarray, nucleus: np.ndarray) -> np.ndarray:
    side = len(score)
    rows, columns = np.nonzero(nucleus)
    centre = (float(columns.mean()), float(rows.mean()))
    reach = 0.62 * side

    def unroll(image: np.ndarray) -> np.ndarray:
        return cv2.warpPolar(
            np.ascontiguousarray(image, dtype=np.float32),
            (RADII, ANGLES),
            centre,
            reach,
            cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS,
        )

    radii = np.arange(RADII, dtype=np.float32)
    gain = np.cumsum(unroll(score) * (0.3 + radii / 30.0), axis=1)
    polar = cv2.GaussianBlur(unroll(colour), (3, 5), 0)
    step = np.zeros((ANGLES, RADII), dtype=np.float32)
    step[:, 2:-2] = np.abs(polar[:, :-4] - polar[:, 4:]).sum(axis=2)
    gain += EDGE_WEIGHT * step
    chromatin = unroll(nucleus) > 0.5
    last = np.where(chromatin.any(axis=1), RADII - 1 - np.argmax(chromatin[:, ::-1], axis=1), 0)
    gain[radii[None, :] < last[:, None]] -= 50.0
    contour = _closed_path(gain)
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    length = (contour + 0.5) * reach / RADII
    points = np.stack(
        [centre[0] + length * np.cos(angle), centre[1] + length * np.sin(angle)], axis=1
    )
    mask = np.zeros(score.shape, dtype=np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask.astype(bool)


def _closed_path(gain: np.ndarray) -> np.ndarray:
    """One radius for each angle with the largest total gain; half a turn more closes it."""
    overlap = ANGLES // 4
    looped = np.concatenate([gain, gain[: 2 * overlap]])
    shifts = np.arange(-MAX_STEP, MAX_STEP + 1)
    sources = np.clip(np.arange(RADII) + shifts[:, None], 0, RADII - 1)
    cost = (STEP_COST * np.abs(shifts))[:, None].astype(np.float32)
    best = looped.copy()
    for angle in range(1, len(looped)):
        best[angle] += (best[angle - 1][sources] - cost).max(axis=0)
    path = np.zeros(len(looped), dtype=np.int64)
    path[-1] = int(best[-1].argmax())
    # the step is found again on the way back: that is one radius an angle, not all of them
    for angle in range(len(looped) - 1, 0, -1):
        options = sources[:, path[angle]]
        path[angle - 1] = options[(best[angle - 1][options] - cost[:, 0]).argmax()]
    return np.concatenate([path[ANGLES : ANGLES + overlap], path[overlap:ANGLES]])


def _tidy(cell: np.ndarray, stain: np.ndarray, limit: float, nucleus: np.ndarray) -> np.ndarray:
    """Cut background slivers off the contour, keep the part with the nucleus, fill holes."""
    solid = cell & ((stain > 0.8 * limit) | nucleus)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    solid = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_OPEN, kernel) | nucleus
    solid = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(solid)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(bool)
