"""How a working image becomes a network's input at prediction: its centre, in eight views."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from buffycoat.optional import choose

# The symmetries of the square. Each is (transpose first, mirror rows, mirror columns).
D4 = tuple((bool(t), bool(r), bool(c)) for t in (0, 1) for r in (0, 1) for c in (0, 1))

PAPER7 = (*D4[:7], D4[3])
"""What the published code calls eight views: seven, with the rotation by 180 degrees twice and
the anti-transpose missing."""

VIEWS = {"one": D4[:1], "paper7": PAPER7, "d4": D4}


def centre(image: np.ndarray, crop_fraction: float, input_px: int) -> np.ndarray:
    """The central part of a working image at the network's size.

    Args:
        image: Shape (w, w, 3), uint8.
        crop_fraction: Side of the crop over side of the image.
        input_px: Side of the result.

    Returns:
        Shape (input_px, input_px, 3), uint8.
    """
    side = image.shape[0]
    kept = round(side * crop_fraction)
    low = (side - kept) // 2
    crop = image[low : low + kept, low : low + kept]
    smaller = input_px < kept
    return cv2.resize(
        crop, (input_px, input_px), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    )


def views_of(image: np.ndarray, name: str, wanted: Sequence[int] | None = None) -> np.ndarray:
    """Views of one image.

    Args:
        image: Shape (s, s, 3).
        name: "one", "d4" (eight distinct views) or "paper7".
        wanted: Which of that set, by index; None for all.

    Returns:
        Shape (v, s, s, 3).
    """
    views = choose(VIEWS, name, "set of views")
    return np.stack(
        [_turn(image, *views[i]) for i in (range(len(views)) if wanted is None else wanted)]
    )


def _turn(image: np.ndarray, transpose: bool, rows: bool, columns: bool) -> np.ndarray:
    turned = image.swapaxes(0, 1) if transpose else image
    return turned[:: -1 if rows else 1, :: -1 if columns else 1]
