"""White background: all but the central cell painted over, as arXiv 2603.16249 does."""

from __future__ import annotations

import cv2
import numpy as np

from buffycoat.errors import ShapeError

WHITE = 255


def paint_background(image: np.ndarray, cell_mask: np.ndarray, size_px: int) -> np.ndarray:
    """Paint everything outside the cell white, crop the white borders, resize.

    The crop is the smallest square centred on the cell, so that the borders left are symmetric;
    where it leaves the image it is filled white.

    Args:
        image: Shape (h, w, 3), uint8, RGB.
        cell_mask: Shape (h, w), bool.
        size_px: Side of the result.

    Returns:
        Shape (size_px, size_px, 3), uint8. With an empty mask the image keeps its background
        and is only resized.

    Raises:
        ShapeError: Image and mask do not match.
    """
    if image.shape != (*cell_mask.shape, 3):
        raise ShapeError(
            f"expected an image of shape (h, w, 3) and a mask (h, w); got {image.shape} and "
            f"{cell_mask.shape}"
        )
    if not cell_mask.any():
        return _resize(image, size_px)
    painted = np.where(cell_mask[..., None], image, np.uint8(WHITE))
    rows = np.flatnonzero(cell_mask.any(axis=1))
    columns = np.flatnonzero(cell_mask.any(axis=0))
    tight = painted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = tight.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), WHITE, dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = tight
    return _resize(square, size_px)


def _resize(image: np.ndarray, size_px: int) -> np.ndarray:
    if image.shape[:2] == (size_px, size_px):
        return image.copy()
    shrinks = image.shape[0] > size_px
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size_px, size_px), interpolation=way)
