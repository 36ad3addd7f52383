"""Lobes of one nucleus belong together; nuclei that touch do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from buffycoat.fields import nuclei
from buffycoat.fields.nuclei import RED_PX


def _disks(*disks: tuple[float, float, float]) -> np.ndarray:
    """Disks at (x, y) of a radius, all in red-cell diameters."""
    mask = np.zeros((6 * RED_PX, 6 * RED_PX), np.uint8)
    for x, y, radius in disks:
        centre = (round(x * RED_PX), round(y * RED_PX))
        cv2.circle(mask, centre, round(radius * RED_PX), 1, cv2.FILLED)
    return mask


@pytest.mark.parametrize(
    ("disks", "expected"),
    [
        ([(3, 3, 0.5)], 1),
        ([(2.5, 3, 0.25), (3.1, 3.3, 0.25), (3.0, 2.5, 0.25)], 1),  # a segmented neutrophil
        ([(2, 3, 0.5), (4, 3, 0.5)], 2),
        ([(2.5, 3, 0.5), (3.45, 3, 0.5)], 2),  # two lymphocytes that touch
        ([(2.2, 3, 0.3), (2.6, 3.4, 0.3), (4.4, 3, 0.3), (4.8, 3.4, 0.3)], 2),  # two neutrophils
    ],
)
def test_nuclei_are_counted(disks: list[tuple[float, float, float]], expected: int) -> None:
    assert len(nuclei.separate(_disks(*disks))) == expected


def test_boxes_and_pixels_are_those_of_the_mask() -> None:
    mask = _disks((2, 2, 0.5), (4.5, 4, 0.5))
    again = np.zeros_like(mask)
    for (left, top, width, height), part in nuclei.separate(mask):
        again[top : top + height, left : left + width] |= part
    assert np.array_equal(again, mask)


def test_an_empty_mask_has_none() -> None:
    assert nuclei.separate(np.zeros((50, 50), np.uint8)) == []
