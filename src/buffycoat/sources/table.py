"""A CSV or Parquet table with one row a cell, beside its images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from buffycoat.cells import PLACE, SCALE_WORDS, SCALES_UM, manifest_error
from buffycoat.errors import ManifestError
from buffycoat.images import survey
from buffycoat.plurals import counted
from buffycoat.sources.columns import ANNOTATIONS, OTHERS, Columns, Row, find_columns, misspelt
from buffycoat.sources.draft import Draft, is_left_out
from buffycoat.sources.image_index import ImageIndex
from buffycoat.sources.label_table import is_predicted
from buffycoat.sources.options import Reading
from buffycoat.sources.parts import part_of
from buffycoat.tables import Rows, is_unknown, known_name, read_rows, to_number
from buffycoat.tables.columns import ID_NAMES, ON, key
from buffycoat.taxonomy.built_in import for_reading

SPLIT_NAMES = "train, val (or eval), test, with any prefix or suffix"


NO_LABELS = "column 'label' is missing (or class, cell_type): none holds labels"
"""How a note begins that says why no cell of a table has a label."""


def read_table(path: Path, reading: Reading) -> Draft:
    """Read a table of cells.

    Args:
        path: CSV (with a header) or Parquet. One column names the pictures, `path` or another of
            `ID_NAMES`: relative to the table's folder, or the file's name, with or without its
            suffix. `label` (or one column a class that holds 0 and 1), `patient_id`, `slide_id`,
            `split`, `severity`, `original_id` and `cell_id` are read if they are there, also under
            other usual names. `cell_id` is by default the picture's path from the table's folder;
            `split` is by default "train" with a label, else "test".
        reading: The taxonomy whose names are looked for, and whether labels are asked for.

    Returns:
        The cells in the table's order, which never reaches a model.

    Raises:
        ManifestError: Lists every fault with its line (or row): a missing or misspelt column, an
            empty path, no such file, a double `cell_id`, an unknown split or severity.
    """
    table = read_rows(path)
    if is_predicted(table.header):
        raise ManifestError(
            f"{path}: holds predictions, and its labels are no truth. Give a table of true labels"
        )
    file_column = _file_column(table.header, path)
    spelling = for_reading(reading.taxonomy).spelling
    found = find_columns(table.header, [row for _, row in table.rows], spelling)
    columns = found if reading.needs_labels else found.without_annotations()
    faults = [
        f"unknown column {name!r}; rename it to {near!r}, or remove it"
        for name, near in misspelt(table.header).items()
        if reading.needs_labels or near not in ANNOTATIONS
    ]
    if columns.several:
        faults.append(f"labels may be in {' or '.join(columns.several)}: rename one to 'label'")
    if not table.rows:
        faults.append("the table has no rows")
    passed_over = [] if reading.needs_labels else list(found.annotations)
    files = _Files(path)
    rows, places = [], []
    for number, row in table.rows:
        places.append(f"{path.name} {table.unit} {number}")
        value = row.get(file_column, "")
        file = files.find(value, file_column, places[-1], faults)
        said = read_row(row, columns, places[-1], faults)
        split = said["split"] or ("train" if said["label"] else "test")
        rows.append({**said, "split": split, "path": file})
    names = [_name(str(row["path"]), path.parent) for row in rows]
    cell_ids = _cell_ids(table.header, [row for _, row in table.rows], file_column, names)
    faults += _doubles(cell_ids, places)
    if faults:
        raise manifest_error(str(path), faults)
    kept, left_out = _leave_out(names, reading.leave_out)
    rows, cell_ids = [rows[row] for row in kept], [cell_ids[row] for row in kept]
    is_bare = reading.needs_labels and not columns.has_labels
    used = {file_column, *found.one_hot, *vars(columns).values(), *passed_over}
    ignored = [c for c in table.header if c not in used and key(c) not in OTHERS]
    ignored = [] if {*PLACE} <= {*table.header} else ignored  # of `find`: see `found`
    return Draft(
        pd.DataFrame(rows).assign(cell_id=cell_ids),
        path.stem,
        "a table of cells",
        len({row["path"] for row in rows}),
        label_from=label_words(columns, path.name),
        split_from=f"column {columns.split} of {path.name}" if columns.split else "",
        used=(path.name,),
        left_out=left_out,
        notes=(
            *table.notes,
            *([f"{NO_LABELS}; it has {', '.join(table.header)}"] if is_bare else []),
            *_unknown_notes(table, columns),
            *([f"columns ignored: {', '.join(ignored)}"] if ignored else []),
            *([f"not asked for and not read: {', '.join(passed_over)}"] if passed_over else []),
        ),
    )


def read_row(
    row: Row, columns: Columns, where: str, faults: list[str]
) -> dict[str, str | float | None]:
    """What a row says of its cell, but for the picture.

    Args:
        row: Column -> text.
        columns: What they hold.
        where: Of the row, for messages.
        faults: Grows by what is wrong.

    Returns:
        A row of the manifest's table; None for what is not said.
    """
    try:
        label = columns.label_of(row) or None
    except ValueError as error:
        faults.append(f"{where}: {error}")
        label = None
    stated = row.get(columns.split, "") if columns.split else ""
    split = part_of(stated)
    if columns.flag:
        split = part_of(columns.flag) if row.get(columns.flag, "").casefold() in ON else None
        split = split or ("eval" if part_of(columns.flag) == "train" else "train")
    if stated and split is None:
        faults.append(f"{where}: split {stated!r}, expected {SPLIT_NAMES}")
    if columns.split and not stated and label:
        faults.append(f"{where}: {columns.split} is empty, though other rows have one")
    severity = row.get(columns.severity or "", "").removesuffix(".0")
    if severity and severity not in ("0", "1", "2", "3", "4"):
        faults.append(f"{where}: severity {severity!r}, expected 0 to 4")
    return {
        "label": label,
        "split": split,
        "patient_id": known_name(row.get(columns.patient_id or "", "")),
        "slide_id": known_name(row.get(columns.slide_id or "", "")),
        "severity": int(severity) if severity.isdigit() else None,
        "original_id": known_name(row.get(columns.original_id or "", "")),
        "um_per_px": scale_of(row.get(columns.um_per_px or "", ""), where, faults),
    }


def scale_of(text: str, where: str, faults: list[str]) -> float | None:
    """Micrometres that a pixel is wide; None if that is not stated.

    Args:
        text: Of the field.
        where: Of the row, for messages.
        faults: Grows by a scale that cannot be.
    """
    if is_unknown(text):
        return None
    value = to_number(text)
    if not SCALES_UM[0] <= value <= SCALES_UM[1]:  # nor NaN
        faults.append(f"{where}: um_per_px {text!r}, expected {SCALE_WORDS}")
        return None
    return value


def _unknown_notes(table: Rows, columns: Columns) -> list[str]:
    """A sentence a column in which words, and not empty fields, stand for what is not known."""
    notes = []
    for column in (columns.patient_id, columns.slide_id):
        words = [row[column] for _, row in table.rows if column and column in row]
        meant = Counter(word for word in words if word and is_unknown(word))
        if meant:
            shown = ", ".join(map(repr, meant))
            notes.append(
                f"{column} {shown} of {counted(meant.total(), 'cell')} was taken as not known"
            )
    return notes


def label_words(columns: Columns, name: str) -> str:
    """Where the labels of a table come from, in words; "" where it has none."""
    if columns.one_hot:
        return f"the {len(columns.one_hot)} columns of classes in {name}"
    return f"column {columns.label} of {name}" if columns.label else ""


class _Files:
    """Finds the pictures of a table given by itself: as paths from its folder, else by name."""

    def __init__(self, table: Path) -> None:
        self.table = table

    @cached_property
    def index(self) -> ImageIndex:
        folder = self.table.parent
        return ImageIndex(folder, survey(folder).images)

    def find(self, value: str, column: str, where: str, faults: list[str]) -> str:
        """The picture's path; a fault where it is none, or not clear which."""
        folder = self.table.parent
        file = folder / (value.rpartition("#")[0] if ".parquet#" in value else value)
        if not value:
            faults.append(f"{where}: {column} is empty")
        elif not file.is_file():
            found = self.index.find(value, self.table)
            if len(found) == 1:
                return str(found[0])
            if not found:
                faults.append(f"{where}: {column} {value!r} has no file in {folder}")
            else:
                names = ", ".join(path.relative_to(folder).as_posix() for path in found[:3])
                faults.append(f"{where}: {column} {value!r} may be {names}: write the path")
        return str(folder / value)


