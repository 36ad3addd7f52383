"""A contact sheet: cells before and after restoration, side by side, with what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MAX_PAIRS = 40
COLUMNS = 4
TILE_PX = 176
GAP_PX = 14
LINE_PX = 17
FONT_PX = 13
TITLE_PX = 16
CAPTION_LINES = 3
PAPER = (255, 255, 255)
INK = (30, 30, 30)
FAINT = (110, 110, 110)
ACCEPTED = (0, 110, 60)
FRAME = (225, 225, 225)


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
    head_px = 2 * GAP_PX + TITLE_PX + 2 * LINE_PX
    size = (GAP_PX + columns * pair_px[0], head_px + rows * pair_px[1])
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_head(draw, len(shown), n_cells, size[0] - 2 * GAP_PX)
    for index, pair in enumerate(shown):
        row, column = divmod(index, columns)
        _draw_pair(sheet, draw, pair, GAP_PX + column * pair_px[0], head_px + row * pair_px[1])
    return np.asarray(sheet)


def _draw_head(draw: ImageDraw.ImageDraw, n_shown: int, n_cells: int, width_px: int) -> None:
    lines = [
        f"{n_shown} of {n_cells} cells"
        + (f"; {n_cells - n_shown} not shown" if n_cells > n_shown else ""),
        "Left: original. Right: what was written, restored or the original kept.",
        "For human review only; the originals are kept. Not a medical device.",
    ]
    title = ImageFont.load_default(TITLE_PX)
    draw.text((GAP_PX, GAP_PX), _fit(lines[0], title, width_px), fill=INK, font=title)
    font = ImageFont.load_default(FONT_PX)
    for number, line in enumerate(lines[1:]):
        top = GAP_PX + TITLE_PX + 4 + number * LINE_PX
        draw.text((GAP_PX, top), _fit(line, font, width_px), fill=FAINT, font=font)


def _draw_pair(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, pair: Pair, left: int, top: int
) -> None:
    for number, image in enumerate((pair.before, pair.after)):
        x = left + number * TILE_PX
        draw.rectangle((x, top, x + TILE_PX - 3, top + TILE_PX - 3), fill=FRAME)
        picture = Image.fromarray(image)
        picture.thumbnail((TILE_PX - 2, TILE_PX - 2), Image.Resampling.LANCZOS)
        if max(picture.size) < TILE_PX - 2:
            grown = (TILE_PX - 2) / max(picture.size)
            picture = picture.resize([max(round(s * grown), 1) for s in picture.size])
        space = [(TILE_PX - 2 - side) // 2 for side in picture.size]
        sheet.paste(picture, (x + space[0], top + space[1]))
    font = ImageFont.load_default(FONT_PX)
    lines = (
        (pair.name, INK),
        (f"severity {pair.severity:.1f}  {pair.degradation.replace('+', ', ')}", FAINT),
        (pair.verdict, ACCEPTED if pair.is_restored else FAINT),
    )
    for number, (line, colour) in enumerate(lines):
        place = (left, top + TILE_PX + number * LINE_PX)
        draw.text(place, _fit(line, font, 2 * TILE_PX - 4), fill=colour, font=font)


def _fit(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: float) -> str:
    """The line, its middle left out if it is too wide: the ends of names tell them apart."""
    line = "".join(c if c.isprintable() else "?" for c in line)
    if font.getlength(line) <= width_px:
        return line
    keep = len(line)
    while keep > 2 and font.getlength(f"{line[: keep // 2]}...{line[-(keep - keep // 2) :]}") > (
        width_px
    ):
        keep -= 1
    return f"{line[: keep // 2]}...{line[-(keep - keep // 2) :]}"
