"""Cells found in pale pictures, at other sites and in pictures without a cell, before and after.

    python -m benchmarks.pale_cells ../shared --out benchmarks/results/morphology/pale.csv

"Before" is the segmentation without `segment.pale`. Simulated pictures are PBC-LT's training cells
made pale, with another stain, a cast, uneven light, noise and JPEG; the limits of `pale` were
chosen on such pictures. Pictures without a cell are mirrored corners of the same photographs, and
squares of the sites' fields that touch no box.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pandas as pd
from benchmarks.segmentation import dice
from benchmarks.site_cells import FRAME_TO_CELL, TYPED, UNTYPED, read_site

from buffycoat import images
from buffycoat.images import to_work
from buffycoat.segment import pale
from buffycoat.segment.stain import CellMasks, segment_all
from buffycoat.simulate.faults import FAULTS
from buffycoat.sources.read import read

WORK_PX, FRAME = 224, 0.75
"""Working images of the starter."""
CELLS, SQUARES = 400, 200
CORNER_PX = 110
"""Of PBC's 360 px: the white cell lies in the middle."""
BELIEVED = 0.5
"""Quality of masks that other stages believe."""
STRENGTH = (0.06, 0.35)
"""Densities are multiplied by a number between these."""
UNEVEN = 0.35
"""And those of each channel by exp(-UNEVEN) to exp(UNEVEN)."""
LEAST_WHITE = 0.4
"""Each channel of the white is multiplied by this to 1."""


def faded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photograph (h, w, 3), uint8, as a pale one with a cast; same shape."""
    white = np.maximum(np.percentile(image[::4, ::4].reshape(-1, 3), 90, axis=0), 1)
    density = np.maximum(np.log(white / np.maximum(image, 1)), 0)
    amount = np.exp(rng.uniform(*np.log(STRENGTH)) + rng.uniform(-UNEVEN, UNEVEN, 3))
    density = amount * density ** rng.uniform(0.6, 1.1)
    turned = np.eye(3) + rng.uniform(-0.15, 0.25, (3, 3)) * (1 - np.eye(3))
    density = np.maximum(density @ turned.T, 0)
    lamp = 250 * np.exp(rng.uniform(np.log(LEAST_WHITE), 0, 3))
    shown = _rounded(lamp * np.exp(-density))
    if rng.random() < 0.6:
        shown = FAULTS["uneven_light"](shown, rng.uniform(0, 0.8), rng)
    shown = _rounded(shown + rng.normal(0, rng.uniform(0, 4), shown.shape))
    if rng.random() < 0.5:
        shown = cv2.GaussianBlur(shown, (0, 0), rng.uniform(0.5, 2))
    if rng.random() < 0.7:
        data = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 95))])[1]
        shown = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return shown


def corner(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A corner of a photograph, mirrored until it fills one; shape (h, w, 3), uint8."""
    height, width = image.shape[:2]
    top, left = rng.integers(2, size=2) * (height - CORNER_PX, width - CORNER_PX)
    part = image[top : top + CORNER_PX, left : left + CORNER_PX]
    wide = np.pad(part, ((height // 2,) * 2, (width // 2,) * 2, (0, 0)), mode="reflect")
    top, left = rng.integers(0, CORNER_PX, 2)
    return np.ascontiguousarray(wide[top : top + height, left : left + width])


def squares(name: str, shared: Path) -> list[np.ndarray]:
    """Squares of a site's fields, as large as its crops if that fits, that touch no white cell."""
    listed = json.loads((shared / "fields" / f"{name}.json").read_text(encoding="utf-8"))
    kinds = {kind["id"]: kind["name"] for kind in listed["categories"]}
    white = [box for box in listed["annotations"] if kinds[box["category_id"]] != "RBC"]
    boxes = np.array([box["bbox"] for box in white])
    owner = np.array([box["image_id"] for box in white])
    largest = round(FRAME_TO_CELL * float(np.median(np.sqrt(boxes[:, 2] * boxes[:, 3]))))
    rng, found = np.random.default_rng(0), []
    for _ in range(40 * SQUARES):
        field = listed["images"][rng.integers(len(listed["images"]))]
        if len(found) == SQUARES:
            break
        side = min(largest, field["width"], field["height"])
        x, y = (int(rng.integers(0, field[s] - side + 1)) for s in ("width", "height"))
        left, top, width, height = boxes[owner == field["id"]].T
        if ((left < x + side) & (x < left + width) & (top < y + side) & (y < top + height)).any():
            continue
        image = images.read(shared / "fields" / name / field["file_name"])
        found.append(image[y : y + side, x : x + side])
    return found


def sets(shared: Path) -> Iterator[tuple[str, np.ndarray, list[CellMasks]]]:
    """Name, working images, and masks of the same cells where they are known, else none."""
    home = read(shared / "pbc-lt").of_split("train")
    rng = np.random.default_rng(1)
    photographs = [images.read(p) for p in rng.permutation(home.frame["path"].to_numpy())[:CELLS]]
    cells = work(photographs)
    yield "home: pbc-lt, training cells", cells, []
    yield "simulated: pale cells", work([faded(p, rng) for p in photographs]), segment_all(cells)
    corners = [corner(photograph, rng) for photograph in photographs]
    whole = work(corners)
    is_empty = [not masks.cell.any() for masks in segment_all(whole)]
    yield "no cell: corners of pbc-lt, pale", work([faded(c, rng) for c in corners])[is_empty], []
    for name in (*TYPED, *UNTYPED):
        yield name, work(read_site(name, shared).images), []
    for name in ("chula", "bccd", "pig"):
        yield f"no cell: squares of {name}", work(squares(name, shared)), []


def work(photographs: list[np.ndarray]) -> np.ndarray:
    """Working images, shape (n, `WORK_PX`, `WORK_PX`, 3), uint8."""
    return np.stack([to_work(image, WORK_PX, FRAME) for image in photographs])


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def measure(masks: list[CellMasks], truth: list[CellMasks]) -> dict[str, float]:
    """How many pictures show no cell and how many a good one; Dice where one is found."""
    found = [bool(m.cell.any()) for m in masks]
    numbers: dict[str, float] = {
        "no_cell": found.count(False),
        "good_outline": sum(m.quality >= BELIEVED for m in masks),
    }
    if truth:
        both = [(m, t) for m, t, is_found in zip(masks, truth, found, strict=True) if is_found]
        numbers["dice_nucleus"] = float(np.mean([dice(m.nucleus, t.nucleus) for m, t in both]))
        numbers["dice_cell"] = float(np.mean([dice(m.cell, t.cell) for m, t in both]))
    return numbers


def main() -> None:
    """Read the arguments, measure and write."""
    parser = argparse.ArgumentParser(description="Cells found in pale pictures.")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--out", type=Path, required=True, help=".csv")
    options = parser.parse_args()
    rows = []
    for name, pictures, truth in sets(options.shared):
        with patch.object(pale, "gain", lambda *_: 1.0):
            before = measure(segment_all(pictures), truth)
        after = measure(segment_all(pictures), truth)
        rows.append(
            {"pictures_of": name, "n": len(pictures)}
            | {f"{key}_before": value for key, value in before.items()}
            | {f"{key}_after": value for key, value in after.items()}
        )
        print(rows[-1], flush=True)
    pd.DataFrame(rows).round(3).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
