"""Cells that are drawn in a few lines: fast, clean, and with known masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest


@dataclass(frozen=True)
class DrawnMasks:
    cell: np.ndarray
    nucleus: np.ndarray
    quality: float = 0.9


def draw_cell(rng: np.random.Generator, side_px: int = 64) -> tuple[np.ndarray, DrawnMasks]:
    """A purple nucleus in a bluish cell on a bright field with some texture."""
    field = 225 + rng.uniform(-8, 8, 3)
    image = np.full((side_px, side_px, 3), field, dtype=np.float32)
    middle = tuple(int(side_px / 2 + rng.uniform(-3, 3)) for _ in range(2))
    masks = []
    for share, colour in ((0.34, (185, 180, 215)), (0.2, (95, 55, 140))):
        disk = np.zeros((side_px, side_px), dtype=np.uint8)
        radius = int(side_px * share * rng.uniform(0.85, 1.15))
        cv2.circle(disk, middle, radius, 1, thickness=-1)
        image[disk > 0] = np.array(colour) + rng.uniform(-10, 10, 3)
        masks.append(disk > 0)
    image += cv2.GaussianBlur(rng.normal(0, 12, image.shape).astype(np.float32), (0, 0), 2.0)
    return np.clip(image, 0, 255).astype(np.uint8), DrawnMasks(*masks)


@pytest.fixture(scope="session")
def drawn_cells() -> np.ndarray:
    """Sixty clean cells, shape (60, 64, 64, 3), uint8."""
    rng = np.random.default_rng(0)
    return np.stack([draw_cell(rng)[0] for _ in range(60)])


@pytest.fixture(scope="session")
def drawn_masks() -> list[DrawnMasks]:
    """The masks of `drawn_cells`."""
    rng = np.random.default_rng(0)
    return [draw_cell(rng)[1] for _ in range(60)]
