"""What contact sheets share: tiles, captions and a head on white paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE_PX = 176
GAP_PX = 14
LINE_PX = 17
FONT_PX = 13
TITLE_PX = 16
PAPER = (255, 255, 255)
INK = (30, 30, 30)
FAINT = (110, 110, 110)
GREEN = (0, 110, 60)
FRAME = (225, 225, 225)

Colour = tuple[int, int, int]


def head_px(n_lines: int) -> int:
    """Height of a head with so many lines under its title."""
    return 2 * GAP_PX + TITLE_PX + n_lines * LINE_PX


def draw_head(draw: ImageDraw.ImageDraw, lines: Sequence[str], width_px: int) -> None:
    """A title and what is under it, at the top of a sheet."""
    title = ImageFont.load_default(TITLE_PX)
    draw.text((GAP_PX, GAP_PX), fit_line(lines[0], title, width_px), fill=INK, font=title)
    font = ImageFont.load_default(FONT_PX)
    for number, line in enumerate(lines[1:]):
        top = GAP_PX + TITLE_PX + 4 + number * LINE_PX
        draw.text((GAP_PX, top), fit_line(line, font, width_px), fill=FAINT, font=font)


def draw_tile(
    sheet: Image.Image, image: np.ndarray, left: int, top: int, frame: Colour = FRAME
) -> None:
    """One image of shape (h, w, 3), as large as a tile allows, its proportions kept."""
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, top, left + TILE_PX - 3, top + TILE_PX - 3), fill=frame)
    picture = Image.fromarray(image)
    picture.thumbnail((TILE_PX - 2, TILE_PX - 2), Image.Resampling.LANCZOS)
    if max(picture.size) < TILE_PX - 2:
        grown = (TILE_PX - 2) / max(picture.size)
        picture = picture.resize([max(round(s * grown), 1) for s in picture.size])
    space = [(TILE_PX - 2 - side) // 2 for side in picture.size]
    sheet.paste(picture, (left + space[0], top + space[1]))


def draw_caption(
    draw: ImageDraw.ImageDraw,
    lines: Sequence[tuple[str, Colour]],
    left: int,
    top: int,
    width_px: int,
) -> None:
    """Lines under a tile, whose top is at `top`, each with its colour."""
    font = ImageFont.load_default(FONT_PX)
    for number, (line, colour) in enumerate(lines):
        place = (left, top + TILE_PX + number * LINE_PX)
        draw.text(place, fit_line(line, font, width_px), fill=colour, font=font)


def fit_line(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: float) -> str:
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
