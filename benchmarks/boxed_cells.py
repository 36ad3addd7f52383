"""Typed cells of other sites, cut out of ../shared/fields and ../shared/seg-wbc.

    python -m benchmarks.boxed_cells FIELDS/chula.json CELLS

writes the cells of a COCO file, a folder a type, as `benchmarks/starter.toml` learns from them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from buffycoat import images
from buffycoat.images import to_work

TYPES = ("NE", "LY", "MO", "EO", "BA")
NAMES = {"neutrophil": "NE", "lymphocyte": "LY", "monocyte": "MO", "eosinophil": "EO"}
LEAST_BOX_PX = 30
"""Boxes under that are slips of the mouse: `chula` has one of 3 px."""
SCALE_SIDE = {"chula": 374, "seg-wbc": 425}
"""Side of the square around a cell at which cells of a site are on average as large as those of PBC
in its 360 px: from boxes and expert masks, one number a site."""
COPY_CORRELATION = 0.6
"""Of two crops without their slow changes, from which they show one cell: `chula` holds cells
several times, at other exposures."""


@dataclass(frozen=True)
class Box:
    """A cell in a photograph, in pixels of it."""

    file: str
    kind: str
    left: float
    top: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Across and down."""
        return self.left + self.width / 2, self.top + self.height / 2


@dataclass(frozen=True)
class Site:
    """Typed cells of one site.

    Attributes:
        name: Of the site.
        crops: Working images by how they were cut, each of shape (n, w, w, 3), uint8: "scaled" to
            the size of PBC's cells, "as it is", or "tight" around each cell.
        types: Shape (n,), columns of `TYPES`.
        groups: Shape (n,): copies of one cell have one number.
    """

    name: str
    crops: dict[str, np.ndarray]
    types: np.ndarray
    groups: np.ndarray


def read_sites(shared: Path, work_px: int, frame_fraction: float) -> list[Site]:
    """Both sites.

    Args:
        shared: Holds `fields` and `seg-wbc`.
        work_px: Side of the working images.
        frame_fraction: Part of a crop that they show.
    """

    def work(crop: np.ndarray) -> np.ndarray:
        return to_work(crop, work_px, frame_fraction)

    boxes = read_boxes(shared / "fields" / "chula.json")
    scaled, tight = [], []
    for box in boxes:
        field = images.read(shared / "fields" / "chula" / box.file)
        scaled.append(work(cut(field, box.centre, SCALE_SIDE["chula"])))
        tight.append(work(cut(field, box.centre, 1.8 * max(box.width, box.height))))
    crops = {"scaled": np.stack(scaled), "tight": np.stack(tight)}
    types = np.array([TYPES.index(box.kind) for box in boxes])
    chula = Site("chula", crops, types, copies(crops["scaled"]))

    table = pd.read_csv(shared / "seg-wbc" / "labels.csv")
    cells = [images.read(shared / "seg-wbc" / name) for name in table["ID"]]
    crops = {
        "scaled": np.stack([work(cut(c, (150, 150), SCALE_SIDE["seg-wbc"])) for c in cells]),
        "as it is": np.stack([work(cell) for cell in cells]),
    }
    types = np.array([TYPES.index(NAMES[label]) for label in table["label"]])
    return [chula, Site("seg-wbc", crops, types, np.arange(len(types)))]


def read_boxes(path: Path) -> list[Box]:
    """Boxes of a COCO file, slips left out."""
    coco = json.loads(path.read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    types = {kind["id"]: kind["name"] for kind in coco["categories"]}
    boxes = [
        Box(names[one["image_id"]], types[one["category_id"]], *one["bbox"])
        for one in coco["annotations"]
    ]
    return [box for box in boxes if (box.width * box.height) ** 0.5 >= LEAST_BOX_PX]


def cut(field: np.ndarray, centre: tuple[float, float], side: float) -> np.ndarray:
    """A square of a photograph, mirrored at the edges where it leaves it."""
    px = round(side)
    left, top = round(centre[0] - px / 2), round(centre[1] - px / 2)
    height, width = field.shape[:2]
    beyond = max(0, -left, -top, left + px - width, top + px - height)
    if beyond:
        field = np.pad(field, ((beyond, beyond), (beyond, beyond), (0, 0)), mode="reflect")
    return field[top + beyond : top + beyond + px, left + beyond : left + beyond + px]


def copies(crops: np.ndarray) -> np.ndarray:
    """Which crops show one cell, shape (n,)."""
    flat = []
    for crop in crops:
        gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
        detail = small - cv2.GaussianBlur(small, (0, 0), 8)
        flat.append(((detail - detail.mean()) / detail.std()).ravel())
    table = np.array(flat)
    alike = table @ table.T / table.shape[1] > COPY_CORRELATION
    return connected_components(alike)[1]


def main() -> None:
    """Write the cells of a COCO file."""
    parser = argparse.ArgumentParser(description="Cells of a COCO file, a folder a type.")
    parser.add_argument("boxes", type=Path, help="the .json; its pictures in a folder of that name")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    side = SCALE_SIDE[options.boxes.stem]
    for number, box in enumerate(read_boxes(options.boxes)):
        cell = cut(images.read(options.boxes.with_suffix("") / box.file), box.centre, side)
        folder = options.out / box.kind
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:03d}.png"), cv2.cvtColor(cell, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
