"""Confirm two pictures whose landmarks agree: one may be turned by any angle, cropped, relit."""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.audit import overlay, warp
from buffycoat.audit.align import INSIDE_AT_LEAST, Alignment, is_still
from buffycoat.audit.landmarks import Landmarks, match
from buffycoat.audit.perceptual import Picture

LANDMARKS_AT_LEAST = 8
"""That agree. Among 4,556 pairs of strangers of PBC-LT that are alike in words, 4 share 7 or 8 and
none more, with correlations under 0.6; two rendered lymphocytes share 5 at 0.84 (docs/adr/0014)."""
CLIPPED_LANDMARKS_AT_LEAST = 10
"""The same of clipped pictures (`overlay.Agreement`): two bright round cells that share 5 landmarks
were seen to correlate by 0.94, outline on outline."""
CORRELATION_AT_LEAST = 0.78
"""Of the pictures once aligned. No strangers with so many common landmarks pass 0.69, and of copies
that a turn, crop or light made few are under 0.85 (docs/adr/0014)."""
MAX_SCALE = 1.85
"""Of sides, either way: crops down to 0.54 of a side."""
_ECC_STEPS = 40
_BLUR_PX = 5
_FULL = 255


def align_landmarks(
    first: Picture,
    second: Picture,
    landmarks: tuple[Landmarks, Landmarks],
) -> Alignment | None:
    """Align the second picture with the first by their landmarks, then by all that they show.

    Only the circle in the second's frame counts: what a turned copy has in its corners is no part
    of the photograph.

    Args:
        first: A picture.
        second: Another.
        landmarks: Of the two.

    Returns:
        The better of the landmarks' own alignment and the refined one; None if too few landmarks
        agree, or if neither frame lies in the other.
    """
    matches = [found for way in (False, True) if (found := match(*landmarks, way)) is not None]
    found = max(matches, key=lambda one: one.count, default=None)
    if found is None or found.count < LANDMARKS_AT_LEAST:
        return None
    grays = [picture.gray.astype(np.float32) for picture in (first, second)]
    sides = landmarks[1].sides
    warps = (found.warp, _refine(grays, found.warp, sides))
    measured = [
        one for near in warps if (one := _measure(grays, near, sides, found.count)) is not None
    ]
    return max(measured, key=lambda one: one.margin, default=None)


def _measure(
    grays: list[np.ndarray], found: np.ndarray, sides: tuple[float, float], count: int
) -> Alignment | None:
    scale = warp.scale_of(found)
    if not 1 / MAX_SCALE <= scale <= MAX_SCALE:
        return None
    laid, covered = warp.lay_over(grays[1], found)
    share = float(covered.mean())
    if max(share, share * scale**2) < INSIDE_AT_LEAST:
        return None
    kept = covered & overlay.round_part(sides, found)
    orientation = warp.nearest_orientation(found)
    agreed = overlay.agree(grays[0], laid, kept)
    if agreed.is_clipped and count < CLIPPED_LANDMARKS_AT_LEAST:
        return None
    return Alignment(
        agreed.correlation,
        found,
        orientation,
        scale,
        is_still(found, orientation),
        agreed.least(CORRELATION_AT_LEAST),
    )


def _refine(grays: list[np.ndarray], guess: np.ndarray, sides: tuple[float, float]) -> np.ndarray:
    """The affine warp near a guess under which the pictures correlate best."""
    side = len(grays[0])
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ECC_STEPS, 1e-4)
    start = warp.to_pixels(guess, side).astype(np.float32)
    disc = overlay.disc(sides, side).astype(np.uint8) * _FULL
    try:
        _, found = cv2.findTransformECC(
            grays[0], grays[1], start, cv2.MOTION_AFFINE, stop, disc, _BLUR_PX
        )
    except cv2.error:  # it did not converge: the guess stands
        return guess
    return warp.from_pixels(found, side)
