"""Cells that a bundle must not be adapted to, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from buffycoat.errors import NotEstimableError
from buffycoat.predict.unfamiliar import LARGEST_CLASS, LEAST_CELLS, how_many, one_class

GRAY_LEVELS = 4.0
"""Mean difference between the highest and the lowest channel under which a picture is gray."""
FLAT_SHARE = 0.35
"""Share of the stained pixels that equal both neighbours from which a picture was drawn: sensors
add noise, and compression smooths single blocks only."""
MOSTLY = 0.5
"""Share of the pictures at which the whole set is refused."""


def enough(n: int) -> None:
    """Refuse too few cells.

    Raises:
        NotEstimableError: They are.
    """
    if n < LEAST_CELLS:
        raise NotEstimableError(f"{how_many(n)} Or predict with the bundle as it is")


def photographs(images: np.ndarray) -> None:
    """Refuse pictures that are gray or drawn.

    Args:
        images: Shape (n, w, w, 3), uint8.

    Raises:
        NotEstimableError: Most of them are.
    """
    gray = np.mean([np.ptp(image.reshape(-1, 3), axis=1).mean() < GRAY_LEVELS for image in images])
    if gray >= MOSTLY:
        raise NotEstimableError(
            f"{100 * gray:.0f} % of the pictures are gray. A stain is known by its colours: give "
            "the colour photographs"
        )
    drawn = np.mean([_flat_share(image) > FLAT_SHARE for image in images])
    if drawn >= MOSTLY:
        raise NotEstimableError(
            f"{100 * drawn:.0f} % of the pictures are drawn or painted, not photographed: many of "
            "their stained pixels equal their neighbours. Give photographs of cells"
        )


def classes(labels: np.ndarray, codes: Sequence[str]) -> None:
    """Refuse cells that are nearly all of one class.

    Args:
        labels: Predicted class of each cell, shape (n,).
        codes: Of the classes.

    Raises:
        NotEstimableError: They are.
    """
    counts = np.bincount(labels, minlength=len(codes))
    share, code = counts.max() / len(labels), codes[int(counts.argmax())]
    if share >= LARGEST_CLASS:
        raise NotEstimableError(one_class(code, share))


def _flat_share(image: np.ndarray) -> float:
    """Of pixels darker than the background, those that equal their right and lower neighbours."""
    green = image[..., 1].astype(np.int16)
    dark = green[:-1, :-1] < 0.85 * np.quantile(green, 0.9)
    if not dark.any():
        return 0.0
    inner = image[:-1, :-1].astype(np.int16)
    same = (inner == image[:-1, 1:]).all(axis=2) & (inner == image[1:, :-1]).all(axis=2)
    return float(same[dark].mean())
