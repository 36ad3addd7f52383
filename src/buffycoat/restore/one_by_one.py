"""What every restorer can do, and the loop that they share: each image on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from buffycoat.errors import ShapeError

Progress = Callable[[int, int], None]


class Restorer(Protocol):
    """What every restorer can do."""

    name: str

    def restore(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Clean images, shape (n, h, w, 3), uint8, as the given ones; each on its own."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Settings as JSON values, the name included."""
        ...

    def to_tensors(self) -> dict[str, np.ndarray]:
        """Weights, as they were trained or stored."""
        ...


def one_by_one(
    images: np.ndarray,
    correct: Callable[[np.ndarray], np.ndarray],
    on_progress: Progress | None = None,
) -> np.ndarray:
    """Correct images one after another, so that none depends on those beside it.

    Args:
        images: Shape (n, h, w, 3), uint8, RGB.
        correct: Takes and gives one image, shape (h, w, 3), uint8.
        on_progress: Called with (images done, n).

    Returns:
        Same shape, uint8.

    Raises:
        ShapeError: Not such images.
    """
    check_images(images)
    restored = np.empty(images.shape, dtype=np.uint8)
    for row in range(len(images)):
        restored[row] = correct(np.ascontiguousarray(images[row]))
        if on_progress is not None:
            on_progress(row + 1, len(images))
    return restored


def check_images(images: np.ndarray) -> None:
    """Refuse what is not a stack of RGB images.

    Args:
        images: Anything with a shape and a dtype.

    Raises:
        ShapeError: Not (n, h, w, 3) uint8.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ShapeError(
            f"images: expected (n, h, w, 3) uint8 RGB, got {images.shape} {images.dtype}"
        )
