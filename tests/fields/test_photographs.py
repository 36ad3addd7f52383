"""Photographs on a ground of one colour, recognised by their outline."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.fields.nuclei import Box
from buffycoat.fields.photographs import coarse, rectangles, varied
from buffycoat.simulate.fields import render_field

RED_PX = 20.0


def _rectangles(pixels: np.ndarray) -> list[Box]:
    return rectangles(pixels, varied(coarse(pixels, RED_PX)), RED_PX)


def _field(seed: int = 0) -> np.ndarray:
    dim = 0.7 + 0.05 * seed
    return (render_field([], np.random.default_rng(seed), 240).image * dim).astype(np.uint8)


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_the_borders_are_found_to_the_pixel(noise: float) -> None:
    rng = np.random.default_rng(0)
    ground = 236 + noise * rng.standard_normal((700, 900, 3))
    canvas = np.clip(np.rint(ground), 0, 255).astype(np.uint8)
    boxes = [(17, 33, 240, 240), (301, 40, 240, 240), (660, 300, 240, 240), (100, 460, 240, 240)]
    for seed, (left, top, width, height) in enumerate(boxes):
        canvas[top : top + height, left : left + width] = _field(seed)
    assert _rectangles(canvas) == boxes  # two of them reach the border


def test_a_picture_without_ground_is_no_photograph_on_it() -> None:
    assert _rectangles(_field()) == []


def test_groups_of_cells_on_glass_are_no_photographs() -> None:
    field = render_field([], np.random.default_rng(0), 240).image
    glass = np.median(field.reshape(-1, 3), axis=0).astype(np.uint8)
    canvas = np.empty((600, 600, 3), np.uint8)
    canvas[:] = glass
    down, across = np.mgrid[-120:120, -120:120]
    is_near = down**2 + across**2 < 110**2
    canvas[150:390, 200:440][is_near] = field[is_near]
    assert _rectangles(canvas) == []
