"""Which cells of fields of view count in a differential, by what `find` said of them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.cells import manifest_error
from buffycoat.evaluate.side_tables import (
    TRUTH_VALUES,
    by_cell,
    complete,
    read_known_groups,
)
from buffycoat.plurals import counted
from buffycoat.tables import find_ids, join_names, read_rows

Array = np.ndarray[Any, Any]
SLIDE, PATIENT = "slide_id", "patient_id"
FIELD = "field"


@dataclass(frozen=True)
class CountedCells:
    """What counts.

    Attributes:
        fields: Field of each cell, shape (n,).
        at_border: Cut by the right or lower border, shape (n,), bool: not counted, so that cells at
            borders count once (`fields.counting`).
        faults: Of the field of each cell, in words, "" for none, shape (n,).
        is_counted: Shape (n,), bool.
    """

    fields: list[str]
    at_border: Array
    faults: list[str]
    is_counted: Array

    def notes(self) -> list[str]:
        """What is not counted and why, in sentences."""
        found = []
        n_border, cells = int(self.at_border.sum()), counted(len(self.fields), "cell")
        if n_border:
            found.append(
                f"Not counted: {n_border} of {cells}, cut by the right or lower border of their "
                "field; those at the left and upper border are counted."
            )
        dropped = [row for row, faults in enumerate(self.faults)
                   if faults and not self.is_counted[row] and not self.at_border[row]]  # fmt: skip
        if dropped:
            why = Counter({self.fields[row]: self.faults[row] for row in dropped}.values())
            listed = ", ".join(f"{n} {faults}" for faults, n in why.most_common())
            cells, fields = counted(len(dropped), "cell"), counted(why.total(), "field")
            found.append(
                f"Not counted: {cells} of {fields} with a fault ({listed}); --count-faulty counts "
                "them."
            )
        return found


def read_counted(path: Path, cell_ids: list[str], count_faulty: bool) -> CountedCells | None:
    """Which cells of a table of predictions count; None where they are not from `find`.

    Args:
        path: Predictions, as `buffycoat predict` writes them.
        cell_ids: Cells that are in it, shape (n,).
        count_faulty: Whether cells of fields with a fault count too.

    Raises:
        ManifestError: A value is neither True nor False.
    """
    rows = read_rows(path)
    if not {"field", "is_counted", "field_faults"} <= {*rows.header}:
        return None
    found = {name: by_cell(rows, name, cell_ids, []) for name in ("field", "is_counted")}
    faults = by_cell(rows, "field_faults", cell_ids, [])
    texts = [found["is_counted"].get(cell_id, "").strip().lower() for cell_id in cell_ids]
    strange = [
        f"{cell_id}: is_counted {text!r}, expected True or False"
        for cell_id, text in zip(cell_ids, texts, strict=True)
        if text not in TRUTH_VALUES
    ]
    if strange:
        raise manifest_error(str(path), strange)
    inside = np.array([TRUTH_VALUES[text] for text in texts], dtype=bool)
    of_field = [faults.get(cell_id, "") for cell_id in cell_ids]
    is_good = np.array([not text for text in of_field], dtype=bool)
    fields = [found["field"].get(cell_id, "") for cell_id in cell_ids]
    return CountedCells(fields, ~inside, of_field, inside & (is_good | count_faulty))


@dataclass(frozen=True)
class GroupedCells:
    """What cells are counted together by.

    Attributes:
        by: Column, or "slide" where no column says it.
        names: Slide, patient or field of each cell, shape (n,).
        note: What was taken for granted, in a sentence; "" for nothing.
    """

    by: str
    names: list[str]
    note: str = ""


def group_cells(
    predictions: Path,
    groups: Path | None,
    by: str | None,
    cell_ids: list[str],
    fields: list[str] | None = None,
) -> GroupedCells:
    """What cells are counted together by: a differential and a review count alike.

    Args:
        predictions: Its own columns are used where no other table is given.
        groups: A table whose IDs are the cells, or their fields.
        by: Column; None takes `slide_id`, else `patient_id`, else, of predictions, the folder that
            each field lies in, else all cells together.
        cell_ids: The cells, shape (n,).
        fields: Field of each cell; None takes column `field` of the predictions, if it has one.

    Raises:
        ManifestError: A column is missing, an ID is there twice, or a cell has no group.
    """
    if fields is None:
        fields = _fields(predictions, cell_ids)
    header = read_rows(groups or predictions).header
    column = by or next((name for name in (SLIDE, PATIENT) if name in header), None)
    if column is not None or groups is not None:
        names = groups_of(predictions, groups, column or SLIDE, cell_ids, fields)
        table = (groups or predictions).name
        note = "" if by or column != PATIENT else f"{table} has no {SLIDE}: counted by {PATIENT}."
        return GroupedCells(column or SLIDE, names, note)
    lacks = f"{predictions.name} has no {SLIDE} and no {PATIENT}"
    if fields is not None:
        names = [os.path.dirname(field) or predictions.stem for field in fields]
        return GroupedCells("slide", names, f"{lacks}: a slide is the folder that a field lies in.")
    remedy = "Name a column with --by, or a table with --groups."
    note = f"{lacks}: all cells are counted together. {remedy}"
    return GroupedCells("slide", [predictions.stem] * len(cell_ids), note)


def _fields(predictions: Path, cell_ids: list[str]) -> list[str] | None:
    """Field of each cell, if the predictions know that of all, shape (n,)."""
    rows = read_rows(predictions)
    if FIELD not in rows.header:
        return None
    known = by_cell(rows, FIELD, cell_ids, [])
    found = [known.get(cell_id, "") for cell_id in cell_ids]
    return found if all(found) else None


def groups_of(
    predictions: Path, groups: Path | None, by: str, cell_ids: list[str], fields: list[str] | None
) -> list[str]:
    """Slide, patient or field of each cell, shape (n,).

    Args:
        predictions: Its own column is used where no other table is given.
        groups: A table whose IDs are the cells, or their fields.
        by: Column.
        cell_ids: The cells, shape (n,).
        fields: Field of each cell, if they are from fields.

    Raises:
        ManifestError: A column is missing, an ID is there twice, or a cell has no group.
    """
    found = known_groups_of(predictions, groups, by, cell_ids, fields)
    return complete(groups or predictions, by, cell_ids, found)


def known_groups_of(
    predictions: Path, groups: Path | None, by: str, cell_ids: list[str], fields: list[str] | None
) -> list[str | None]:
    """As `groups_of`, but None for a cell that has no group, shape (n,)."""
    if groups is None or fields is None:
        return read_known_groups(groups or predictions, by, cell_ids)
    names = list(dict.fromkeys(fields))
    rows = read_rows(groups, (by,))
    ids = rows.column(find_ids(rows, known=[*names, *cell_ids]))
    if not join_names(ids, names).known:
        return read_known_groups(groups, by, cell_ids)
    of_field = dict(zip(names, read_known_groups(groups, by, names), strict=True))
    return [of_field[field] for field in fields]
