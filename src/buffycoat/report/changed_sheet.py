"""A contact sheet of cells that one method calls right and another wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from buffycoat.plurals import some_of
from buffycoat.report.sheet import (
    FAINT,
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

COLUMNS = 6
MAX_CELLS = 30
"""Cells shown of those won, and of those lost."""
CAPTION_LINES = 3
FRAME_PX = 3
RED = (160, 30, 30)


@dataclass(frozen=True)
class ChangedCell:
    """One cell of the sheet.

    Attributes:
        name: The cell's id.
        image: Shape (h, w, 3), uint8.
        true: Its class.
        by_a: Class that the first method gives it.
        by_b: Class that the second gives it.
        is_won: Whether the second is right; else the first is.
    """

    name: str
    image: np.ndarray
    true: str
    by_a: str
    by_b: str
    is_won: bool


def draw_changed_sheet(
    names: tuple[str, str], cells: Sequence[ChangedCell], n_won: int, n_lost: int
) -> np.ndarray:
    """Draw the cells won, then, from a new line on, those lost.

    Args:
        names: Of the first and the second method.
        cells: At most `MAX_CELLS` of each kind.
        n_won: Cells won in all; the sheet says how many are not shown.
        n_lost: Cells lost in all.

    Returns:
        Shape (h, w, 3), uint8.
    """
    won, lost = ([cell for cell in cells if cell.is_won is kind] for kind in (True, False))
    tile_px = (TILE_PX + GAP_PX, TILE_PX + CAPTION_LINES * LINE_PX + GAP_PX)
    rows_won, rows_lost = (-(-len(part) // COLUMNS) for part in (won, lost))
    lines = [
        f"A: {names[0]}   B: {names[1]}",
        f"Green: {some_of(len(won), n_won, 'cell')} won (wrong by A, right by B). "
        f"Red: {some_of(len(lost), n_lost, 'cell')} lost (right by A, wrong by B).",
        "For human review only; the label may be what is wrong. Not a medical device.",
    ]
    top = head_px(len(lines) - 1)
    size = (GAP_PX + COLUMNS * tile_px[0], top + (rows_won + rows_lost) * tile_px[1])
    sheet = Image.new("RGB", size, PAPER)
    draw_head(ImageDraw.Draw(sheet), lines, size[0] - 2 * GAP_PX)
    for first_row, part in ((0, won), (rows_won, lost)):
        for index, cell in enumerate(part):
            row, column = divmod(index, COLUMNS)
            place = (GAP_PX + column * tile_px[0], top + (first_row + row) * tile_px[1])
            _draw_cell(sheet, cell, *place)
    return np.asarray(sheet)


def _draw_cell(sheet: Image.Image, cell: ChangedCell, left: int, top: int) -> None:
    colour = GREEN if cell.is_won else RED
    draw_tile(sheet, cell.image, left, top)
    edge = (left, top, left + TILE_PX - 3, top + TILE_PX - 3)
    ImageDraw.Draw(sheet).rectangle(edge, outline=colour, width=FRAME_PX)
    lines = (
        (f"truth {cell.true}", INK),
        (f"A {cell.by_a}, B {cell.by_b}", colour),
        (cell.name, FAINT),
    )
    draw_caption(ImageDraw.Draw(sheet), lines, left, top, TILE_PX - 4)
