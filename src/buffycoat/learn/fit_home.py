"""What a bundle keeps of its training cells' laboratory, so that others can be compared with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.cells import Manifest
from buffycoat.config import ImagesConfig, SegmentConfig
from buffycoat.errors import NotEstimableError
from buffycoat.images import load_work
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.simulate.degrade import MAX_SEVERITY
from buffycoat.sites.colour import measure
from buffycoat.sites.look import GOOD_OUTLINE, colour_and_sharpness, scale
from buffycoat.sites.reference import SiteReference
from buffycoat.sites.scale import Sizes
from buffycoat.sites.shift import LEAST, ShiftReference
from buffycoat.sites.standardise import ColourReference

MOST_FRAMES = 400
"""Whole photographs in which red cells are looked for."""


@dataclass(frozen=True)
class SeenCells:
    """Training cells, each as it is and once more degraded.

    Attributes:
        manifest: n cells.
        images: Working images of the cells, then of their twins, shape (2n, w, w, 3), uint8.
        logits: Of models that have not seen the cell, shape (2n, k).
        areas: Of the white cells as a share of the image, shape (2n,); NaN without a good outline.
        severity: 0-4, shape (2n,), whole numbers.
    """

    manifest: Manifest
    images: np.ndarray
    logits: np.ndarray
    areas: np.ndarray
    severity: np.ndarray


def fit(cells: SeenCells, images: ImagesConfig, segment: SegmentConfig) -> SiteReference | None:
    """Colour, scale and look of the training cells; None of fewer than `LEAST`.

    Args:
        cells: What was learned from.
        images: Size and frame of the working images.
        segment: How cells are segmented.
    """
    n, k = len(cells.manifest), cells.logits.shape[1]
    if n < LEAST:
        return None
    pristine = cells.severity[:n] == 0
    rows = pristine if pristine.any() else np.ones(n, dtype=bool)
    look = colour_and_sharpness(cells.images)
    look |= {"scale": scale(cells.areas), "network": cells.logits}
    measured = {name: v for name, v in look.items() if np.isfinite(v).all(axis=1).sum() >= LEAST}
    # Twins are degraded by another process than the cells themselves: alike in number alone.
    condition = cells.severity + (MAX_SEVERITY + 1) * (np.arange(2 * n) >= n)
    try:
        shift = ShiftReference.fit(measured, cells.logits.argmax(axis=1), k, condition)
    except NotEstimableError:
        return None
    colour = ColourReference.of(measure(cells.images[:n][rows]))
    frames = cells.manifest.subset(np.flatnonzero(rows))
    return SiteReference(colour, sizes(frames, images, segment), shift)


def sizes(manifest: Manifest, images: ImagesConfig, segment: SegmentConfig) -> Sizes:
    """Diameters of cells, measured in whole photographs.

    Args:
        manifest: The cells; at most `MOST_FRAMES`, evenly chosen, are looked at.
        images: Size and frame of the working images; whole ones have pixels of the same size.
        segment: How cells are segmented.
    """
    chosen = np.linspace(0, len(manifest) - 1, min(len(manifest), MOST_FRAMES)).astype(int)
    side = round(images.work_px / images.frame_fraction)
    whole = images.model_copy(update={"work_px": side, "frame_fraction": 1.0})
    frames = load_work(manifest.subset(chosen), whole).images
    masks = build_segmenter(segment)(frames)
    is_good = np.array([mask.quality >= GOOD_OUTLINE for mask in masks])
    return Sizes.of(frames, [mask.cell for mask in masks], is_good)
