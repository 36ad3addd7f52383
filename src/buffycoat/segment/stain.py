"""Cell and nucleus masks from the stain alone: classical, fast, no weights.

Light is turned into optical density against a white surface fitted to the bright pixels, so a
colour cast or uneven light cancels. The nucleus is the strongly purple component nearest to the
centre. The cell is the closed contour around it with the best sum of a region and an edge term,
found by dynamic programming in polar coordinates; red cells are told from cytoplasm by the
colours of this very image, so no constant depends on one stain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from buffycoat.backbones.threads import cpus
from buffycoat.errors import ShapeError
from buffycoat.segment import contrast, outline
from buffycoat.segment.masks import CellMasks
from buffycoat.segment.quality import plausibility

WORK_PX = 160
"""Side of the square on which the masks are found; the result is scaled back."""
MIN_NUCLEUS_SHARE = 0.003
"""Nuclei under this share of the image are dirt or platelets (a lymphocyte's covers 0.03)."""
MIN_PURPLE = 0.35
"""Purple index (natural log units) under which nothing is stained like chromatin; red cells
reach 0.3, chromatin 1.5 to 2.8 on the training cells of PBC."""

MIN_EXCESS = 0.1
"""Where the mask and the purple index disagree, the mask wins by this; of 0.05, 0.15 and 0.3, the
first two give rendered nuclei the same Dice."""
LOBE_REACH = 0.12
"""Largest gap between two small lobes of one nucleus, as a share of the image's side; for large
ones a third of it. Set by eye on the training cells of PBC."""


def segment(image: np.ndarray) -> CellMasks:
    """Find the white cell nearest to the centre.

    Args:
        image: Shape (h, w, 3), uint8, RGB.

    Returns:
        Masks of shape (h, w). An image without a stained nucleus gives empty masks and
        quality 0.

    Raises:
        ShapeError: Not an RGB uint8 image.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ShapeError(
            f"expected an image of shape (h, w, 3), uint8; got {image.shape}, {image.dtype}"
        )
    height, width = image.shape[:2]
    small = cv2.resize(image, (WORK_PX, WORK_PX), interpolation=cv2.INTER_AREA)
    density = contrast.optical_density(small)
    purple = contrast.purple_index(density)
    threshold = contrast.nucleus_threshold(purple)
    purple = cv2.GaussianBlur(purple, (0, 0), 1.0)
    nucleus, others = _nucleus(purple, threshold)
    cell = nucleus
    if nucleus.any():
        cell, nucleus = outline.find_cell(density, nucleus, others)
    if not nucleus.any():  # none was stained, or what was stained is no part of a cell
        return CellMasks.none(height, width)
    quality = plausibility(density, cell, nucleus)
    cell_full = scale(cell, width, height)
    nucleus_full = _scale_nucleus(nucleus, purple / threshold - 1, width, height) & cell_full
    return CellMasks(cell_full, nucleus_full, quality)


def segment_all(
    images: Iterable[np.ndarray],
    on_progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> list[CellMasks]:
    """Masks of many cells.

    Args:
        images: Any sized collection of images as `segment` takes them, e.g. an array of
            shape (n, h, w, 3), which may be a memory map.
        on_progress: Called with (done, total).
        workers: Threads, by default one a CPU; OpenCV and numpy
            release the interpreter's lock for most of the work.

    Returns:
        One record an image, in order.
    """
    from concurrent.futures import ThreadPoolExecutor

    images = images if hasattr(images, "__len__") else list(images)
    total = len(images)  # pyright: ignore[reportArgumentType]
    masks: list[CellMasks] = []
    with ThreadPoolExecutor(workers or cpus()) as pool:
        for mask in pool.map(segment, images):
            masks.append(mask)
            if on_progress is not None:
                on_progress(len(masks), total)
    return masks


def _nucleus(purple: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Components of the central nucleus, and the nuclei of other white cells."""
    empty = np.zeros(purple.shape, dtype=bool)
    if threshold < MIN_PURPLE:
        return empty, empty
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    mask = cv2.morphologyEx((purple > threshold).view(np.uint8), cv2.MORPH_OPEN, kernel)
    mask = outline.fill_pale_chromatin(mask.view(bool), purple > 0.55 * threshold)
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=4
    )
    side = purple.shape[0]
    area = stats[1:, cv2.CC_STAT_AREA].astype(float)
    if count < 2:
        return empty, empty
    offset = np.linalg.norm(centroids[1:] - (side - 1) / 2, axis=1) / side
    score = area * np.exp(-((offset / 0.2) ** 2))
    main = int(np.argmax(score))
    if area[main] < MIN_NUCLEUS_SHARE * side * side:
        return empty, empty
    chosen = _lobes(labels, area, offset, main)
    return _parts(labels, chosen), _parts(labels, ~chosen & (area > 0.1 * area[main]))


def _parts(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Pixels of the chosen components, shape (h, w), bool; component i has label i + 1."""
    return np.concatenate([[False], chosen])[labels]


def _lobes(labels: np.ndarray, area: np.ndarray, offset: np.ndarray, main: int) -> np.ndarray:
    """Which components belong to the cell of the main one.

    Lobes are small and lie near each other; the nucleus of a neighbour is apart by two widths of
    cytoplasm, or large, or cut by the border.
    """
    side = labels.shape[0]
    chosen = np.zeros(len(area), dtype=bool)
    chosen[main] = True
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    is_near = (area >= 0.02 * area[main]) & (offset < 0.33)
    is_near[border[border > 0] - 1] = False
    for _ in range(3):
        found = np.flatnonzero(is_near & ~chosen)
        if not len(found):
            break
        apart = (~_parts(labels, chosen)).view(np.uint8)
        gap = cv2.distanceTransform(apart, cv2.DIST_L2, 3)
        for part in found:
            smaller = min(area[part], area[main]) / side**2
            reach = float(np.interp(smaller, (0.015, 0.035), (LOBE_REACH, LOBE_REACH / 3)))
            if gap[labels == part + 1].min() < reach * side:
                chosen[part] = True
    return chosen


def scale(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """A mask at another size, shape (height, width), bool."""
    soft = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return soft > 0.5


def _scale_nucleus(mask: np.ndarray, excess: np.ndarray, width: int, height: int) -> np.ndarray:
    """The mask at another size, its edge where the purple index crosses the threshold.

    Args:
        mask: Nucleus at the working size, shape (h, w), bool.
        excess: Purple index over its threshold, less 1, shape (h, w): its sign agrees with the
            mask at most pixels, and its size says how far from a pixel's centre the edge runs.
        width: Of the result.
        height: Of the result.
    """
    inside = np.clip(excess, MIN_EXCESS, 1.0)
    outside = np.clip(excess, -1.0, -MIN_EXCESS)
    field = np.where(mask, inside, outside).astype(np.float32)
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR) > 0
