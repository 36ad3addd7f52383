"""The parts that a slide is searched in: a fixed grid, whatever is read at once.

Each part is searched like a photograph of a field, with its own white, its own red cells and its
own measure of chromatin, and a margin in which every cell at its edge is whole. The grid depends on
the size of the slide and of its red cells alone; so do the cells that are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from buffycoat.fields.find import Part
from buffycoat.fields.nuclei import Box
from buffycoat.fields.photographs import coarse, rectangles, varied

CORE = 32.0
"""Side of a part in red cells, without its margin: about two photographs under 100x."""
MOST_CORE_PX = 4096
"""The same in pixels: red cells of 128 px and more have smaller parts, for memory."""
MARGIN = 4.0
"""Around a part, in red cells: half a crop is 2.25, half of the largest nucleus 1."""
SLACK = 0.5
"""In red cells, by which the centre of a cell may lie in the next part: its nucleus may look a
little different from there, and must not fall between both."""
BLANK = 3.0
"""Side of the squares of one colour, in red cells, that what was never scanned is made of."""
RING = 0.25
"""In red cells, of blank that is taken for background, so that cells beside it have some."""
FLAT = 2
"""Gray levels by which one colour may vary, for JPEG."""
BINS = 8
"""Along a red cell, that blank is looked for in."""


@dataclass(frozen=True)
class Block:
    """A part of a slide.

    Attributes:
        core: What it stands for; left, top, width, height in pixels of the slide.
        whole: The same with its margin, cut off at the border of the slide.
    """

    core: Box
    whole: Box

    def pieces(self, pixels: np.ndarray, red_px: float) -> list[tuple[Box, Part]]:
        """What of it is searched by itself: photographs on a ground, and all else.

        Args:
            pixels: Of `whole`, shape (h, w, 3), uint8.
            red_px: Diameter of a red cell.

        Returns:
            Of each its box in those pixels, and what of the box counts.
        """
        slack, found = SLACK * red_px, []
        is_varied = varied(coarse(pixels, red_px))
        if not is_varied.any():
            return []
        photographs = rectangles(pixels, is_varied, red_px)
        for box in photographs:
            part = Part(self._core_from(box), slack, np.zeros((1, 1), bool))
            if part.meets(box[2], box[3]):
                found.append((box, part))
        is_blank = blank(pixels, red_px)
        _cover(is_blank, photographs, pixels.shape, 1, True)
        _cover(is_varied, photographs, pixels.shape, 3, False)
        if is_varied.any() and not is_blank.all():
            box = (0, 0, self.whole[2], self.whole[3])
            found.append((box, Part(self._core_from(box), slack, is_blank)))
        return found

    def _core_from(self, box: Box) -> Box:
        """The core, from the left and top of a box in `whole`."""
        left, top, width, height = self.core
        return left - self.whole[0] - box[0], top - self.whole[1] - box[1], width, height


def grid(width: int, height: int, red_px: float) -> list[list[Block]]:
    """All parts of a slide, by rows."""
    side = min(CORE * red_px, MOST_CORE_PX)
    margin = int(np.ceil(MARGIN * red_px))
    across, down = (_cuts(length, side) for length in (width, height))
    rows = []
    for top, bottom in pairwise(down):
        row = []
        for left, right in pairwise(across):
            x0, y0 = max(left - margin, 0), max(top - margin, 0)
            x1, y1 = min(right + margin, width), min(bottom + margin, height)
            core = (left, top, right - left, bottom - top)
            row.append(Block(core, (x0, y0, x1 - x0, y1 - y0)))
        rows.append(row)
    return rows


def _cuts(length: int, side: float) -> list[int]:
    """Borders of equal parts of a length, each about as long as a side."""
    count = max(round(length / side), 1)
    return [round(n * length / count) for n in range(count + 1)]


def tiles(rows: Sequence[Sequence[Block]], tile_px: int) -> Iterator[list[Block]]:
    """Parts that are read at once: those of squares of `tile_px`, or one if that is less."""
    _, _, width, height = rows[0][0].core
    across, down = max(tile_px // width, 1), max(tile_px // height, 1)
    for top in range(0, len(rows), down):
        for left in range(0, len(rows[0]), across):
            yield [p for row in rows[top : top + down] for p in row[left : left + across]]


def shared(one: Box, other: Box) -> Box:
    """What two boxes have in common."""
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right = min(one[0] + one[2], other[0] + other[2])
    bottom = min(one[1] + one[3], other[1] + other[3])
    return left, top, max(right - left, 0), max(bottom - top, 0)


def around(blocks: Sequence[Block]) -> Box:
    """The box of all parts with their margins."""
    boxes = np.array([block.whole for block in blocks])
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    return int(left), int(top), int(right - left), int(bottom - top)


def _cover(
    mask: np.ndarray, boxes: Sequence[Box], shape: tuple[int, ...], around: int, value: bool
) -> None:
    """Set what lies under boxes, and some bins around them, of a picture of that shape."""
    down, across = mask.shape[0] / shape[0], mask.shape[1] / shape[1]
    for left, top, width, height in boxes:
        y, x = int(top * down), int(left * across)
        y1, x1 = int(np.ceil((top + height) * down)), int(np.ceil((left + width) * across))
        mask[max(y - around, 0) : y1 + around, max(x - around, 0) : x1 + around] = value


def blank(pixels: np.ndarray, red_px: float) -> np.ndarray:
    """Where a picture has one colour over `BLANK` red cells, less a ring of `RING`.

    Args:
        pixels: Shape (h, w, 3), uint8.
        red_px: Diameter of a red cell.

    Returns:
        Shape (h / s, w / s), bool, with s pixels a bin.
    """
    step = max(int(red_px / BINS), 1)
    height, width = pixels.shape[:2]
    beyond = ((0, -height % step), (0, -width % step), (0, 0))
    bins = np.pad(pixels, beyond, mode="edge").reshape(
        -(-height // step), step, -(-width // step), step, 3
    )
    low, high = bins.min(axis=(1, 3)), bins.max(axis=(1, 3))
    square = np.ones((int(BLANK * BINS) | 1,) * 2, np.uint8)
    span = cv2.dilate(high, square) - cv2.erode(low, square)
    is_middle = (span.max(axis=2) <= FLAT).astype(np.uint8)
    ring = np.ones((2 * int(RING * BINS) + 1,) * 2, np.uint8)
    return cv2.erode(cv2.dilate(is_middle, square), ring) > 0
