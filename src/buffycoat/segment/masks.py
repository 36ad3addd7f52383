"""Masks of the central cell, whoever finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


Segmenter = Callable[[np.ndarray], list[CellMasks]]
"""Images of shape (n, h, w, 3), uint8, RGB, to n masks."""
