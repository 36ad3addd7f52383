"""A contact sheet: cells before and after restoration, side by side, with what was decided."""

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

MAX_PAIRS = 40
COLUMNS = 4
CAPTION_LINES = 3


@dataclass(frozen=True)
class Pair:
    """One cell of the sheet.

    Attributes:
        name: The file's stem.
        before: Shape (h, w, 3), uint8.
        after: Same shape; what was written.
        severity: Estimated of the original, 0-4.
        degradation: Such as "noise+light"; "" for none.
        verdict: In a few words.
        is_restored: Whether `after` is a restored image.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    severity: float
    degradation: str
    verdict: str
    is_restored: bool


def draw_contact_sheet(pairs: Sequence[Pair], n_cells: int) -> np.ndarray:
    """Draw a sheet of at most `MAX_PAIRS` pairs.

    Args:
        pairs: In the order in which they are shown.
        n_cells: Cells in all; the sheet says how many of them it does not show.

    Returns:
        Shape (h, w, 3), uint8.
    """
    shown = pairs[:MAX_PAIRS]
    pair_px = (2 * TILE_PX + GAP_PX, TILE_PX + CAPTION_LINES * LINE_PX + GAP_PX)
    columns = max(min(COLUMNS, len(shown)), 2)
    rows = -(-len(shown) // columns)
    lines = _head(len(shown), n_cells)
    top = head_px(len(lines) - 1)
    size = (GAP_PX + columns * pair_px[0], top + rows * pair_px[1])
    sheet = Image.new("RGB", size, PAPER)
    draw_head(ImageDraw.Draw(sheet), lines, size[0] - 2 * GAP_PX)
    for index, pair in enumerate(shown):
        row, column = divmod(index, columns)
        _draw_pair(sheet, pair, GAP_PX + column * pair_px[0], top + row * pair_px[1])
    return np.asarray(sheet)


def _head(n_shown: int, n_cells: int) -> list[str]:
    return [
        some_of(n_shown, n_cells, "cell", comma="")
        + (f"; {n_cells - n_shown} not shown" if n_cells > n_shown else ""),
        "Left: original. Right: what was written, restored or the original kept.",
        "For human review only; the originals are kept. Not a medical device.",
    ]


def _draw_pair(sheet: Image.Image, pair: Pair, left: int, top: int) -> None:
    draw_tile(sheet, pair.before, left, top)
    draw_tile(sheet, pair.after, left + TILE_PX, top)
    lines = (
        (pair.name, INK),
        (f"severity {pair.severity:.1f}  {pair.degradation.replace('+', ', ')}", FAINT),
        (pair.verdict, GREEN if pair.is_restored else FAINT),
    )
    draw_caption(ImageDraw.Draw(sheet), lines, left, top, 2 * TILE_PX - 4)
