"""Parquet tables of pictures and labels, as data sets usually lie on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from buffycoat.cells import Manifest, manifest_error
from buffycoat.errors import ManifestError
from buffycoat.plurals import counted
from buffycoat.sources.options import Reading
from buffycoat.sources.parts import part_of
from buffycoat.sources.table import scale_of
from buffycoat.tables import Rows, find_labels, known_name, read_rows
from buffycoat.tables.parquet import read_parquet
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.built_in import for_reading

_Cell = dict[str, str | float | None]
_OF_CELLS = ("patient_id", "slide_id")
_SCALE = "um_per_px"


def is_hub_table(columns: Sequence[str]) -> bool:
    """Whether columns are of pictures with labels, and not those of WBCBench's own tables."""
    return "image" in columns and not {"path", "image_id", "wbcbench_split"} & {*columns}


def read_hub(path: Path, files: Sequence[Path], reading: Reading) -> Manifest:
    """Read tables with a column `image` and one of labels.

    The split is what the table's name says, such as `test-00000-of-00001.parquet`, else its folder;
    a table whose names say none holds training cells if it has labels. Labels are names, or numbers
    for which `datasets` notes the names in the table.

    Args:
        path: What the person gave.
        files: The tables, in or at that path.
        reading: Whose names are looked for, and whether labels are asked for. Where not, every
            cell is unlabelled and of split "test", and only pictures, patients, slides and scales
            are read.

    Returns:
        `path` is `FILE.parquet#ROW`. A cell's id is `TABLE#ROW/NAME`, or `TABLE#ROW` where its
        picture has no name. `patient_id`, `slide_id` and `um_per_px` are read from columns of
        these names.

    Raises:
        ManifestError: Lists every fault with its file and row.
    """
    faults: list[str] = []
    cells: list[_Cell] = []
    notes: list[str] = []
    for file in files:
        name = file.name if file == path else file.relative_to(path).as_posix()
        try:
            if reading.needs_labels:
                rows = read_rows(file, ("image",))
                cells += _cells(rows, name, notes, faults, for_reading(reading.taxonomy))
            else:
                rows = read_parquet(file, ("image", *_OF_CELLS, _SCALE))
                cells += [_cell(rows, number, row, name, faults) for number, row in rows]
            notes += [f"{name}: {note}" for note in rows.notes]
        except ManifestError as error:
            faults.append(str(error))
    if not faults and not cells:
        faults.append("no rows in any Parquet table")
    if faults:
        raise manifest_error(str(path), faults)
    return Manifest.from_frame(pd.DataFrame(cells), path.stem, notes)


def _cells(
    rows: Rows, name: str, notes: list[str], faults: list[str], taxonomy: Taxonomy
) -> list[_Cell]:
    """The cells of one table."""
    try:
        column, labels = find_labels(rows, spelling=taxonomy.spelling)
    except ManifestError:
        if len(rows.header) > 1:
            raise  # a column that is there may be the labels, under another name
        column, labels = "", [""] * len(rows)
    _refuse_numbers(rows, column, labels, taxonomy)
    split = split_of(name)
    if split is None:
        split = "train" if any(labels) else "test"
        notes.append(
            f"{name}: its name says no split; {counted(len(rows), 'cell')} taken as {split}"
        )
    return [
        _cell(rows, number, row, name, faults, label, split)
        for (number, row), label in zip(rows, labels, strict=True)
    ]


def _cell(
    rows: Rows,
    number: int,
    row: dict[str, str],
    name: str,
    faults: list[str],
    label: str = "",
    split: str = "test",
) -> _Cell:
    return {
        "cell_id": f"{name}#{number}" + (f"/{row['image']}" if row["image"] else ""),
        "path": f"{rows.path}#{number}",
        "label": label or None,
        "split": split,
        **{column: known_name(row.get(column, "")) for column in _OF_CELLS},
        _SCALE: scale_of(row.get(_SCALE, ""), f"{name} row {number}", faults),
    }


def _refuse_numbers(rows: Rows, column: str, labels: Sequence[str], taxonomy: Taxonomy) -> None:
    known = {label for label in labels if label and taxonomy.spelling.find(label) is None}
    if known and all(label.isdecimal() for label in known):
        raise ManifestError(
            f"{rows.path.name}: column {column!r} holds numbers, and the table gives no names for "
            "them. Write it by `datasets` with a ClassLabel, or with the classes' names as text"
        )


def split_of(name: str) -> str | None:
    """Split that the name of a table says, or the folder nearest to it; None for none.

    >>> split_of("data/test-00000-of-00001.parquet"), split_of("default/train/0000.parquet")
    ('test', 'train')
    """
    parts = map(part_of, reversed(name.removesuffix(".parquet").split("/")))
    return next(filter(None, parts), None)
