"""Masks of the central cell, whoever finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class CellMasks:
    """Masks of the central cell.

    Attributes:
        cell: Shape (h, w), bool: nucleus and cytoplasm.
        nucleus: Shape (h, w), bool; always within `cell`.
        quality: 0 (no cell found) to 1 (clear, whole and plausible).
    """

    cell: np.ndarray
    nucleus: np.ndarray
    quality: float

    @classmethod
    def none(cls, height: int, width: int) -> CellMasks:
        """Of an image in which no cell is found."""
        empty = np.zeros((height, width), dtype=bool)
        return cls(empty, empty.copy(), 0.0)


def box_around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the box around a mask (h, w) and a margin, as far as the image goes.

    Args:
        mask: Shape (h, w), bool or uint8, not empty.
        margin: In pixels.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(top - margin, 0), min(top + height + margin, mask.shape[0])),
        slice(max(left - margin, 0), min(left + width + margin, mask.shape[1])),
    )


Segmenter = Callable[[np.ndarray], list[CellMasks]]
"""Images of shape (n, h, w, 3), uint8, RGB, to n masks."""
