"""Restoration of whole photographs, at their own size.

A photograph is brought to the scale of the working images, restored there as a whole, and checked
by its central crop, which is pixel for pixel the working image that `predict` checks. So severity
and degradation are those of `predict`; the restored pixels, and with them the gate's numbers, may
differ a little, as the restorer sees the surroundings of the crop too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.images import to_work
from buffycoat.images.work import frame_of
from buffycoat.predict import cleaning
from buffycoat.predict.background import paint_if_asked
from buffycoat.restore.gate import untouched

OFF = "restoration is off"


@dataclass(frozen=True)
class RestoredFrame:
    """A photograph after restoration and gate.

    Attributes:
        image: Shape (h, w, 3), uint8, as the photograph; the very same pixels unless restored.
        is_restored: Whether the gate accepted a restored image.
        reason: Why or why not, in words and numbers.
        severity: Estimated before restoration, 0-4.
        degradation: Which of noise, blur and light it suffers.
        change: What the gate measured; empty where nothing was tried.
    """

    image: np.ndarray
    is_restored: bool
    reason: str
    severity: float
    degradation: tuple[str, ...]
    change: dict[str, float]


@dataclass(frozen=True)
class Scaled:
    """A photograph at the scale of the working images.

    Attributes:
        image: Shape (h', w', 3), uint8.
        cuts: For rows, then columns: where the central crop begins and ends in the photograph,
            with the photograph's own ends around it.
        scaled_cuts: The same places in `image`.
    """

    image: np.ndarray
    cuts: tuple[np.ndarray, np.ndarray]
    scaled_cuts: tuple[np.ndarray, np.ndarray]

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of the working image."""
        rows, columns = self.scaled_cuts
        return slice(int(rows[1]), int(rows[2])), slice(int(columns[1]), int(columns[2]))


def restore_frames(
    frames: Sequence[np.ndarray],
    fitted: Fitted,
    um_per_px: Sequence[float | None] | None = None,
) -> list[RestoredFrame]:
    """Restore photographs, each of its own size and on its own.

    Args:
        frames: Photographs with one cell in the centre, each (h, w, 3), uint8, RGB. All of them
            are held in memory: hand over a large set in parts.
        fitted: What a bundle holds: `buffycoat.load("starter").fitted`.
        um_per_px: Micrometres that a pixel of each is wide, None where that is not known: as
            `predict`, a bundle that frames by scale checks the part that it would classify.

    Returns:
        One result a photograph, in order.
    """
    if not frames:
        return []
    settings, restoration = fitted.config.images, fitted.restoration
    scales = um_per_px or [None] * len(frames)
    shares = [frame_of(f, um, settings) for f, um in zip(frames, scales, strict=True)]
    side = settings.work_px
    work = np.stack([to_work(f, side, share) for f, share in zip(frames, shares, strict=True)])
    scene = paint_if_asked(work, fitted.config)
    found = restoration.severity.estimate(scene)
    limit = restoration.restore_above
    is_off = restoration.restorer.name == "identity"
    results = [
        RestoredFrame(
            image=frame,
            is_restored=False,
            reason=OFF if is_off else untouched(float(found.severity[row]), limit),
            severity=float(found.severity[row]),
            degradation=found.names(row, limit),
            change={},
        )
        for row, frame in enumerate(frames)
    ]
    tried = [] if is_off else [int(row) for row in np.flatnonzero(found.severity >= limit)]
    scaled = [scale(frames[row], side, shares[row]) for row in tried]
    restored = [restoration.restorer.restore(part.image[None])[0] for part in scaled]
    if not tried:
        return results
    after = np.stack([image[part.crop] for image, part in zip(restored, scaled, strict=True)])
    before = scene[tried]
    verdict = cleaning.check_restored(
        before,
        paint_if_asked(after, fitted.config),
        restoration.segment(before),
        found.subset(np.array(tried)),
        restoration,
    )
    for index, row in enumerate(tried):
        is_accepted = bool(verdict.accepted[index])
        results[row] = RestoredFrame(
            image=unscale(restored[index], scaled[index]) if is_accepted else frames[row],
            is_restored=is_accepted,
            reason=verdict.reasons[index],
            severity=results[row].severity,
            degradation=results[row].degradation,
            change=verdict.numbers.row(index),
        )
    return results


def scale(frame: np.ndarray, work_px: int, frame_fraction: float) -> Scaled:
    """A photograph at the scale of its working image, which it holds unchanged in its middle.

    The crop and the margins around it are resized each on its own, the margins to whole pixels.

    Args:
        frame: Shape (h, w, 3), uint8.
        work_px: Side of the working image.
        frame_fraction: Side of the central crop over the photograph's shorter side.
    """
    height, width = frame.shape[:2]
    side = max(round(frame_fraction * min(height, width)), 1)
    cuts, scaled_cuts = [], []
    for length in (height, width):
        start = (length - side) // 2
        margins = [start, length - side - start]
        before, after = (
            max(round(margin * work_px / side), 1) if margin else 0 for margin in margins
        )
        cuts.append(np.array([0, start, start + side, length]))
        scaled_cuts.append(np.array([0, before, before + work_px, before + work_px + after]))
    image = _resize_parts(frame, (cuts[0], cuts[1]), (scaled_cuts[0], scaled_cuts[1]))
    result = Scaled(image, (cuts[0], cuts[1]), (scaled_cuts[0], scaled_cuts[1]))
    image[result.crop] = to_work(frame, work_px, frame_fraction)
    return result


def unscale(image: np.ndarray, scaled: Scaled) -> np.ndarray:
    """An image in the scale of `scaled`, back at the size of the photograph.

    Args:
        image: Shape (h', w', 3), uint8, as `scaled.image`.
        scaled: From `scale`.

    Returns:
        Shape (h, w, 3), uint8: by area averaging if it shrinks, else by Lanczos's filter, in one
        piece, so that no seam shows.
    """
    height, width = (int(cuts[-1]) for cuts in scaled.cuts)
    if image.shape[0] > height:
        return _resize_parts(image, scaled.scaled_cuts, scaled.cuts)
    rows, columns = (
        np.interp(np.arange(length) + 0.5, cuts, scaled_cuts) - 0.5
        for length, cuts, scaled_cuts in zip(
            (height, width), scaled.cuts, scaled.scaled_cuts, strict=True
        )
    )
    x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return cv2.remap(image, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101)


def _resize_parts(
    image: np.ndarray,
    old: tuple[np.ndarray, np.ndarray],
    new: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Each part between the old cuts, resized to the new ones."""
    resized = np.empty((int(new[0][-1]), int(new[1][-1]), 3), dtype=np.uint8)
    for row in range(3):
        for column in range(3):
            source = image[old[0][row] : old[0][row + 1], old[1][column] : old[1][column + 1]]
            place = resized[new[0][row] : new[0][row + 1], new[1][column] : new[1][column + 1]]
            if place.size:
                shrinks = source.shape[0] > place.shape[0] or source.shape[1] > place.shape[1]
                method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
                place[:] = cv2.resize(source, place.shape[1::-1], interpolation=method)
    return resized
