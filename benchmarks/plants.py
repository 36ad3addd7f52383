"""Wrong "restorers" that are planted before the gate: each changes a cell a little, on purpose.

Every plant keeps to its own bound, which is asserted: smoothing leaves a PSNR of at least 30 dB,
a blob covers at most 3 % of the cell's area.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from buffycoat.restore.change import Masks

LEAST_PSNR = 30.0
LARGEST_BLOB = 0.03
SMALLEST_BLOB = 0.015
SMOOTHING = 0.02
"""Sigma of the smoothing, as a share of the side; less where PSNR would fall under its bound."""
GRANULE_DENSITY = 0.35
"""Optical density that a granule-like blob adds in its strongest channel; those of eosinophils
and basophils of PBC have 0.3 to 0.8."""
MIN_CYTOPLASM = 0.004
"""Share of the image under which there is no cytoplasm to smooth."""

Plant = Callable[[np.ndarray, Masks, np.random.Generator], "np.ndarray | None"]


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 images, in dB."""
    error = float(np.mean((first.astype(np.float64) - second) ** 2))
    return 10 * np.log10(255**2 / max(error, 1e-9))


def smooth_cytoplasm(
    image: np.ndarray, masks: Masks, rng: np.random.Generator
) -> np.ndarray | None:
    """The cytoplasm without its granules; None where there is hardly any cytoplasm."""
    region = cv2.erode((masks.cell & ~masks.nucleus).astype(np.float32), np.ones((3, 3)))
    if region.mean() < MIN_CYTOPLASM:
        return None
    edge = cv2.GaussianBlur(region, (0, 0), 1.0)[..., None]
    sigma = SMOOTHING * min(image.shape[:2])
    while True:
        weight = np.maximum(cv2.GaussianBlur(region, (0, 0), sigma), 1e-3)[..., None]
        smooth = cv2.GaussianBlur(image * region[..., None], (0, 0), sigma) / weight
        planted = _to_uint8(image * (1 - edge) + smooth * edge)
        if psnr(image, planted) >= LEAST_PSNR:
            return planted
        sigma *= 0.8


def add_blob(
    image: np.ndarray, masks: Masks, rng: np.random.Generator, colour: str, place: str
) -> np.ndarray | None:
    """A disk of 1.5 to 3 % of the cell's area; None where it does not fit.

    Args:
        image: Shape (h, w, 3), uint8.
        masks: Of the cell.
        rng: Where, and how large.
        colour: "nucleus" or "granule".
        place: "cytoplasm", or "near" for just outside the cell.
    """
    share = rng.uniform(SMALLEST_BLOB, LARGEST_BLOB)
    radius = float(np.sqrt(share * np.count_nonzero(masks.cell) / np.pi)) - 0.5
    spots = np.argwhere(_room(masks, radius, place))
    if not len(spots) or not masks.nucleus.any():
        return None
    row, column = spots[rng.integers(len(spots))]
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = np.hypot(rows - row, columns - column)
    cover = np.clip(radius + 0.5 - distance, 0.0, 1.0)
    if colour == "nucleus":
        paint = np.median(image[masks.nucleus].astype(np.float64), axis=0)
    else:
        here = np.median(image[distance <= radius].astype(np.float64), axis=0)
        paint = here * np.exp(-GRANULE_DENSITY * _granule_stain(image, masks))
    planted = _to_uint8(image * (1 - cover[..., None]) + paint * cover[..., None])
    assert cover.sum() <= LARGEST_BLOB * 1.02 * np.count_nonzero(masks.cell)
    return planted


def recolour(image: np.ndarray, masks: Masks, rng: np.random.Generator) -> np.ndarray | None:
    """The cytoplasm with red and blue exchanged, in density: blue turns pink, pink blue."""
    region = masks.cell & ~masks.nucleus
    if region.mean() < MIN_CYTOPLASM:
        return None
    white = np.percentile(image[~masks.cell], 90, axis=0) + 1.0
    density = np.log(white / (image[region] + 1.0))
    planted = image.copy()
    planted[region] = _to_uint8(white * np.exp(-density[:, ::-1]) - 1.0)
    return planted


def shrink_nucleus(image: np.ndarray, masks: Masks, rng: np.random.Generator) -> np.ndarray | None:
    """The rim of the nucleus, a third of its area, painted as cytoplasm."""
    depth = cv2.distanceTransform(masks.nucleus.astype(np.uint8), cv2.DIST_L2, 3)
    cytoplasm = masks.cell & ~masks.nucleus
    if cytoplasm.mean() < MIN_CYTOPLASM:
        return None
    rim = masks.nucleus & (depth <= np.quantile(depth[masks.nucleus], 1 / 3))
    cover = cv2.GaussianBlur(rim.astype(np.float32), (0, 0), 1.0)[..., None]
    paint = np.median(image[cytoplasm].astype(np.float64), axis=0)
    return _to_uint8(image * (1 - cover) + paint * cover)


PLANTS: dict[str, Plant] = {
    "smoothed cytoplasm": smooth_cytoplasm,
    "nucleus-like blob in the cytoplasm": partial(add_blob, colour="nucleus", place="cytoplasm"),
    "nucleus-like blob near the cell": partial(add_blob, colour="nucleus", place="near"),
    "granule-like blob in the cytoplasm": partial(add_blob, colour="granule", place="cytoplasm"),
    "granule-like blob near the cell": partial(add_blob, colour="granule", place="near"),
    "recoloured cytoplasm": recolour,
    "shrunken nucleus": shrink_nucleus,
}
"""Name -> plant. The first five are the required ones."""
REQUIRED = tuple(PLANTS)[:5]


def _room(masks: Masks, radius: float, place: str) -> np.ndarray:
    """Where the middle of a disk may lie, shape (h, w), bool."""
    if place == "near":
        room = _grown(masks.cell, 1.5 * radius + 4) & ~_grown(masks.cell, radius)
    else:
        room = ~_grown(~masks.cell, 0.6 * radius) & ~_grown(masks.nucleus, 0.6 * radius)
    edge = int(np.ceil(radius)) + 1
    room[:edge] = room[-edge:] = False
    room[:, :edge] = room[:, -edge:] = False
    return room


def _grown(mask: np.ndarray, radius: float) -> np.ndarray:
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= radius


def _granule_stain(image: np.ndarray, masks: Masks) -> np.ndarray:
    """Density of the darkest twentieth of the cytoplasm, its strongest channel set to 1."""
    region = masks.cell & ~masks.nucleus
    region = region if region.any() else masks.cell
    fine = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    level = fine.sum(axis=-1)
    dark = fine[region & (level <= np.percentile(level[region], 5))].mean(axis=0)
    white = np.percentile(image[~masks.cell], 90, axis=0)
    density = np.log((white + 1.0) / (dark + 1.0))
    return density / density.max()


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
