"""Tables beside pictures: used, or refused with the setting that decides, never passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.cells import manifest_error
from buffycoat.images import list_images
from buffycoat.plurals import counted, some_of
from buffycoat.sources.draft import Draft
from buffycoat.sources.folders import (
    Pictures,
    find_pictures,
    frame_of,
    read_folders,
    read_image,
    split_words,
    unlabelled,
)
from buffycoat.sources.found import TABLE, found_table
from buffycoat.sources.image_index import ImageIndex
from buffycoat.sources.label_table import LabelTable, look_at
from buffycoat.sources.more_columns import add_columns
from buffycoat.sources.options import Reading
from buffycoat.sources.parquet import parquet_pictures, read_parquet_pictures
from buffycoat.sources.parts import part_of
from buffycoat.sources.places import Place, patients_note, read_place
from buffycoat.sources.table import label_words, read_row
from buffycoat.taxonomy import Taxonomy, read_labels
from buffycoat.taxonomy.built_in import for_reading
from buffycoat.taxonomy.spelling import words_of

SHOWN = 3
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".parquet", ".xlsx", ".xls", ".ods")
MAX_TABLES = 30
"""More than that are no tables of cells. Lists of boxes, one a picture, do not count."""
_WHY_UNUSED = {True: "it says nothing that folders do not", False: "its labels are not wanted"}
_SPLIT_WORDS = frozenset({"split", "fold", "partition"})
_LABEL_WORDS = frozenset({"label", "annotation", "groundtruth", "metadata"})
_HOLDS_LISTS = (
    ".json",
    ".jsonl",
    ".yaml",
    ".yml",
    ".txt",
    ".lst",
    ".mat",
    ".npy",
    ".npz",
    ".pkl",
    ".xml",
)
_MOVED = "in a folder of another split than the table says: {cells}; the table counts"
_DECIDE = "decide by --labels-from tables, or --labels-from folders, or --leave-out {name}"


def read_beside(found: Pictures, reading: Reading) -> Draft:
    """Read pictures with what folders, names and tables say of them.

    Args:
        found: The pictures, and files that may be tables.
        reading: Which place of labels counts, and what to leave out.

    Raises:
        ManifestError: A table names pictures and says something of them that is not used, with the
            setting that decides; or a fault in what is used.
    """
    taxonomy = for_reading(reading.taxonomy)
    tables = _look(found, taxonomy, reading.leave_out)
    with_labels = [table for table in tables if table.looks_useful and table.columns.has_labels]
    places = [read_place(found.name(path).split("/"), taxonomy) for path in found.paths]
    is_in_classes = any(place.code for place in places)
    wants_tables = reading.labels_from == "tables" or (
        reading.labels_from == "auto" and bool(with_labels) and not is_in_classes
    )
    if wants_tables:
        names = [t for t in tables if t.looks_useful and t not in with_labels]
        draft = _from_tables(found, with_labels, places, names)
    else:
        draft = read_folders(found, reading)
        if reading.labels_from == "auto":
            _check_agreement(draft, with_labels, found, reading)
    draft = add_columns(draft, tables, found)
    _refuse_unread(draft, tables, found, reading)
    unused = {
        found.name(table.path): table.why_not or _WHY_UNUSED[reading.labels_from == "auto"]
        for table in tables
        if table.path.suffix.lower() != ".txt" or table.looks_useful
    }
    return replace(draft, not_used={k: v for k, v in unused.items() if k not in draft.used})


OF_CELLS = ("patient_id", "slide_id", "um_per_px")
"""What a table beside unlabelled pictures says of them."""


def read_unlabelled(path: Path, reading: Reading) -> Draft:
    """Every picture as an unlabelled cell, with what a table beside them says: `OF_CELLS`.

    Args:
        path: A folder, or one image.
        reading: What to leave out.

    Raises:
        ManifestError: No image, or tables that say different things of a cell's patient.
    """
    if path.is_file():
        return read_image(path)
    if parquet_pictures(path, reading) and not list_images(path):
        return read_parquet_pictures(path, replace(reading, needs_labels=False))
    found = find_pictures(path, reading)
    draft = unlabelled(found)
    if len(_candidates(found)) > MAX_TABLES:
        return draft
    tables = [
        t for t in _look(found, for_reading(reading.taxonomy), reading.leave_out) if t.looks_useful
    ]
    of_cells = [t for t in tables if any(getattr(t.columns, name) for name in OF_CELLS)]
    draft = add_columns(draft, of_cells, found, OF_CELLS)
    others = [found.name(t.path) for t in tables if found.name(t.path) not in draft.used]
    return replace(draft, not_used=dict.fromkeys(others, "labels and splits are not asked for"))


def _candidates(found: Pictures) -> list[Path]:
    """Files that may be tables of cells.

    A list of boxes, one a picture, and the table that `find` wrote (see `found`) are none.
    """
    stems = {path.stem for path in [*found.paths, *found.unwanted]}
    return [
        path
        for path in found.tables
        if path.suffix.lower() in TABLE_SUFFIXES
        and not (path.name == TABLE and found_table(path))
        and not (path.suffix.lower() == ".txt" and path.stem in stems)
    ]


def _look(found: Pictures, taxonomy: Taxonomy, patterns: Sequence[str]) -> list[LabelTable]:
    paths = _candidates(found)
    if len(paths) > MAX_TABLES:
        raise manifest_error(
            str(found.folder),
            [
                f"{len(paths)} files may be tables of cells, such as {found.name(paths[0])}: leave "
                "out those that are not with --leave-out and a pattern such as '*.txt'"
            ],
        )
    if not paths:  # an index of a million pictures takes a gigabyte
        return []
    index = ImageIndex(found.folder, [*found.paths, *found.unwanted])
    tables = [look_at(path, index, taxonomy.spelling) for path in paths]
    return [table.without(set(found.unwanted), patterns, found.left_out) for table in tables]


def _from_tables(
    found: Pictures,
    tables: Sequence[LabelTable],
    places: Sequence[Place],
    without_labels: Sequence[LabelTable],
) -> Draft:
    """Cells by the tables that give labels; splits by a column, the table's name or the folder.

    A picture that only a table without labels names, such as a list of test cells, has no label.
    """
    if not tables:
        raise manifest_error(str(found.folder), ["no table in it names its pictures and a label"])
    faults: list[str] = []
    said: dict[str, dict[str, str | float | None]] = {}
    first: dict[str, str] = {}
    moved = 0
    of_place = {found.name(path): place for path, place in zip(found.paths, places, strict=True)}
    for table in tables:
        for number, row in table.rows:
            where = table.where(number)
            name = _picture(table, number, row, found, faults)
            values = read_row(row, table.columns, where, faults)
            if name is None:
                continue
            part = of_place[name].part
            moved += bool(values["split"] and part and values["split"] != part)
            default = "train" if values["label"] else "test"
            values["split"] = values["split"] or table.part or part or default
            if first.setdefault(name, where) != where and said[name] != values:
                faults.append(f"{where}: {name} is in {first[name]} too, and otherwise there")
            said.setdefault(name, values)
    listed = {
        found.name(picture)
        for table in without_labels
        if table.part or table.columns.tells_split
        for pictures in table.pictures.values()
        for picture in pictures
    } - {*said}
    missing = [
        name
        for name, place in of_place.items()
        if name not in said and name not in listed and place.part != "test"
    ]
    if missing:
        names = " or ".join(table.path.name for table in tables)
        faults.append(
            f"{some_of(len(missing), len(of_place), 'picture', 'has', 'have')} no row in "
            f"{names}, such as {missing[0]}: add the rows, "
            "take the labels from folders with --labels-from folders, or leave these pictures out "
            "with --leave-out and their names or folder"
        )
    if faults:
        raise manifest_error(str(found.folder), faults)
    rows = [said.get(name, {"split": place.part or None}) for name, place in of_place.items()]
    columns = sorted({key for row in rows for key in row} - {"label", "split"})
    frame = frame_of(found.folder, found.paths, rows)
    for column in columns:
        frame[column] = [row.get(column) for row in rows]
    is_listed = [name in listed and not place.part for name, place in of_place.items()]
    frame["split"] = frame["split"].where(~np.array(is_listed), None)
    telling = [table for table in tables if table.columns.tells_split]
    splits = [f"column {table.columns.tells_split} of {table.path.name}" for table in telling]
    without = [table for table in tables if not table.columns.tells_split]
    splits += [f"the name of {table.path.name}" for table in without if table.part]
    if without and any(place.part for place in places):
        splits.append(split_words(places))
    return Draft(
        frame,
        "folders",
        "pictures with a table" if len(tables) == 1 else f"pictures with {len(tables)} tables",
        found.n_files,
        label_from=_label_words(tables, found),
        split_from=" and ".join(splits),
        not_looked_at=found.not_looked_at,
        used=tuple(found.name(table.path) for table in tables),
        left_out=found.left_out,
        notes=(
            *patients_note(places),
            *([_MOVED.format(cells=counted(moved, "cell"))] if moved else []),
        ),
    )


def _label_words(tables: Sequence[LabelTable], found: Pictures) -> str:
    """Where the labels come from; tables whose columns have one name are named together."""
    if len({table.columns.label for table in tables}) == 1 and tables[0].columns.label:
        names = " and ".join(found.name(table.path) for table in tables)
        return f"column {tables[0].columns.label} of {names}"
    return " and ".join(label_words(table.columns, found.name(table.path)) for table in tables)


def _picture(
    table: LabelTable, number: int, row: dict[str, str], found: Pictures, faults: list[str]
) -> str | None:
    """The picture that a row names, as a relative path; a fault where it is none or not clear."""
    column = table.file_column or ""
    pictures = table.pictures.get(number, [])
    if len(pictures) == 1:
        return found.name(pictures[0])
    where, value = table.where(number), row.get(column, "")
    if not value:
        faults.append(f"{where}: {column} is empty")
    elif not pictures:
        faults.append(
            f"{where}: {column} {value!r} names no picture in {found.folder}; "
            f"leave the row out with --leave-out {value!r}"
        )
    else:
        names = ", ".join(found.name(path) for path in pictures[:SHOWN])
        faults.append(f"{where}: {column} {value!r} may be {names}: write the path")
    return None


def _check_agreement(
    draft: Draft, tables: Sequence[LabelTable], found: Pictures, reading: Reading
) -> None:
    """Refuse tables that say of a cell something else than folders and names do."""
    labels = [None if pd.isna(label) else str(label) for label in draft.frame["label"]]
    of_path = dict(zip(draft.frame["path"], labels, strict=True))
    faults = []
    for table in tables:
        stated = {number: table.columns.label_of(row) for number, row in table.rows}
        present = {*filter(None, stated.values()), *filter(None, labels)}
        codes = read_labels(present, reading.taxonomy)
        other = []
        for number, pictures in table.pictures.items():
            here = [label for picture in pictures if (label := of_path[str(picture)])]
            if (
                here
                and stated[number]
                and codes[stated[number]] not in {codes[one] for one in here if one}
            ):
                other.append((number, here[0], stated[number]))
        if other:
            number, here, there = other[0]
            faults.append(
                f"{table.where(number)} says {there}, the folder says {here} ({len(other)} such "
                f"cells): {_DECIDE.format(name=table.path.name)}"
            )
    if faults:
        raise manifest_error(str(found.folder), faults)


def _refuse_unread(
    draft: Draft, tables: Sequence[LabelTable], found: Pictures, reading: Reading
) -> None:
    """Refuse files that may hold the labels or splits that the cells lack.

    Raises:
        ManifestError: Lists them, each with what to do.
    """
    faults = []
    if not draft.label_from and reading.labels_from == "auto":
        faults += [
            f"{table.path.name} may hold the labels, but {table.why_not}. Mend it, or go on "
            f"without labels with --leave-out {table.path.name}"
            for table in tables
            if table.why_not and table.may_hold_labels
        ]
    told = {found.name(table.path) for table in tables if not table.is_shut}
    for name in sorted({name for files in found.not_looked_at.values() for name in files} - told):
        words = {*words_of(Path(name).stem)}
        what = "splits" if words & _SPLIT_WORDS or part_of(Path(name).stem) else ""
        what = "labels" if words & _LABEL_WORDS else what
        lacks = {"splits": not draft.split_from, "labels": not draft.label_from}
        if what and lacks[what] and Path(name).suffix.lower() in _HOLDS_LISTS:
            faults.append(
                f"{name} may hold the {what}, and is no table that is read here. Put them into a "
                f"CSV file with the pictures' names, or go on without with --leave-out {name}"
            )
    if faults:
        raise manifest_error(str(found.folder), faults)
