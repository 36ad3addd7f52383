"""Every nucleated cell of a field, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from buffycoat.errors import ImageError
from buffycoat.fields import density as densities
from buffycoat.fields import outlines, quality, red_cells
from buffycoat.fields.chromatin import Chromatin
from buffycoat.fields.field import Field
from buffycoat.fields.nuclei import RED_AREA_PX, RED_PX, Box, Nucleus, disk

LARGEST_GAIN = 3.0
"""By which a field is enlarged, at most, to look for nuclei."""
MOST_PIXELS = 40_000_000
"""Of the picture that nuclei are looked for in; it takes 40 bytes a pixel."""
SAME = 0.4
"""Of the smaller box, that another covers where both are one cell."""
CUT_PX = 1
"""Pixels at the border of the field, or of the round field, in which a box is cut."""


@dataclass(frozen=True)
class FoundCell:
    """A nucleated cell.

    Attributes:
        box: In pixels of the field.
        outline: Of the whole cell, shape (n, 2), across and down, in pixels of the field.
        is_cut: Whether it leaves the field.
        area: Of the whole cell, in areas of a red cell.
        nucleus_area: In areas of a red cell.
        signal: How far its nucleus stands out, in robust standard deviations of the field.
        kind: "cell", or "smudge" for what is left of a broken one.
    """

    box: Box
    outline: np.ndarray
    is_cut: bool
    area: float
    nucleus_area: float
    signal: float
    kind: str


@dataclass(frozen=True)
class FoundCells:
    """What a field holds.

    Attributes:
        cells: From top to bottom.
        spots: How many spots of the nuclei's stain are of each kind (`nuclei.KINDS`).
        quality: Of the field.
    """

    cells: tuple[FoundCell, ...]
    spots: Mapping[str, int]
    quality: quality.FieldQuality


@dataclass(frozen=True)
class _Picture:
    """A field at the scale where a red cell is `RED_PX` wide.

    Attributes:
        density: Shape (h, w, 3).
        outside: Shape (h, w), bool.
        factor: Pixels here over pixels of the field.
    """

    density: np.ndarray
    outside: np.ndarray
    factor: float

    @classmethod
    def of(cls, field: Field, red_px: float) -> _Picture:
        factor = min(RED_PX / red_px, LARGEST_GAIN)
        pixels = field.height * field.width
        if pixels * factor**2 > MOST_PIXELS:
            raise ImageError(
                f"{field.name}: {field.width} x {field.height} px with red cells of "
                f"{red_px:.0f} px, expected at most {MOST_PIXELS / factor**2 / 1e6:.0f} "
                "megapixels. Cut it into tiles"
            )
        small = _resized(field.pixels, factor)
        outside = densities.surround(small)
        if outside.any():
            rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(0.8 * RED_PX) | 1,) * 2)
            outside = cv2.dilate(outside.astype(np.uint8), rim) > 0
        return cls(densities.optical_density(small, outside), outside, factor)


def measure_scale(field: Field) -> red_cells.RedCells | None:
    """The red cells of a field; None where nothing has an edge."""
    factor = min(1.0, red_cells.WORK_PX / max(field.height, field.width))
    small = _resized(field.pixels, factor)
    outside = densities.surround(small)
    density = densities.optical_density(small, outside)
    found = red_cells.measure(np.ascontiguousarray(density[..., 1]), outside)
    return found and red_cells.RedCells(found.diameter_px / factor, found.count)


def find(field: Field, red_px: float) -> FoundCells:
    """Cells of a field.

    Args:
        field: The photograph.
        red_px: Diameter of its red cells, in pixels.

    Raises:
        ImageError: Too large to be enlarged so much.
    """
    picture = _Picture.of(field, red_px)
    chromatin = Chromatin.of(picture.density, picture.outside)
    green = np.ascontiguousarray(picture.density[..., 1])
    reds = red_cells.places(green, picture.outside, RED_PX)
    is_certain = len(reds) >= red_cells.LEAST_CELLS
    spots = chromatin.spots(reds if is_certain else reds[:0])
    whole = [spot for spot in spots if spot.kind in ("nucleus", "smudge")]
    is_ground = ~(picture.outside | _near(whole, picture.outside.shape))
    seen = quality.measure(green, is_ground, len(reds), quality.is_coloured(field.pixels))
    masks = outlines.whole_cells(picture.density, whole)
    cells = [_found(spot, mask, picture, field) for spot, mask in zip(whole, masks, strict=True)]
    return FoundCells(tuple(_once(cells)), Counter(spot.kind for spot in spots), seen)


def _near(spots: Sequence[Nucleus], shape: tuple[int, ...]) -> np.ndarray:
    """Nuclei, and a little around them, shape (h, w), bool."""
    found = np.zeros(shape, dtype=np.uint8)
    for spot in spots:
        left, top, width, height = spot.box
        found[top : top + height, left : left + width] |= spot.mask
    return cv2.dilate(found, disk(0.3)) > 0


def _resized(image: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return image
    size = [max(round(side * factor), 1) for side in image.shape[1::-1]]
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=way)


def _found(nucleus: Nucleus, mask: np.ndarray, picture: _Picture, field: Field) -> FoundCell:
    """A cell at the field's scale."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
    points = (longest + outlines.corner(nucleus) + 0.5) / picture.factor
    limits = np.array([field.width, field.height])
    is_cut = bool((points < CUT_PX).any() or (points > limits - CUT_PX).any())
    points = np.clip(points, 0, limits)
    low = np.maximum(np.floor(points.min(axis=0) - 0.5 / picture.factor), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + 0.5 / picture.factor), limits).astype(int)
    box = (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    area = float(np.count_nonzero(mask)) / RED_AREA_PX
    kind = "smudge" if nucleus.kind == "smudge" else "cell"
    return FoundCell(box, points, is_cut, area, nucleus.area, nucleus.signal, kind)


def _once(cells: list[FoundCell]) -> list[FoundCell]:
    """Of cells that cover each other, the larger one."""
    kept: list[FoundCell] = []
    for cell in sorted(cells, key=lambda one: -one.nucleus_area):
        if all(_covered(cell.box, other.box) < SAME for other in kept):
            kept.append(cell)
    return sorted(kept, key=lambda one: (one.box[1], one.box[0]))


def _covered(a: Box, b: Box) -> float:
    """Area that two boxes share, over the smaller one's."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(across, 0) * max(down, 0) / max(min(a[2] * a[3], b[2] * b[3]), 1)
