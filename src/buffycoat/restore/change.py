"""What restoration did to a cell: is it cleaner, and is it still the same cell?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from buffycoat.errors import ShapeError

SAME_NUCLEUS = 0.8
"""Overlap (IoU) with the clean cell's nucleus from which a restored one counts as the same."""
BRIGHT_PERCENTILE = 90
"""The level of the free background, against which stain is measured."""


class Masks(Protocol):
    """Masks of one cell, as the segmenter gives them."""

    @property
    def cell(self) -> np.ndarray:
        """Shape (h, w), bool."""
        ...

    @property
    def nucleus(self) -> np.ndarray:
        """Shape (h, w), bool."""
        ...

    @property
    def quality(self) -> float:
        """0 to 1."""
        ...


@dataclass(frozen=True)
class GateNumbers:
    """What restoration did to each cell; every array has shape (n,).

    Attributes:
        severity_before: Estimated severity of the original, 0-4.
        severity_after: Of the restored image.
        quality_before: Mask quality of the original, 0-1.
        quality_after: Of the restored image.
        nucleus_change: |change| of the nucleus area, as a share of the smaller; inf if a nucleus
            is missing.
        cell_change: The same of the cell area.
        nucleus_overlap: Intersection over union of the two nuclei, 0-1.
        stain_shift: Distance of the nucleus's mean colour against the background before and
            after, in units of optical density (natural logarithm); a cast or darkening of the
            whole image cancels in it.
    """

    severity_before: np.ndarray
    severity_after: np.ndarray
    quality_before: np.ndarray
    quality_after: np.ndarray
    nucleus_change: np.ndarray
    cell_change: np.ndarray
    nucleus_overlap: np.ndarray
    stain_shift: np.ndarray


def measure_change(
    original: np.ndarray,
    restored: np.ndarray,
    masks_before: Sequence[Masks],
    masks_after: Sequence[Masks],
    severity_before: np.ndarray,
    severity_after: np.ndarray,
) -> GateNumbers:
    """Compare each cell with its restored image.

    Args:
        original: Shape (n, h, w, 3), uint8, RGB.
        restored: Same shape.
        masks_before: Masks of the originals.
        masks_after: Masks of the restored images.
        severity_before: Estimated severities of the originals, shape (n,).
        severity_after: Of the restored images.

    Returns:
        The numbers that `decide` judges.

    Raises:
        ShapeError: The arguments are not of the same number of cells.
    """
    lengths = [len(part) for part in (original, restored, masks_before, masks_after)]
    lengths += [len(severity_before), len(severity_after)]
    if len(set(lengths)) > 1 or original.shape != restored.shape:
        raise ShapeError(
            "expected originals, restored images, their masks and severities of the same cells; "
            f"got {lengths} of each, images {original.shape} and {restored.shape}"
        )
    rows = range(len(original))
    pairs = list(zip(masks_before, masks_after, strict=True))
    return GateNumbers(
        severity_before=np.asarray(severity_before, dtype=np.float64),
        severity_after=np.asarray(severity_after, dtype=np.float64),
        quality_before=np.array([before.quality for before, _ in pairs], dtype=np.float64),
        quality_after=np.array([after.quality for _, after in pairs], dtype=np.float64),
        nucleus_change=np.array([_area_change(b.nucleus, a.nucleus) for b, a in pairs]),
        cell_change=np.array([_area_change(b.cell, a.cell) for b, a in pairs]),
        nucleus_overlap=np.array([overlap(b.nucleus, a.nucleus) for b, a in pairs]),
        stain_shift=np.array(
            [_stain_shift(original[row], restored[row], *pairs[row]) for row in rows]
        ),
    )


def known_good(
    clean: np.ndarray,
    degraded: np.ndarray,
    restored: np.ndarray,
    masks_clean: Sequence[Masks],
    masks_restored: Sequence[Masks],
) -> np.ndarray:
    """Which restorations were right, where the clean cell is known.

    Args:
        clean: The clean cells, shape (n, h, w, 3), uint8.
        degraded: The same, degraded.
        restored: The degraded ones, restored.
        masks_clean: Masks of the clean cells.
        masks_restored: Masks of the restored ones.

    Returns:
        Shape (n,), bool: the restored image is closer to the clean one than the degraded one
        was, and shows the same nucleus.
    """
    good = np.zeros(len(clean), dtype=bool)
    for row in range(len(clean)):
        truth = clean[row].astype(np.float32)
        was_off, is_off = (float(np.abs(truth - x[row]).mean()) for x in (degraded, restored))
        same = overlap(masks_clean[row].nucleus, masks_restored[row].nucleus) >= SAME_NUCLEUS
        good[row] = is_off < was_off and same
    return good


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two masks, 0-1; 0 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 0.0


def _area_change(before: np.ndarray, after: np.ndarray) -> float:
    small, large = sorted((np.count_nonzero(before), np.count_nonzero(after)))
    return large / small - 1 if small else float("inf")


def _stain_shift(original: np.ndarray, restored: np.ndarray, before: Masks, after: Masks) -> float:
    if not (before.nucleus.any() and after.nucleus.any()):
        return float("inf")
    shift = _stain(original, before) - _stain(restored, after)
    return float(np.linalg.norm(shift))


def _stain(image: np.ndarray, masks: Masks) -> np.ndarray:
    """Mean optical density of the nucleus in each channel, against the bright background."""
    nucleus = image[masks.nucleus].astype(np.float64).mean(axis=0)
    outside = image[~masks.cell] if not masks.cell.all() else image.reshape(-1, 3)
    background = np.percentile(outside, BRIGHT_PERCENTILE, axis=0)
    return np.log((background + 1.0) / (nucleus + 1.0))
