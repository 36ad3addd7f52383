"""Where the pictures of predicted cells are, and where each lies in its field of view."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buffycoat.cells import CellRef, manifest_error
from buffycoat.errors import ConfigError, ManifestError
from buffycoat.fields.rows import box_of, points_of
from buffycoat.notes import tell
from buffycoat.plurals import counted
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read
from buffycoat.tables import join_names, read_rows

FOUND = ("cells.parquet", "cells.csv")
"""Tables that `find` and `crop` write beside their crops."""
FIELDS = "fields.csv"
"""Table of fields that `find` writes beside its crops."""

_Read = tuple[Callable[[Mapping[str, Any]], object], str]
_PLACE: Mapping[str, _Read] = {
    "box": (box_of, "left,top,width,height in whole pixels"),
    "outline": (points_of, "points x,y in pixels with spaces between them"),
    "crop_px": (lambda row: int(row["crop_px"]), "whole pixels"),
}
_SIZE: Mapping[str, _Read] = {
    "width": (lambda row: int(row["width"]), "whole pixels"),
    "height": (lambda row: int(row["height"]), "whole pixels"),
}
"""Column -> what reads it, and what is expected."""


@dataclass(frozen=True)
class Place:
    """Where a cell's picture is.

    Attributes:
        path: From the folder of images; `FILE.parquet#ROW` for a row of a table.
        box: "left,top,width,height" of the cell in that picture, in pixels; None for all of it.
        um_per_px: Micrometres that a pixel is wide, if known.
        field: The field of view that it was cut from, if known: name, box, outline, ...
    """

    path: str
    box: str | None = None
    um_per_px: float | None = None
    field: dict[str, Any] = field(default_factory=dict)


def root_of(images: Path) -> Path:
    """The folder that no picture may lie outside of."""
    return images if images.is_dir() else images.parent


def check_fields(fields: Path, names: Collection[str]) -> str:
    """Make sure that a folder has the fields that cells were cut from.

    Args:
        fields: The folder.
        names: Of the fields, as `find` wrote them.

    Returns:
        A sentence on those that are not there; empty if all are, or none is known.

    Raises:
        ConfigError: There is no such folder, or it has none of them.
    """
    if not fields.is_dir():
        raise ConfigError(f"--fields {fields}: no such folder. Check the path")
    gone = sorted(name for name in {*names} if not (fields / name).is_file())
    if gone and len(gone) == len({*names}):
        raise ConfigError(
            f"--fields {fields}: has none of the fields that the cells were cut from, such as "
            f"{gone[0]}. Give the folder that `find` read, or leave --fields out"
        )
    if not gone:
        return ""
    n, all_ = len(gone), len({*names})
    lost = f"{n} of {counted(all_, 'field')} {'is' if n == 1 else 'are'} not there"
    return f"{fields}: {lost}, the first {gone[0]}: cells without one"


def find_places(images: Path, names: Sequence[str]) -> dict[str, Place]:
    """Find the picture of each predicted cell.

    Cells whose picture is gone keep the path that their name tells: the page shows a placeholder.

    Args:
        images: Folder, table or picture, as it was given to `predict`.
        names: IDs of the cells.

    Raises:
        ManifestError: None of the cells is there, a name may be of several pictures, or a picture
            lies outside the folder.
    """
    plain = Reading(needs_labels=False)
    manifest = read(images, "images" if images.is_dir() else "auto", plain)
    there = {str(name): row for row, name in enumerate(manifest.column("cell_id"))}
    joined = join_names(names, there)
    faults = [
        f"{name!r} may be {' or '.join(map(repr, of[:3]))}" for name, of in joined.doubtful.items()
    ]
    if not joined.known and not faults:
        faults = [f"no predicted cell, such as {names[0]!r}, is in it"]
    if faults:
        raise manifest_error(str(images), faults)
    if joined.how:
        tell(images, f"cells matched {joined.how}: {len(joined.known)} of {len(names)}")
    gone = [name for name in names if name not in joined.known]
    if gone:
        lost = counted(len(gone), "picture is", "pictures are")
        tell(images, f"{lost} not there, the first {gone[0]!r}")
    root, fields, refs = root_of(images), _fields(root_of(images)), list(manifest.refs())
    found = {}
    for name in names:
        known = joined.known.get(name)
        place = Place(name) if known is None else _place(refs[there[known]], root)
        found[name] = Place(place.path, place.box, place.um_per_px, fields.get(place.path, {}))
    return found


def _place(ref: CellRef, root: Path) -> Place:
    path, folder = Path(os.path.abspath(ref.path)), Path(os.path.abspath(root))
    if not path.is_relative_to(folder):
        raise ManifestError(
            f"{ref}: lies outside {root}, and only pictures in that folder are shown. Give "
            "--images a folder that holds them all"
        )
    name = path.relative_to(folder).as_posix() + ("" if ref.row is None else f"#{ref.row}")
    box = None if ref.box is None else ",".join(map(str, ref.box))
    return Place(name, box, ref.um_per_px)


def _fields(root: Path) -> dict[str, dict[str, Any]]:
    """Path of a crop -> what `find` or `crop` wrote of its place in a field."""
    table = next((root / name for name in FOUND if (root / name).is_file()), None)
    if table is None:
        return {}
    rows = read_rows(table)
    if not {"field", "box", "path"} <= {*rows.header}:
        return {}
    found, sizes = {}, _sizes(root)
    faults: list[str] = []
    for number, row in rows:
        place: dict[str, Any] = {"name": row["field"], "box": row["box"]}
        place |= {"size": sizes[row["field"]]} if row["field"] in sizes else {}
        place |= {key: row[key] for key in ("outline", "kind", "crop_px") if row.get(key)}
        if row.get("is_cut", "").lower() == "true":
            place["is_cut"] = True
        faults += [f"{rows.unit} {number}: {fault}" for fault in _faults(place, _PLACE)]
        found[row["path"]] = place
    if faults:
        raise manifest_error(str(table), faults)
    return found


def _faults(row: Mapping[str, Any], known: Mapping[str, _Read]) -> list[str]:
    """What is written in columns and cannot be read."""
    faults = []
    for name in known.keys() & row.keys():
        read_it, expected = known[name]
        try:
            read_it(row)
        except ValueError:
            faults.append(f"{name} {row[name][:40]!r}, expected {expected}, as `find` writes it")
    return sorted(faults)


def stored_outline(place: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Points of a cell's outline in its field; none where it is not known.

    Also where it is no list of points: a review of before these were refused may have such.
    """
    try:
        return points_of(place) if place.get("outline") else ()
    except ValueError:
        return ()


def _sizes(root: Path) -> dict[str, list[int]]:
    """Field -> width and height in pixels, as `find` wrote them."""
    if not (root / FIELDS).is_file():
        return {}
    rows = read_rows(root / FIELDS)
    if not {"field", "width", "height"} <= {*rows.header}:
        return {}
    faults = [f"{rows.unit} {n}: {fault}" for n, row in rows for fault in _faults(row, _SIZE)]
    if faults:
        raise manifest_error(str(root / FIELDS), faults)
    return {row["field"]: [int(row["width"]), int(row["height"])] for _, row in rows}
