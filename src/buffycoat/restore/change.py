"""What restoration did to a cell: is it cleaner, and is it still the same cell?

The original is itself degraded, so every number is made to forgive what a right restoration
changes (noise, sharpness, light) and to keep what it must not change (area, colour, granules,
anything added or erased). How much is forgiven is fitted by severity, in `gate`. Two more numbers
say whether there was anything to undo: how large the change is, and whether the background was
recoloured where no fault of light was found (ADR 15).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.restore.texture import Masks, Pair, granules, hue_shift, local_change
from buffycoat.restore.worth import background_level, change_size, leaves_known_white, white_shift

__all__ = ["GateNumbers", "Look", "Masks", "known_good", "measure_change", "overlap"]

SAME_NUCLEUS = 0.8
"""Overlap (IoU) with the clean cell's nucleus from which a restored one counts as the same."""
INVISIBLE = 3.0
"""Mean absolute difference, in gray levels, under which a restored clean cell counts as unchanged;
a JPEG of quality 75 differs by 2 to 3."""


@dataclass(frozen=True)
class Look:
    """Images of n cells, and what was made of them.

    Attributes:
        images: Shape (n, h, w, 3), uint8, RGB.
        masks: n of them.
        severity: Estimated, shape (n,), 0-4.
        embeddings: Shape (n, d), rows of length 1.
    """

    images: np.ndarray
    masks: Sequence[Masks]
    severity: np.ndarray
    embeddings: np.ndarray

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of each attribute; all n if they belong together."""
        return tuple(len(part) for part in vars(self).values())


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
        ratio_change: The same of the N:C ratio (nucleus area over cell area).
        nucleus_overlap: Intersection over union of the two nuclei, 0-1.
        hue_shift: Angle between the stain's colours before and after, in degrees: of optical
            densities against each image's own background; the larger of nucleus and cytoplasm.
        granule_change: Natural log of the ratio of granule contrast in the cytoplasm, after over
            before: negative where it was smoothed.
        granule_match: Slope of the original's granules over the restored ones: 1 where they are
            the same, over 1 where restoration made them fainter, under 1 where it made them
            stronger or made new ones. Noise of the original cancels in it, unlike in
            `granule_change`.
        local_change: Largest change at the scale of a granule clump in and around the cell, over
            the typical one: a blob that was added or erased stands out.
        embedding_change: 1 less the cosine of the two embeddings.
        change_size: Root mean square change of all pixels, in gray levels.
        unfounded_light: By how many gray levels the background was recoloured beyond what the
            noise taken away may have hidden; 0 where a fault of light was found before, unless a
            background of one known colour was given another one's.
    """

    severity_before: np.ndarray
    severity_after: np.ndarray
    quality_before: np.ndarray
    quality_after: np.ndarray
    nucleus_change: np.ndarray
    ratio_change: np.ndarray
    nucleus_overlap: np.ndarray
    hue_shift: np.ndarray
    granule_change: np.ndarray
    granule_match: np.ndarray
    local_change: np.ndarray
    embedding_change: np.ndarray
    change_size: np.ndarray
    unfounded_light: np.ndarray

    def __len__(self) -> int:
        return len(self.severity_before)

    @property
    def severity_gain(self) -> np.ndarray:
        """Fall in estimated severity, shape (n,)."""
        return self.severity_before - self.severity_after

    def row(self, index: int) -> dict[str, float]:
        """The finite numbers of one cell."""
        cell = {name: float(values[index]) for name, values in vars(self).items()}
        return {name: value for name, value in cell.items() if np.isfinite(value)}


def measure_change(before: Look, after: Look, has_light_fault: np.ndarray) -> GateNumbers:
    """Compare each cell with its restored image.

    Args:
        before: The originals.
        after: The restored images.
        has_light_fault: Whether a fault of light was found in the original, shape (n,), bool.

    Returns:
        The numbers that `gate.accept` compares with its limits.

    Raises:
        ShapeError: The arguments are not of the same number of cells.
    """
    lengths = [*before.lengths, *after.lengths, len(has_light_fault)]
    if len(set(lengths)) > 1 or before.images.shape != after.images.shape:
        raise ShapeError(
            "expected originals, restored images, their masks, severities and embeddings of the "
            f"same cells; got {lengths} of each, images {before.images.shape} and "
            f"{after.images.shape}"
        )
    images = list(zip(before.images, after.images, strict=True))
    masks = list(zip(before.masks, after.masks, strict=True))
    pairs = [Pair.of(o, r, *m) for (o, r), m in zip(images, masks, strict=True)]
    fine = np.array([granules(pair) for pair in pairs]).reshape(-1, 2)
    whites = [(background_level(pair.before), background_level(pair.after)) for pair in pairs]
    seen = [(*both, white) for both, white in zip(images, whites, strict=True)]
    shift = np.array([white_shift(*each) for each in seen])
    leaves = np.array([leaves_known_white(*each) for each in seen], dtype=bool)
    return GateNumbers(
        severity_before=np.asarray(before.severity, dtype=np.float64),
        severity_after=np.asarray(after.severity, dtype=np.float64),
        quality_before=np.array([mask.quality for mask in before.masks], dtype=np.float64),
        quality_after=np.array([mask.quality for mask in after.masks], dtype=np.float64),
        nucleus_change=np.array([_change(_area(b.nucleus), _area(a.nucleus)) for b, a in masks]),
        ratio_change=np.array([_change(_ratio(b), _ratio(a)) for b, a in masks]),
        nucleus_overlap=np.array([overlap(b.nucleus, a.nucleus) for b, a in masks]),
        hue_shift=np.array([hue_shift(pair) for pair in pairs]),
        granule_change=fine[:, 0],
        granule_match=fine[:, 1],
        local_change=np.array([local_change(pair) for pair in pairs]),
        embedding_change=_distance(before.embeddings, after.embeddings),
        change_size=np.array([change_size(*pair) for pair in images]),
        unfounded_light=np.where(has_light_fault & ~leaves, 0.0, shift),
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
        degraded: The same, degraded, or as they are.
        restored: The degraded ones, restored.
        masks_clean: Masks of the clean cells.
        masks_restored: Masks of the restored ones.

    Returns:
        Shape (n,), bool: the restored image is closer to the clean one than the degraded one
        was, or not to be told from it, and shows the same nucleus.
    """
    good = np.zeros(len(clean), dtype=bool)
    for row in range(len(clean)):
        truth = clean[row].astype(np.float32)
        was_off, is_off = (float(np.abs(truth - x[row]).mean()) for x in (degraded, restored))
        same = overlap(masks_clean[row].nucleus, masks_restored[row].nucleus) >= SAME_NUCLEUS
        good[row] = is_off < max(was_off, INVISIBLE) and same
    return good


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two masks, 0-1; 0 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 0.0


def _area(mask: np.ndarray) -> float:
    return float(np.count_nonzero(mask))


def _ratio(masks: Masks) -> float:
    return _area(masks.nucleus) / max(_area(masks.cell), 1.0)


def _change(before: float, after: float) -> float:
    small, large = sorted((before, after))
    return large / small - 1 if small else float("inf")


def _distance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Row by row, since a matrix product may round differently for another n."""
    pairs = zip(before.astype(np.float64), after.astype(np.float64), strict=True)
    return np.array([1.0 - float(np.sum(b * a)) for b, a in pairs])
