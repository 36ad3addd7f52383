"""Draw the pictures of README and docs, all of rendered cells.

    python docs/make_picture.py
    python docs/make_picture.py --restored [--bundle starter]
    python docs/make_picture.py --explained [--bundle starter] [--data CELLS]

Run from the repository's root. The first draws `rendered-cells.png`: one cell of each class, and
one at each severity. The second draws `restored-cells.png`: five cells degraded, as a bundle's
restorer makes them, as its gate leaves them, and clean. The third draws `explained-CLASS.png`: what
`buffycoat explain` says of three cells.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from buffycoat.bundle import files
from buffycoat.predict import cleaning
from buffycoat.predict.explain import explain
from buffycoat.report.explanation import draw_explanation
from buffycoat.simulate.degrade import MAX_SEVERITY, degrade
from buffycoat.simulate.recipes import RECIPES
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read

FOLDER = Path(__file__).parent
SEED = 17
COLUMNS = 7
TILE_PX = 150
CAPTION_PX = 20
COLOURS = 256
RESTORED_SEVERITY = 3
RESTORED = {
    "SNE": ("noise",),
    "EO": ("defocus",),
    "LY": ("motion_blur",),
    "MO": ("uneven_light",),
    "BA": ("gamma", "noise"),
}
"""Class of each cell of the second picture -> what it suffers."""
EXPLAINED = ("EO", "BNE", "PMY")
"""A class that is plain, one between two others, and a rare one."""
EXPLAINED_PX = 360


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


def rendered() -> np.ndarray:
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


def restored(name: str) -> np.ndarray:
    """Five cells degraded, as the bundle's restorer makes them, as its gate leaves them, and clean.

    Args:
        name: A bundle's folder, or "starter".
    """
    fitted = files.read(name)
    side_px = fitted.config.images.work_px
    clean, degraded = [], []
    for number, (code, kinds) in enumerate(RESTORED.items()):
        rng = np.random.default_rng([SEED, 200 + number])
        clean.append(render_cell(code, rng, side_px).image)
        degraded.append(degrade(clean[-1], RESTORED_SEVERITY, rng, kinds))
    made = fitted.restoration.restorer.restore(np.stack(degraded))
    found = cleaning.clean(np.stack(degraded), fitted.restoration)
    for code, reason in zip(RESTORED, found.reasons, strict=True):
        print(f"{code}: {reason}")
    verdicts = [
        "accepted by the gate" if kept else "refused: original kept" for kept in found.is_restored
    ]
    faults = [f"{code}: {' + '.join(kinds).replace('_', ' ')}" for code, kinds in RESTORED.items()]
    tile_px = COLUMNS * TILE_PX // len(RESTORED)
    n = len(clean)
    rows = (
        (degraded, faults),
        (made, ["restorer's image"] * n),
        (found.images, verdicts),
        (clean, ["clean"] * n),
    )
    return np.vstack(
        [
            np.hstack([captioned(i, t, tile_px) for i, t in zip(images, texts, strict=True)])
            for images, texts in rows
        ]
    )


def explained(name: str, data: Path | None) -> dict[str, np.ndarray]:
    """Class -> what `buffycoat explain` draws of a cell of it.

    Args:
        name: A bundle's folder, or "starter".
        data: Its training cells, for their pictures: rendered ones only.
    """
    frame = None if data is None else read(data).frame
    pictures = {} if frame is None else dict(zip(frame["cell_id"], frame["path"], strict=True))
    fitted = files.read(name)
    names = {cell.code: cell.name for cell in fitted.taxonomy.classes}
    figures = {}
    for number, code in enumerate(EXPLAINED):
        image = render_cell(code, np.random.default_rng([SEED, 300 + number]), EXPLAINED_PX).image
        words = f"a rendered cell, drawn as {names[code]} ({code})"
        found, _ = explain(image, words, fitted, pictures=pictures)
        print(f"{code}: {found.verdict}")
        figures[code] = draw_explanation(found)
    return figures


def write(path: Path, sheet: np.ndarray) -> None:
    """Write a picture with few colours, so that it stays small."""
    method = Image.Quantize.FASTOCTREE
    few = Image.fromarray(sheet).quantize(COLOURS, method, dither=Image.Dither.FLOYDSTEINBERG)
    few.save(path, optimize=True)


def main() -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(description="Draw the pictures of README and docs.")
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--restored", action="store_true", help="draw restored-cells.png")
    wanted.add_argument("--explained", action="store_true", help="draw explained-CLASS.png")
    parser.add_argument("--bundle", default=files.STARTER, help="whose work they show")
    parser.add_argument("--data", type=Path, help="rendered cells that it was trained on")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures")
    options = parser.parse_args()
    if options.restored:
        write(options.out / "restored-cells.png", restored(options.bundle))
    elif options.explained:
        for code, figure in explained(options.bundle, options.data).items():
            write(options.out / f"explained-{code}.png", figure)
    else:
        write(options.out / "rendered-cells.png", rendered())


if __name__ == "__main__":
    main()
