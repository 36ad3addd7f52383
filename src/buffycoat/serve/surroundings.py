"""The field of view around a cell, and the cell's outline in its own picture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from buffycoat.cells import CellRef
from buffycoat.errors import ImageError
from buffycoat.fields.rows import box_of
from buffycoat.images import read, to_work
from buffycoat.segment.stain import segment
from buffycoat.serve.catalogue import ReviewedCell
from buffycoat.serve.pictures import Pictures, inside
from buffycoat.serve.places import stored_outline
from buffycoat.serve.refused import RefusedError

AROUND = 3.0
"""Sides of the cell's box that are shown."""
LEAST_PX = 400
MOST_SIDE_PX = 1200
KEPT_FIELDS = 3
"""Decoded fields in memory: a reader goes through the cells of one field after the other."""
BOX_COLOUR = (255, 214, 0)
Points = list[list[float]]


class Surroundings:
    """Fields of view, and outlines.

    Args:
        pictures: Of the cells.
        fields: Folder of the fields that `find` read; None where it was not given.
    """

    def __init__(self, pictures: Pictures, fields: Path | None) -> None:
        self.pictures = pictures
        self.fields = None if fields is None else fields.resolve()
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def has_context(self, cell: ReviewedCell) -> bool:
        """Whether the field around a cell can be shown."""
        return cell.ref.box is not None or (
            self.fields is not None and bool(cell.details.get("field"))
        )

    def context(self, cell: ReviewedCell) -> bytes:
        """JPEG of the field around a cell, with its box.

        Raises:
            RefusedError: There is no field, or its file cannot be read.
        """
        if not self.has_context(cell):
            raise RefusedError(
                404, "no_context", "no field is known for this cell; start with --fields FOLDER"
            )
        try:
            pixels, box = self._field(cell)
        except ImageError as error:
            raise RefusedError(404, "no_context", "the field cannot be read") from error
        return _drawn(pixels, box)

    def _field(self, cell: ReviewedCell) -> tuple[np.ndarray, tuple[int, int, int, int]]:
        if cell.ref.box is not None:
            ref, box = self.pictures.ref(cell), cell.ref.box
            return self._read(CellRef(ref.path, ref.row)), box
        assert self.fields is not None
        place = cell.details["field"]
        ref = CellRef.parse(place["name"], place["box"])
        if ref.box is None:
            raise ImageError(f"{place['name']}: no box is known")
        return self._read(CellRef(str(inside(self.fields, ref)))), ref.box

    def _read(self, ref: CellRef) -> np.ndarray:
        with self._lock:
            found = self._kept.get(str(ref))
            if found is None:
                found = read(ref)
                self._kept[str(ref)] = found
            self._kept.move_to_end(str(ref))
            while len(self._kept) > KEPT_FIELDS:
                self._kept.popitem(last=False)
        return found

    def outline(self, cell: ReviewedCell) -> dict[str, Any]:
        """The outline of a cell in pixels of its picture; no points where no cell is found.

        Raises:
            RefusedError: The picture cannot be read.
        """
        try:
            pixels = self.pictures.pixels(cell)
        except ImageError as error:
            raise RefusedError(404, "no_picture", "the picture cannot be read") from error
        height, width = pixels.shape[:2]
        points = _stored_outline(cell, (height, width)) or _found_outline(pixels)
        return {"points": points, "width": width, "height": height}


def _drawn(pixels: np.ndarray, box: tuple[int, int, int, int]) -> bytes:
    """The part of a field around a box, as JPEG."""
    left, top, width, height = box
    side = max(AROUND * max(width, height), LEAST_PX) / 2
    across, down = left + width / 2, top + height / 2
    first = [max(round(middle - side), 0) for middle in (down, across)]
    last = [round(middle + side) for middle in (down, across)]
    part = pixels[first[0] : last[0], first[1] : last[1]].copy()  # it is drawn on
    line = max(round(side / 100), 2)
    corner = (left - first[1] - line, top - first[0] - line)
    end = (left - first[1] + width + line, top - first[0] + height + line)
    cv2.rectangle(part, corner, end, BOX_COLOUR, line)
    longest = max(part.shape[:2])
    if longest > MOST_SIDE_PX:
        by = MOST_SIDE_PX / longest
        part = cv2.resize(part, None, fx=by, fy=by, interpolation=cv2.INTER_AREA)
    is_done, data = cv2.imencode(".jpg", cv2.cvtColor(part, cv2.COLOR_RGB2BGR))
    assert is_done
    return data.tobytes()


def _stored_outline(cell: ReviewedCell, shape: tuple[int, int]) -> Points:
    """What `find` measured in the field, moved to the crop; empty where it is not known."""
    place = cell.details.get("field", {})
    outline, side = stored_outline(place), place.get("crop_px")
    if not outline or not side or shape != (int(side), int(side)):
        return []
    left, top, width, height = box_of(place)
    # As `Field.square` cuts the crop.
    moved = round(left + width / 2 - int(side) / 2), round(top + height / 2 - int(side) / 2)
    return [[x - moved[0], y - moved[1]] for x, y in outline]


def _found_outline(pixels: np.ndarray) -> Points:
    """The contour of the white cell in the centre.

    It is sought in the whole square in the middle of the picture, as `measure` seeks it: which part
    a bundle frames is not known here, and the cell may be larger than that.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    mask = segment(to_work(pixels, side, 1.0)).cell.astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    largest = max(contours, key=cv2.contourArea)[:, 0].astype(np.float64)
    places = largest + 0.5 + ((width - side) // 2, (height - side) // 2)
    return np.round(places, 1).tolist()