def _file_column(names: Sequence[str], path: Path) -> str:
    found = {key(name): name for name in reversed(names)}
    known = next((found[word] for word in ID_NAMES if word in found), None)
    if known is None:
        raise ManifestError(
            f"{path.name}: column 'path' is missing (or filename, image, ID): none names the "
            f"pictures; it has {', '.join(names) or 'none'}"
        )
    return known


def _leave_out(names: Sequence[str], patterns: Sequence[str]) -> tuple[list[int], Counter[str]]:
    """Rows of pictures that are wanted, and how many each pattern leaves out."""
    found = [is_left_out(name, patterns) for name in names]
    return [n for n, out in enumerate(found) if out is None], Counter(filter(None, found))


def _name(path: str, folder: Path) -> str:
    """Path of a picture from the table's folder, or as it is where it lies elsewhere."""
    file = Path(path)
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def _cell_ids(
    columns: Sequence[str], rows: Sequence[Row], file_column: str, names: list[str]
) -> list[str | None]:
    """Of a column `cell_id`, or else the pictures' names."""
    column = next((name for name in columns if key(name) == "cellid" and name != file_column), None)
    cell_ids: list[str | None] = [row.get(column or "") or None for row in rows]
    return cell_ids if any(cell_ids) else [*names]


def _doubles(cell_ids: Sequence[str | None], places: Sequence[str]) -> list[str]:
    first: dict[str, str] = {}
    faults = []
    for cell_id, place in zip(cell_ids, places, strict=True):
        if cell_id is None:
            faults.append(f"{place}: cell_id is empty, though other rows have one")
        elif first.setdefault(cell_id, place) != place:
            faults.append(f"{place}: cell_id {cell_id!r} is used twice, first in {first[cell_id]}")
    return faults
