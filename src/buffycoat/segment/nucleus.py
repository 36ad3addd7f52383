"""The nucleus of the central cell, and those of other white cells, from how purple pixels are."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from buffycoat.segment.masks import box_around

MIN_NUCLEUS_SHARE = 0.003
"""Nuclei under this share of the image are dirt or platelets (a lymphocyte's covers 0.03)."""
MIN_PURPLE = 0.35
"""Purple index (natural log units) under which nothing is stained like chromatin; red cells
reach 0.3, chromatin 1.5 to 2.8 on the training cells of PBC."""
LOBE_REACH = 0.12
"""Largest gap between two small lobes of one nucleus, as a share of the image's side; for large
ones a third of it. Set by eye on the training cells of PBC."""
CLOSING_PX = 2
"""Gaps in a nucleus that are closed, where they are tinted, from either side."""


def find_nucleus(purple: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Components of the central nucleus, and the nuclei of other white cells.

    Args:
        purple: Smoothed purple index, shape (h, w), h = w.
        threshold: Of the purple index, above which a pixel is chromatin.

    Returns:
        Each (h, w), bool; both empty where nothing is stained like a nucleus.
    """
    if threshold < MIN_PURPLE:
        empty = np.zeros(purple.shape, dtype=bool)
        return empty, empty
    return central_nucleus(purple, threshold)


def central_nucleus(purple: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The same, however pale it is."""
    empty = np.zeros(purple.shape, dtype=bool)
    side = purple.shape[0]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    mask = cv2.morphologyEx((purple > threshold).view(np.uint8), cv2.MORPH_OPEN, kernel)
    if not mask.any():
        return empty, empty
    box = box_around(mask, 2 * CLOSING_PX)
    mask = fill_pale_chromatin(mask[box].view(bool), purple[box] > 0.55 * threshold)
    parts = _Parts.of(mask, (box[1].start, box[0].start), side)
    if not len(parts.area):
        return empty, empty
    main = int(np.argmax(parts.area * np.exp(-((parts.offset / 0.2) ** 2))))
    if parts.area[main] < MIN_NUCLEUS_SHARE * side * side:
        return empty, empty
    chosen = _lobes(parts, main, side)
    nucleus, others = empty, empty.copy()
    nucleus[box] = parts.mask(chosen)
    is_other = ~chosen & (parts.area > 0.1 * parts.area[main])
    if is_other.any():
        others[box] = parts.mask(is_other)
    return nucleus, others


class _Parts(NamedTuple):
    """Components of a mask that is a cut of an image; component i has label i + 1.

    Attributes:
        labels: Shape (h, w), int32; 0 is none.
        area: Pixels of each, float64.
        offset: Of each one's centroid from the middle of the image, over the image's side.
        is_cut: Whether it touches the border of the image.
    """

    labels: np.ndarray
    area: np.ndarray
    offset: np.ndarray
    is_cut: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray, corner: tuple[int, int], side: int) -> _Parts:
        """Of a mask whose upper left corner lies at (x, y) of an image."""
        labels, stats, centroids = _components(mask)
        first = stats[1:, :2] + corner  # left, top
        last = first + stats[1:, 2:4]  # width, height
        away = centroids[1:] + corner - (side - 1) / 2
        return cls(
            labels=labels,
            area=stats[1:, cv2.CC_STAT_AREA].astype(float),
            offset=np.hypot(away[:, 0], away[:, 1]) / side,
            is_cut=(first.min(axis=1) == 0) | (last.max(axis=1) == side),
        )

    def mask(self, chosen: np.ndarray) -> np.ndarray:
        """Pixels of the chosen components, shape (h, w), bool."""
        return np.concatenate([[False], chosen])[self.labels]


def _lobes(parts: _Parts, main: int, side: int) -> np.ndarray:
    """Which components belong to the cell of the main one.

    Lobes are small and lie near each other; the nucleus of a neighbour is apart by two widths of
    cytoplasm, or large, or cut by the border.
    """
    area = parts.area
    chosen = np.zeros(len(area), dtype=bool)
    chosen[main] = True
    is_near = (area >= 0.02 * area[main]) & (parts.offset < 0.33) & ~parts.is_cut
    for _ in range(3):
        found = np.flatnonzero(is_near & ~chosen)
        if not len(found):
            break
        apart = (~parts.mask(chosen)).view(np.uint8)
        gap = cv2.distanceTransform(apart, cv2.DIST_L2, 3)
        for part in found:
            smaller = min(area[part], area[main]) / side**2
            reach = float(np.interp(smaller, (0.015, 0.035), (LOBE_REACH, LOBE_REACH / 3)))
            if gap[parts.labels == part + 1].min() < reach * side:
                chosen[part] = True
    return chosen


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
    size = (2 * CLOSING_PX + 1, 2 * CLOSING_PX + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size)
    closed = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, kernel).view(bool)
    closed = mask | (closed & is_tinted)
    labels, stats, _ = _components(~closed)
    area = stats[:, cv2.CC_STAT_AREA]
    total = int(np.count_nonzero(closed))
    is_small = area < 0.15 * total
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        is_small[edge] = False  # what lies around is no hole, however little of it is in the cut
    is_small[0] = False
    if not is_small.any():
        return closed
    tinted = np.bincount(labels[is_tinted], minlength=len(area)) / area
    fill = is_small & ((area < 0.01 * total) | (tinted > 0.6))
    return closed | fill[labels]


def _components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, statistics and centroids as OpenCV gives them; label 0 is what is not in the mask."""
    return cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)[1:]
