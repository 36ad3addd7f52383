"""A CSV or Parquet table with one row a cell, beside its images."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from buffycoat.cells import Manifest, manifest_error
from buffycoat.sources.folders import SPLIT_FOLDERS, unique_ids
from buffycoat.tables import Rows, is_unknown, known_name, read_rows

COLUMNS = (
    "path",
    "label",
    "patient_id",
    "slide_id",
    "split",
    "severity",
    "original_id",
    "cell_id",
)
"""Columns that are read; only `path` must be there."""

UNKNOWN_COLUMNS = ("patient_id", "slide_id", "original_id")
"""An unknown patient is nobody: a word such as "nan" is no name that cells may share."""

_NEAR = 0.75
"""Likeness (difflib's ratio) from which an unknown column is taken for a misspelt one."""


def read_table(path: Path) -> Manifest:
    """Read a table of cells.

    Args:
        path: CSV (UTF-8, with a header) or Parquet with the columns of `COLUMNS`. `path` is
            relative to the table's folder; `cell_id` is by default the file's name, or its
            relative path where names repeat; `split` is by default "train" with a label, else
            "test". Other columns are ignored, and `notes` says so.

    Returns:
        The cells in the table's order, which never reaches a model.

    Raises:
        ManifestError: Lists every fault with its line (or row): a missing or misspelt column, an
            empty path, no such file, a double `cell_id`, an unknown split or severity.
    """
    table = read_rows(path, ("path",))
    columns = list(table.header)
    places = [f"{path.name} {place}" for place in table.places]
    faults = _misspelt(columns)
    rows = [
        _read_row(row, path.parent, place, faults)
        for place, (_, row) in zip(places, table, strict=True)
    ]
    if not rows:
        faults.append("the table has no rows")
    cell_ids: list[str | None] = [row.get("cell_id") or None for _, row in table]
    if not any(cell_ids):
        cell_ids = [*unique_ids(table.column("path"))]
    faults += _doubles(cell_ids, places)
    if faults:
        raise manifest_error(str(path), faults)
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).assign(cell_id=cell_ids)
    ignored = [column for column in columns if column not in COLUMNS]
    notes = [*table.notes, *_unknown_notes(table)]
    notes += [f"columns ignored: {', '.join(ignored)}"] if ignored else []
    return Manifest.from_frame(frame, path.stem, notes)


def _unknown_notes(table: Rows) -> list[str]:
    """A sentence a column in which words, and not empty fields, stand for what is not known."""
    notes = []
    for column in UNKNOWN_COLUMNS:
        words = [row[column] for _, row in table if column in row]
        meant = Counter(word for word in words if word and is_unknown(word))
        if meant:
            shown = ", ".join(map(repr, meant))
            notes.append(f"{column} {shown} of {meant.total()} cells was taken as not known")
    return notes


def _misspelt(columns: list[str]) -> list[str]:
    faults = []
    for column in columns:
        absent = [known for known in COLUMNS if known not in columns]
        near = difflib.get_close_matches(column.lower(), absent, n=1, cutoff=_NEAR)
        if column not in COLUMNS and near:
            faults.append(f"unknown column {column!r}; rename it to {near[0]!r}, or remove it")
    return faults


def _read_row(
    row: dict[str, str], folder: Path, where: str, faults: list[str]
) -> dict[str, str | int | None]:
    values: dict[str, str | int | None] = {key: row.get(key) or None for key in COLUMNS}
    for column in UNKNOWN_COLUMNS:
        values[column] = known_name(row.get(column, ""))
    name = row["path"]
    if not (folder / name).is_file() and "\\" in name:  # a table that was made on Windows
        name = name.replace("\\", "/")
    file = folder / (name.rpartition("#")[0] if ".parquet#" in name else name)
    if not name:
        faults.append(f"{where}: path is empty")
    elif not file.is_file():
        faults.append(f"{where}: path {name!r} has no file in {folder}")
    values["path"] = str(folder / name)
    split = row.get("split", "")
    values["split"] = SPLIT_FOLDERS.get(split.lower(), "train" if values["label"] else "test")
    if split and split.lower() not in SPLIT_FOLDERS:
        faults.append(f"{where}: split {split!r}, expected {', '.join(SPLIT_FOLDERS)}")
    severity = row.get("severity", "").removesuffix(".0")
    if severity and severity not in ("0", "1", "2", "3", "4"):
        faults.append(f"{where}: severity {severity!r}, expected 0 to 4")
    values["severity"] = int(severity) if severity.isdigit() else None
    return values


def _doubles(cell_ids: Sequence[str | None], places: list[str]) -> list[str]:
    first: dict[str, str] = {}
    faults = []
    for cell_id, place in zip(cell_ids, places, strict=True):
        if cell_id is None:
            faults.append(f"{place}: cell_id is empty, though other rows have one")
        elif first.setdefault(cell_id, place) != place:
            faults.append(f"{place}: cell_id {cell_id!r} is used twice, first in {first[cell_id]}")
    return faults
