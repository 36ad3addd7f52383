"""Rendered fields of view: many red cells and chosen white cells, with known masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.optional import choose
from buffycoat.simulate import paint
from buffycoat.simulate.recipes import RECIPES
from buffycoat.simulate.render import RED_CELL_RADIUS_UM, SENSOR_SIGMA, SUPERSAMPLING
from buffycoat.simulate.shapes import Canvas, Disk, cell_mask, draw, nucleus_mask

SIDE_UM = 90.0
"""Width of a rendered field: what an objective of 100x shows of a smear, about."""
MARGIN_UM = 4.0


@dataclass(frozen=True)
class Placed:
    """A white cell to draw.

    Attributes:
        code: A key of `recipes.RECIPES`.
        x_um: Its centre, from the left; it may lie outside the field.
        y_um: The same, from the top.
    """

    code: str
    x_um: float
    y_um: float


@dataclass(frozen=True)
class RenderedField:
    """A field, and what is in it.

    Attributes:
        image: Shape (size_px, size_px, 3), uint8, RGB.
        boxes: Left, top, width, height of each white cell that can be seen, shape (n, 4), int64.
        um_per_px: Width of a pixel.
    """

    image: np.ndarray
    boxes: np.ndarray
    um_per_px: float


def render_field(
    cells: Sequence[Placed],
    rng: np.random.Generator,
    size_px: int = 640,
    red_cells: int = 60,
) -> RenderedField:
    """Draw a field of `SIDE_UM`.

    Args:
        cells: White cells.
        rng: The only source of randomness.
        size_px: Side of the image.
        red_cells: How many to scatter; fewer are drawn where there is no room.
    """
    side = size_px * SUPERSAMPLING
    canvas = Canvas(side, side / SIDE_UM)
    bodies = [
        Disk(c.x_um, c.y_um, draw(choose(RECIPES, c.code, "cell class").diameter_um, rng) / 2)
        for c in cells
    ]
    stain = paint.Stain.random(rng)
    colour = paint.field(_scatter(bodies, red_cells, rng), canvas, stain, rng)
    boxes = []
    for cell, body in zip(cells, bodies, strict=True):
        recipe = RECIPES[cell.code]
        whole = cell_mask(recipe, body, [], canvas, rng)
        if not whole.any():
            continue
        nucleus = nucleus_mask(recipe.nucleus, body, whole, canvas, rng)
        left, top, width, height = cv2.boundingRect(whole)
        window = np.s_[max(top - 6, 0) : top + height + 6, max(left - 6, 0) : left + width + 6]
        paint.cell(colour[window], (whole[window], nucleus[window]), recipe, canvas, stain, rng)
        boxes.append(np.array([left, top, width, height]) / SUPERSAMPLING)
    image = cv2.resize(colour, (size_px, size_px), interpolation=cv2.INTER_AREA)
    image += np.float32(SENSOR_SIGMA) * rng.standard_normal(image.shape, dtype=np.float32)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    found = np.array(boxes).reshape(-1, 4).round().astype(np.int64)
    return RenderedField(pixels, found, SIDE_UM / size_px)


def _scatter(bodies: Sequence[Disk], count: int, rng: np.random.Generator) -> list[Disk]:
    """Red cells off the white ones, seldom on top of each other."""
    found: list[Disk] = []
    spots = rng.uniform(-MARGIN_UM, SIDE_UM + MARGIN_UM, (20 * count, 2))
    radii = rng.uniform(*RED_CELL_RADIUS_UM, 20 * count)
    for (x, y), radius in zip(spots, radii, strict=True):
        if len(found) == count:
            break
        near = [*((b, 1.0) for b in bodies), *((d, 0.95) for d in found)]
        if all(np.hypot(x - d.x_um, y - d.y_um) > f * (radius + d.radius_um) for d, f in near):
            found.append(Disk(x, y, radius))
    return found
