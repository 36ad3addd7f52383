"""A contact sheet of the cells that look most like one cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from buffycoat.plurals import counted
from buffycoat.report.sheet import (
    FAINT,
    FRAME,
    GAP_PX,
    GREEN,
    INK,
    LINE_PX,
    PAPER,
    TILE_PX,
    draw_caption,
    draw_head,
    draw_tile,
    head_px,
)

COLUMNS = 5
CAPTION_LINES = 2


@dataclass(frozen=True)
class Neighbour:
    """One cell of the sheet.

    Attributes:
        name: The file's stem.
        image: Shape (h, w, 3), uint8.
        label: Its class; "" if no table gives one.
        similarity: Cosine of the embeddings, at most 1.
    """

    name: str
    image: np.ndarray
    label: str
    similarity: float


def draw_similar_sheet(
    name: str, image: np.ndarray, verdict: str, neighbours: Sequence[Neighbour], n_cells: int
) -> np.ndarray:
    """Draw a cell and its neighbours, nearest first.

    Args:
        name: Of the cell that was asked for.
        image: Its photograph, shape (h, w, 3), uint8.
        verdict: Its predicted class, in a few words.
        neighbours: Nearest first.
        n_cells: Cells that were searched.

    Returns:
        Shape (h, w, 3), uint8.
    """
    tile_px = (TILE_PX + GAP_PX, TILE_PX + CAPTION_LINES * LINE_PX + GAP_PX)
    rows = -(-(len(neighbours) + 1) // COLUMNS)
    cells = counted(n_cells, "cell", comma="")
    lines = [
        f"{name}: {verdict}",
        f"Top left: the cell. Then the {len(neighbours)} most similar of {cells}, nearest "
        "first, with the label that a table gives them, and the cosine similarity.",
        "Similarity is not a diagnosis. Not a medical device.",
    ]
    top = head_px(len(lines) - 1)
    size = (GAP_PX + COLUMNS * tile_px[0], top + rows * tile_px[1])
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw_head(draw, lines, size[0] - 2 * GAP_PX)
    captions = [((name, INK), (verdict, GREEN))] + [
        ((f"{cell.label or 'no label'}  {cell.similarity:.3f}", INK), (cell.name, FAINT))
        for cell in neighbours
    ]
    images = [image, *(cell.image for cell in neighbours)]
    for index, (picture, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(index, COLUMNS)
        left, upper = GAP_PX + column * tile_px[0], top + row * tile_px[1]
        draw_tile(sheet, picture, left, upper, FRAME if index else GREEN)
        draw_caption(draw, caption, left, upper, TILE_PX - 4)
    return np.asarray(sheet)
