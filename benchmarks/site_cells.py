"""Typed cells of laboratories that nothing was trained on, framed as the training cells are.

Boxes of fields of view give crops: a square about the middle of each box, whose side is one number
a site, so that the sizes of cells beside each other are kept. What lies outside the field is its
mirror image.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from buffycoat import images
from buffycoat.bundle.fitted import Fitted

FRAME_TO_CELL = 2.67
"""Side of a crop over the site's typical box. Of PBC's 360 px frames, cells of the five types take
0.375 in the median, each type counted alike."""
FIVE = {"NE": ("SNE", "BNE"), "LY": ("LY",), "MO": ("MO",), "EO": ("EO",), "BA": ("BA",)}
"""Type -> classes of the taxonomy whose probabilities are added up for it."""
SEG_WBC = {"lymphocyte": "LY", "monocyte": "MO", "neutrophil": "NE", "eosinophil": "EO"}
TYPED = ("chula", "seg-wbc")
UNTYPED = ("bccd", "aslan", "pig")


@dataclass(frozen=True)
class SiteCells:
    """Cells of one laboratory.

    Attributes:
        name: Of the site.
        images: Each (h, w, 3), uint8, RGB, the cell in the middle.
        types: Key of `FIVE` for each, shape (n,); "" where unknown.
    """

    name: str
    images: list[np.ndarray]
    types: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def read_site(name: str, shared: Path, frame_to_cell: float = FRAME_TO_CELL) -> SiteCells:
    """The white cells of a site.

    Args:
        name: One of `TYPED` or `UNTYPED`.
        shared: Folder with `fields/` and `seg-wbc/`.
        frame_to_cell: Side of the crops over the median box.
    """
    if name == "seg-wbc":
        table = pd.read_csv(shared / name / "labels.csv")
        cells = [images.read(shared / name / file) for file in table["ID"]]
        return SiteCells(name, cells, np.array([SEG_WBC[label] for label in table["label"]]))
    listed = json.loads((shared / "fields" / f"{name}.json").read_text(encoding="utf-8"))
    files = {
        image["id"]: shared / "fields" / name / image["file_name"] for image in listed["images"]
    }
    kinds = {kind["id"]: kind["name"] for kind in listed["categories"]}
    white = [box for box in listed["annotations"] if kinds[box["category_id"]] != "RBC"]
    boxes = np.array([box["bbox"] for box in white])
    side = round(frame_to_cell * float(np.median(np.sqrt(boxes[:, 2] * boxes[:, 3]))))
    fields = {number: images.read(files[number]) for number in {box["image_id"] for box in white}}
    crops = [
        _square(fields[box["image_id"]], left + width / 2, top + height / 2, side)
        for box, (left, top, width, height) in zip(white, boxes, strict=True)
    ]
    types = np.array([kinds[box["category_id"]] for box in white])
    return SiteCells(name, crops, np.where(np.isin(types, list(FIVE)), types, ""))


def work_of(cells: SiteCells, fitted: Fitted) -> np.ndarray:
    """Working images, shape (n, w, w, 3), uint8."""
    settings = fitted.config.images
    work = (images.to_work(i, settings.work_px, settings.frame_fraction) for i in cells.images)
    return np.stack(list(work))


def _square(field: np.ndarray, x: float, y: float, side: int) -> np.ndarray:
    left, top = round(x - side / 2), round(y - side / 2)
    height, width = field.shape[:2]
    over = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    padded = cv2.copyMakeBorder(field, *over, cv2.BORDER_REFLECT_101) if any(over) else field
    top, left = top + over[0], left + over[2]
    return np.ascontiguousarray(padded[top : top + side, left : left + side])
