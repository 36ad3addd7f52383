"""Draw `rendered-cells.png`: one rendered cell of each class, and one at each severity.

Run from the repository's root: `python docs/make_picture.py`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from buffycoat.simulate.degrade import MAX_SEVERITY, degrade
from buffycoat.simulate.recipes import RECIPES
from buffycoat.simulate.render import render_cell

TARGET = Path(__file__).parent / "rendered-cells.png"
SEED = 17
COLUMNS = 7
TILE_PX = 150
CAPTION_PX = 20
COLOURS = 256


def captioned(image: np.ndarray, text: str, side_px: int) -> np.ndarray:
    """The image on a tile of `side_px`, with a text under it."""
    tile = np.full((side_px + CAPTION_PX, side_px, 3), 255, np.uint8)
    tile[2 : side_px - 2, 2 : side_px - 2] = cv2.resize(
        image, (side_px - 4, side_px - 4), interpolation=cv2.INTER_AREA
    )
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, 0.45, 1)
    at = ((side_px - width) // 2, side_px + 13)
    return cv2.putText(tile, text, at, font, 0.45, (40, 40, 40), 1, cv2.LINE_AA)


def picture() -> np.ndarray:
    """All classes in rows of seven, then one monocyte at severity 0 to 4."""
    cells = [
        captioned(render_cell(code, np.random.default_rng([SEED, n])).image, code, TILE_PX)
        for n, code in enumerate(RECIPES)
    ]
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    side_px = COLUMNS * TILE_PX // (MAX_SEVERITY + 1)
    pristine = render_cell("MO", np.random.default_rng([SEED, 100]), side_px).image
    rng = np.random.default_rng(SEED)
    worse = [
        captioned(degrade(pristine, severity, rng), f"severity {severity}", side_px)
        for severity in range(MAX_SEVERITY + 1)
    ]
    return np.vstack([*rows, np.hstack(worse)])


if __name__ == "__main__":
    sheet = Image.fromarray(picture())
    method = Image.Quantize.FASTOCTREE
    sheet.quantize(COLOURS, method, dither=Image.Dither.FLOYDSTEINBERG).save(TARGET, optimize=True)
