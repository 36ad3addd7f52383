"""A CSV or Parquet table with one row a cell, beside its images."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from buffycoat.cells import Manifest, manifest_error
from buffycoat.errors import ManifestError
from buffycoat.sources.csv_rows import read_csv
from buffycoat.sources.folders import SPLIT_FOLDERS, unique_ids

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
    is_csv = path.suffix.lower() != ".parquet"
    lines = read_csv(path, ("path",)) if is_csv else _read_parquet(path)
    columns = list(dict.fromkeys(key for _, row in lines for key in row))
    unit = "line" if is_csv else "row"
    faults = _misspelt(columns)
    rows = [
        _read_row(row, path.parent, f"{path.name} {unit} {number}", faults) for number, row in lines
    ]
    if not lines:
        faults.append("the table has no rows")
    cell_ids: list[str | None] = [row.get("cell_id") or None for _, row in lines]
    if not any(cell_ids):
        cell_ids = [*unique_ids([row.get("path", "") for _, row in lines])]
    places = [f"{path.name} {unit} {number}" for number, _ in lines]
    faults += _doubles(cell_ids, places)
    if faults:
        raise manifest_error(str(path), faults)
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).assign(cell_id=cell_ids)
    ignored = [column for column in columns if column not in COLUMNS]
    notes = [f"columns ignored: {', '.join(ignored)}"] if ignored else []
    return Manifest.from_frame(frame, path.stem, notes)


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
    name = row.get("path", "")
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


def _read_parquet(path: Path) -> list[tuple[int, dict[str, str]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(f"{path}: not a readable Parquet table ({error})") from error
    if "path" not in table.column_names:
        have = ", ".join(table.column_names)
        raise ManifestError(f"{path.name}: column 'path' is missing; it has {have}")
    return [
        (number, {key: "" if value is None else str(value).strip() for key, value in row.items()})
        for number, row in enumerate(table.to_pylist())
    ]
