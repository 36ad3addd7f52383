"""Lay one picture over another and say how well they agree: what confirms a near duplicate.

All white cells look alike, so a candidate is believed only if red cells, edges and granules fall
into place: the correlation of the band-passed pictures, after the best affine alignment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.audit import overlay, perceptual, warp
from buffycoat.audit.overlay import Agreement
from buffycoat.audit.perceptual import Picture
from buffycoat.audit.search import search

COARSE_AT_LEAST = 0.55
"""Correlation before refinement under which a pair is given up. On training cells of PBC-LT 98 %
of copies cropped to 0.7 reach 0.67, of copies degraded at severity 4 0.72."""
SAME_FRAME_AT_LEAST = 0.72
"""Correlation from which two pictures of one frame show one photograph. Among 1,500 rendered and
2,138 training cells of PBC-LT strangers reach 0.65 and 0.68 (`benchmarks/audit.py`), among 8,000
rendered ones a single pair 0.719; 98 % of copies reach 0.80 and 0.94 at the highest severity of
degradation, and 0.99 when encoded anew."""
CROP_AT_LEAST = 0.9
"""The same where one picture is a crop of the other, or shifted: to be laid over freely helps
strangers too, to 0.82 (rendered), 0.74, and once 0.86 where both are crops (docs/adr/0014); 98 % of
crops reach 0.96 and 0.92, and most are found by their landmarks before."""
INSIDE_AT_LEAST = 0.75
"""Share of the smaller frame that must lie in the larger one: less is two fields that overlap."""
MAX_SCALE = 1.6
"""Of sides, either way: crops down to 0.63 of a side. Enlarged, one round cell fits another: at
twice the size rendered strangers reach a correlation of 0.80, 0.78 under 1.6 times."""
MAX_TILT = 0.1
"""Sine, about, of what a copy may be turned besides the eight orientations, or sheared: such copies
are not searched for, and of rendered strangers one pair in 5,000 reached 0.83 by a turn of 18
degrees. Without, the highest is 0.78."""
COARSE_PX = 48
_ECC_STEPS = 40
STILL = 0.015
"""Corners that moved by less, in frames, did not move: a pixel and a half of 96."""
NOWHERE = Agreement(-1.0, False)
"""Of a warp that is not to be considered."""
_Guess = tuple[int, np.ndarray]
"""An orientation and a warp."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """How a second picture lies over a first.

    Attributes:
        correlation: Of the band-passed pictures where they overlap, at most 1.
        warp: From the first to the second, see `warp`.
        orientation: The second's, as `perceptual.orient` counts; 0 is the first's own.
        scale: Side of the first frame in the second picture; under 1 the first is a crop of it.
        is_same_frame: Whether both show the same field.
        at_least: Correlation that is asked for: more, the more freely the two were laid.
    """

    correlation: float
    warp: np.ndarray
    orientation: int
    scale: float
    is_same_frame: bool
    at_least: float

    @property
    def is_same(self) -> bool:
        """Whether both show one photograph."""
        return self.margin >= 0

    @property
    def margin(self) -> float:
        """Correlation over the least that is asked for."""
        return self.correlation - self.at_least


def align(first: Picture, second: Picture) -> Alignment | None:
    """Align the second picture with the first.

    Two guesses are tried, that the frames are the same and that the cells are, each in the
    orientation that its hash prefers. If neither shows one photograph, each picture is looked for
    in the other at any place: a crop may have the cell anywhere, or its hash a wrong orientation.

    Args:
        first: A picture.
        second: Another.

    Returns:
        The best alignment, or None if nothing fits well enough to be refined.
    """
    full = [picture.gray.astype(np.float32) for picture in (first, second)]
    size = (COARSE_PX, COARSE_PX)
    small = [cv2.resize(gray, size, interpolation=cv2.INTER_AREA) for gray in full]
    guessed = _improve(full, *_best(small, _guesses(first, second)))
    if guessed is not None and guessed.is_same:
        return guessed
    sought = _improve(full, *_best(small, search(small[0], small[1])))
    found = [alignment for alignment in (guessed, sought) if alignment is not None]
    return max(found, key=lambda alignment: alignment.margin, default=None)


def _improve(full: list[np.ndarray], coarse: float, guess: _Guess) -> Alignment | None:
    """A guess refined by maximising the enhanced correlation coefficient, if it is worth it.

    Evangelidis and Psarakis, IEEE TPAMI 30:1858, 2008. The guess itself and its orientation without
    any shift are measured as well, since the refinement may run away.
    """
    if coarse < COARSE_AT_LEAST:
        return None
    orientation, near = guess
    warps = (warp.of_orientation(orientation), near, _refine(full, near))
    return max((_measure(full, orientation, w) for w in warps), key=lambda found: found.margin)


def _measure(grays: list[np.ndarray], orientation: int, found: np.ndarray) -> Alignment:
    parts = [_agree(grays[0], grays[1], found, sides) for sides in (None, overlay.SQUARE)]
    agreed = min(parts, key=lambda part: part.correlation)
    is_same_frame = is_still(found, orientation)
    if agreed.is_clipped and not is_same_frame:  # laid freely, one outline fits any other
        agreed = NOWHERE
    at_least = agreed.least(SAME_FRAME_AT_LEAST if is_same_frame else CROP_AT_LEAST)
    scale = warp.scale_of(found)
    return Alignment(agreed.correlation, found, orientation, scale, is_same_frame, at_least)


def is_still(found: np.ndarray, orientation: int) -> bool:
    """Whether a warp takes the frame to itself, in one of the eight orientations."""
    return warp.corner_shift(found, warp.of_orientation(orientation)) < STILL


def _guesses(first: Picture, second: Picture) -> list[_Guess]:
    of_frame = _best_orientation(first.frame_hash, second.frame_hash)
    of_cell = _best_orientation(first.cell_hash, second.cell_hash)
    return [
        (of_frame, warp.of_orientation(of_frame)),
        (of_cell, warp.of_cells(of_cell, first.place, second.place)),
    ]


def _best_orientation(first: np.ndarray, second: np.ndarray) -> int:
    turned = [perceptual.orient_hashes(second, orientation) for orientation in range(8)]
    return int(np.argmax([int((first == hashes).sum()) for hashes in turned]))


def _best(grays: list[np.ndarray], guesses: Iterable[_Guess]) -> tuple[float, _Guess]:
    """The highest correlation and its guess; of equals the first."""
    scored = [(_agree(grays[0], grays[1], guess[1]).correlation, guess) for guess in guesses]
    return max(scored, key=lambda one: one[0])


def _agree(
    first: np.ndarray,
    second: np.ndarray,
    found: np.ndarray,
    sides: tuple[float, float] | None = None,
) -> Agreement:
    """Where the second covers the first; with sides of its frame, in its largest circle alone.

    Strangers with the same corners, as turning leaves them, agree there and nowhere else.
    """
    scale = warp.scale_of(found)
    if not 1 / MAX_SCALE <= scale <= MAX_SCALE or warp.tilt_of(found) > MAX_TILT:
        return NOWHERE
    laid, covered = warp.lay_over(second, found)
    share = float(covered.mean())
    if max(share, share * scale**2) < INSIDE_AT_LEAST:
        return NOWHERE
    if sides is not None:
        covered = covered & overlay.round_part(sides, found, len(first))
    return overlay.agree(first, laid, covered)


def _refine(grays: list[np.ndarray], guess: np.ndarray) -> np.ndarray:
    """The affine warp near a guess under which the pictures correlate best."""
    side = len(grays[0])
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ECC_STEPS, 1e-4)
    start = warp.to_pixels(guess, side).astype(np.float32)
    smooth = [cv2.GaussianBlur(gray, (0, 0), overlay.BAND[0]) for gray in grays]
    try:
        how, everywhere = cv2.MOTION_AFFINE, np.full((side, side), 255, np.uint8)
        _, found = cv2.findTransformECC(smooth[0], smooth[1], start, how, stop, everywhere, 1)
    except cv2.error:  # it did not converge: the guess stands, and is measured as it is
        return guess
    return warp.from_pixels(found, side)
