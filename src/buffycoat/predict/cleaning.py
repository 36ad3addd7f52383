"""The first stage: what is degraded is restored, and what the gate accepts stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from buffycoat.bundle.restoration import Restoration
from buffycoat.predict.needs import EVERYTHING, Needs
from buffycoat.refine.features import NAMES, measure_all
from buffycoat.restore.gate import (
    GateNumbers,
    Look,
    Masks,
    accept,
    measure_change,
    untouched,
)
from buffycoat.restore.severity import Degradation
from buffycoat.segment.masks import CellMasks


@dataclass(frozen=True)
class Verdict:
    """What the gate says of restored cells.

    Attributes:
        accepted: Shape (n,), bool.
        reasons: n of them, in words and numbers.
        numbers: What was compared.
        masks: Of the restored images, n of them.
    """

    accepted: np.ndarray
    reasons: list[str]
    numbers: GateNumbers
    masks: list[CellMasks]


@dataclass(frozen=True)
class Cleaned:
    """Cells after restoration and gate.

    Attributes:
        images: The image that stands, original or restored, shape (n, w, w, 3), uint8.
        is_restored: Shape (n,), bool.
        reasons: Why, in words and numbers, n of them.
        severity: Estimated before restoration, 0-4, shape (n,).
        degradation: Names of the groups of `severity.GROUPS` that a cell suffers, n of them.
        changes: What the gate measured, n of them; empty where nothing was tried.
        features: Morphology of the image that stands, shape (n, f).
        mask_quality: 0-1, shape (n,).
    """

    images: np.ndarray
    is_restored: np.ndarray
    reasons: list[str]
    severity: np.ndarray
    degradation: list[tuple[str, ...]]
    changes: list[dict[str, float]]
    features: np.ndarray
    mask_quality: np.ndarray


def clean(images: np.ndarray, restoration: Restoration, needs: Needs = EVERYTHING) -> Cleaned:
    """Segment, restore what is degraded, keep what the gate accepts, segment and measure that.

    Args:
        images: Shape (n, w, w, 3), uint8.
        restoration: The fitted models.
        needs: What is not needed is not computed: its numbers are NaN, its words are empty.

    Returns:
        The images that stand, and what is known about them.
    """
    n, limit = len(images), restoration.restore_above
    severity = np.full(n, np.nan)
    degradation: list[tuple[str, ...]] = [()] * n
    found = None
    if needs.severity:
        found = restoration.severity.estimate(images)
        severity = found.severity
        degradation = [found.names(row, limit) for row in range(n)]
    masks = restoration.segment(images) if needs.outlines or needs.features else None
    kept, changes = images, [{} for _ in range(n)]
    is_restored, reasons = np.zeros(n, dtype=bool), [""] * n
    if needs.restoration and found is not None:
        reasons = [untouched(value, limit) for value in severity]
        rows = np.flatnonzero(severity >= limit)
        if restoration.restorer.name == "identity":
            reasons = ["restoration is off"] * n
        elif len(rows):
            kept = np.array(images)
            before = restoration.segment(kept[rows]) if masks is None else [masks[r] for r in rows]
            restored = restoration.restorer.restore(kept[rows])
            verdict = check_restored(kept[rows], restored, before, found.subset(rows), restoration)
            for index, row in enumerate(rows):
                reasons[row], changes[row] = verdict.reasons[index], verdict.numbers.row(index)
                if verdict.accepted[index]:
                    kept[row] = restored[index]
                    if masks is not None:
                        masks[row] = verdict.masks[index]
            is_restored[rows] = verdict.accepted
    return Cleaned(
        images=kept,
        is_restored=is_restored,
        reasons=reasons,
        severity=severity,
        degradation=degradation,
        changes=changes,
        features=_features(kept, masks, needs),
        mask_quality=np.array([np.nan] * n if masks is None else [m.quality for m in masks]),
    )


def _features(images: np.ndarray, masks: Sequence[CellMasks] | None, needs: Needs) -> np.ndarray:
    """Shape (n, f); without a need for them only the area, which says whether there is a cell."""
    if masks is not None and needs.features:
        return measure_all(images, masks)
    table = np.full((len(images), len(NAMES)), np.nan)
    for row, mask in enumerate(masks or ()):
        if mask.cell.any():
            table[row, NAMES.index("cell_area")] = mask.cell.mean()
    return table


def check_restored(
    original: np.ndarray,
    restored: np.ndarray,
    masks_before: Sequence[Masks],
    found: Degradation,
    restoration: Restoration,
    is_fitting: bool = False,
) -> Verdict:
    """Whether restored images may replace their originals.

    Without a gate nothing asks for embeddings, which are the dearest numbers: they are NaN then.

    Args:
        original: Shape (n, w, w, 3), uint8.
        restored: Same shape.
        masks_before: Masks of the originals.
        found: What the estimator says of the originals.
        restoration: The fitted models.
        is_fitting: Whether a gate is to be fitted to the numbers, so that all are needed.
    """
    masks = restoration.segment(restored)
    severity = restoration.severity.estimate(restored).severity
    embed = restoration.embed if is_fitting or restoration.gate is not None else _unknown
    numbers = measure_change(
        Look(original, masks_before, found.severity, embed(original)),
        Look(restored, masks, severity, embed(restored)),
        found.has("light"),
    )
    accepted, reasons = accept(numbers, restoration.gate, restoration.restore_above)
    return Verdict(accepted, reasons, numbers, masks)


def _unknown(images: np.ndarray) -> np.ndarray:
    return np.full((len(images), 1), np.nan)
