"""Cells cut out of fields by boxes that others drew, at the scale of `find`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat import images
from buffycoat.errors import ImageError, ManifestError
from buffycoat.exchange.boxes import Box, LabelledField, cell_name
from buffycoat.fields.field import Field
from buffycoat.fields.outlines import TYPICAL, WINDOW
from buffycoat.images import write_png
from buffycoat.plurals import counted
from buffycoat.progress import Reporter

SMALL = 0.25
"""Longer side of a box over the typical one, under which it can hardly be of a white cell."""
SIDES = WINDOW / TYPICAL
"""Side of a crop over the diameter of a typical white cell."""


@dataclass(frozen=True)
class GivenCells:
    """What was cut out.

    Attributes:
        rows: A row a cell: id, path of its crop, label, field, box and side of the crop.
        bad: Name, path and reason of each field that cannot be read.
    """

    rows: list[dict[str, Any]]
    bad: list[tuple[str, str, str]]


def without(field: LabelledField, labels: Collection[str]) -> LabelledField:
    """A field without the boxes of some labels."""
    return replace(field, boxes=tuple(box for box in field.boxes if box.label not in labels))


def small_boxes(fields: Sequence[LabelledField], typical: float) -> list[str]:
    """Boxes that are far smaller than a cell, each in words: mostly slips of the mouse.

    Args:
        fields: With boxes.
        typical: Longer side of a typical box, in pixels.
    """
    return [
        f"{field.image.name}: box of {box.width:g} x {box.height:g} px"
        for field in fields
        for box in field.boxes
        if max(box.width, box.height) < SMALL * typical
    ]


def typical_side(fields: Sequence[LabelledField]) -> float:
    """Median of the longer sides of all boxes, in pixels.

    Raises:
        ManifestError: There is no box.
    """
    sides = [max(box.width, box.height) for field in fields for box in field.boxes]
    if not sides:
        raise ManifestError("no boxes in any field: nothing to cut out")
    return float(np.median(sides))


def cut_out(
    fields: Sequence[LabelledField], out: Path, side_px: int, reporter: Reporter
) -> GivenCells:
    """Write the square around each box; squares are mirrored where they leave the field.

    Args:
        fields: With boxes.
        out: Folder of the crops.
        side_px: Of each square, in pixels of the fields: one magnification.
        reporter: Progress.
    """
    reporter.start("cut", counted(len(fields), "field"))
    rows: list[dict[str, Any]] = []
    bad: list[tuple[str, str, str]] = []
    for done, field in enumerate(fields, start=1):
        name = field.image.name
        try:
            view = Field(name, images.read(field.image))
        except ImageError as error:
            bad.append((name, str(field.image), str(error).removeprefix(f"{field.image}: ")))
            continue
        for box in field.boxes:
            rows.append(_row(name, box, side_px))
            centre = (box.left + box.width / 2, box.top + box.height / 2)
            write_png(out / rows[-1]["path"], view.square(centre, side_px))
        reporter.advance(done, len(fields))
    reporter.finish(counted(len(rows), "cell"))
    return GivenCells(rows, bad)


def _row(field: str, box: Box, side_px: int) -> dict[str, Any]:
    sides = [round(value) for value in (box.left, box.top, box.width, box.height)]
    name = cell_name(field, box)
    return {
        "cell_id": name,
        "path": name,
        "label": box.label,
        "field": field,
        "box": ",".join(map(str, sides)),
        "crop_px": side_px,
    }
