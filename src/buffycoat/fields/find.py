"""Every nucleated cell of a field, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
MOST_PIXELS = 8_000_000
"""Of the picture that nuclei are looked for in; it takes 40 bytes a pixel. A larger one, of 100 red
cells a side, is searched in parts (`parts`)."""
SAME = 0.4
"""Of the smaller box, that another covers where both are one cell."""
CUT_PX = 2
"""Pixels at `RED_PX` from the border of the field, or of the round field, within which a contour
ends where the cell goes on."""


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

    def moved(self, right: int, down: int) -> FoundCell:
        """The same cell in a picture that this field is a part of, at that place."""
        left, top, width, height = self.box
        box = (left + right, top + down, width, height)
        return replace(self, box=box, outline=self.outline + np.array([right, down]))


@dataclass(frozen=True)
class FoundCells:
    """What a field holds.

    Attributes:
        cells: From top to bottom.
        spots: How many spots of the nuclei's stain are of each kind (`nuclei.KINDS`).
        red_count: Of red cells that were seen.
        quality: Of the field.
    """

    cells: tuple[FoundCell, ...]
    spots: Mapping[str, int]
    red_count: int
    quality: quality.FieldQuality


@dataclass(frozen=True)
class Part:
    """What of a field is looked at where it is a part of a slide.

    Attributes:
        core: Spots and red cells are counted if their centre lies here; pixels of the field.
        slack: By which the centre of a cell may miss it.
        blank: What was never scanned, shape (h, w) of any size, bool.
    """

    core: Box
    slack: float
    blank: np.ndarray

    def meets(self, width: int, height: int) -> bool:
        """Whether a field of that size has anything that counts."""
        left, top, across, down = self.core
        return (
            left - self.slack < width
            and top - self.slack < height
            and left + across + self.slack > 0
            and top + down + self.slack > 0
        )

    def holds(self, place: np.ndarray, slack: float = 0) -> bool:
        """Whether a place, across and down in pixels of the field, lies in the core."""
        left, top, width, height = self.core
        x, y = place
        across = left - slack <= x < left + width + slack
        return across and top - slack <= y < top + height + slack


@dataclass(frozen=True)
class _Picture:
    """A field at the scale where a red cell is `RED_PX` wide.

    Attributes:
        density: Shape (h, w, 3).
        surround: The microscope's, shape (h, w), bool.
        outside: All that is not smear, same shape.
        factor: Pixels here over pixels of the field.
    """

    density: np.ndarray
    surround: np.ndarray
    outside: np.ndarray
    factor: float

    @classmethod
    def of(cls, field: Field, red_px: float, blank: np.ndarray | None) -> _Picture:
        factor = gain(red_px)
        if not is_one_field(field.width, field.height, red_px):
            raise ImageError(
                f"{field.name}: {field.width} x {field.height} px with red cells of "
                f"{red_px:.0f} px, expected at most {MOST_PIXELS / factor**2 / 1e6:.0f} "
                "megapixels. Cut it into tiles, or give its file to `buffycoat find`"
            )
        small = _resized(field.pixels, factor)
        surround = outside = densities.surround(small)
        if surround.any():
            rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(0.8 * RED_PX) | 1,) * 2)
            surround = outside = cv2.dilate(surround.astype(np.uint8), rim) > 0
        if blank is not None and blank.any():
            size = small.shape[1::-1]
            whole = cv2.resize(blank.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            outside = surround | (whole > 0)
        return cls(densities.optical_density(small, outside), surround, outside, factor)

    def ends_at(self, places: np.ndarray) -> bool:
        """Whether a place (n, 2), across and down, lies at what is not smear."""
        height, width = self.surround.shape
        columns, rows = np.clip(np.rint(places).astype(int), 0, (width - 1, height - 1)).T
        top, left = max(rows.min() - CUT_PX, 0), max(columns.min() - CUT_PX, 0)
        part = self.surround[top : rows.max() + CUT_PX + 1, left : columns.max() + CUT_PX + 1]
        if not part.any():
            return False
        reach = 2 * CUT_PX + 1
        near = cv2.dilate(part.astype(np.uint8), np.ones((reach, reach), np.uint8))
        return bool(near[rows - top, columns - left].any())


def gain(red_px: float) -> float:
    """By which a field is enlarged or shrunk to look for nuclei."""
    return min(RED_PX / red_px, LARGEST_GAIN)


def is_one_field(width: int, height: int, red_px: float) -> bool:
    """Whether a picture of that size is searched as a whole."""
    return width * height * gain(red_px) ** 2 <= MOST_PIXELS


def measure_scale(field: Field) -> red_cells.RedCells | None:
    """The red cells of a field; None where nothing has an edge."""
    factor = min(1.0, red_cells.WORK_PX / max(field.height, field.width))
    small = _resized(field.pixels, factor)
    outside = densities.surround(small)
    density = densities.optical_density(small, outside)
    found = red_cells.measure(np.ascontiguousarray(density[..., 1]), outside)
    return found and red_cells.RedCells(found.diameter_px / factor, found.count)


def find(field: Field, red_px: float, part: Part | None = None) -> FoundCells:
    """Cells of a field.

    Args:
        field: The photograph.
        red_px: Diameter of its red cells, in pixels.
        part: What of it counts; None for all.

    Raises:
        ImageError: Too large to be searched at once.
    """
    picture = _Picture.of(field, red_px, None if part is None else part.blank)
    chromatin = Chromatin.of(picture.density, picture.outside)
    green = np.ascontiguousarray(picture.density[..., 1])
    reds = red_cells.places(green, picture.outside, RED_PX)
    spots = chromatin.spots(reds)
    whole = [spot for spot in spots if spot.kind in ("nucleus", "smudge")]
    is_ground = ~(picture.outside | _near(whole, picture.outside.shape))
    seen = quality.measure(green, is_ground, len(reds), quality.is_coloured(field.pixels))
    masks = outlines.whole_cells(picture.density, whole)
    cells = [
        _found(spot, mask, picture, field)
        for spot, mask in zip(whole, masks, strict=True)
        if part is None or part.holds(np.array(spot.centre) / picture.factor, part.slack)
    ]
    if part is not None:
        spots = [s for s in spots if part.holds(np.array(s.centre) / picture.factor)]
        reds = [place for place in reds if part.holds(place / picture.factor)]
    kept = once([cell.box for cell in cells], [cell.nucleus_area for cell in cells])
    kinds = Counter(spot.kind for spot in spots)
    return FoundCells(tuple(cells[place] for place in kept), kinds, len(reds), seen)


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
    places = longest + outlines.corner(nucleus)
    points = (places + 0.5) / picture.factor
    limits, near = np.array([field.width, field.height]), CUT_PX / picture.factor
    points = np.where(points < near, 0, np.where(points > limits - near, limits, points))
    is_cut = bool((points == 0).any() or (points == limits).any()) or picture.ends_at(places)
    low = np.maximum(np.floor(points.min(axis=0) - 0.5 / picture.factor), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + 0.5 / picture.factor), limits).astype(int)
    box = (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    area = float(np.count_nonzero(mask)) / RED_AREA_PX
    kind = "smudge" if nucleus.kind == "smudge" else "cell"
    return FoundCell(box, points, is_cut, area, nucleus.area, nucleus.signal, kind)


def once(boxes: Sequence[Box], sizes: Sequence[float]) -> list[int]:
    """Which of many cells to keep: of those that cover each other, the one of the largest nucleus.

    Args:
        boxes: Of the cells.
        sizes: Of their nuclei.

    Returns:
        Places of the kept, from top to bottom.
    """
    side = max((max(box[2:]) for box in boxes), default=1)
    kept: dict[tuple[int, int], list[int]] = {}  # by squares, as only near ones can overlap
    for place in sorted(range(len(boxes)), key=lambda n: (-sizes[n], boxes[n])):
        left, top, _, _ = boxes[place]
        x, y = left // side, top // side
        near = (n for i in (-1, 0, 1) for j in (-1, 0, 1) for n in kept.get((x + i, y + j), ()))
        if all(_covered(boxes[place], boxes[other]) < SAME for other in near):
            kept.setdefault((x, y), []).append(place)
    found = (place for places in kept.values() for place in places)
    return sorted(found, key=lambda n: (boxes[n][1], boxes[n][0]))


def _covered(a: Box, b: Box) -> float:
    """Area that two boxes share, over the smaller one's."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(across, 0) * max(down, 0) / max(min(a[2] * a[3], b[2] * b[3]), 1)
