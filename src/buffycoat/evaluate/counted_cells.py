"""Which cells of fields of view count in a differential, by what `find` said of them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.side_tables import TRUTH_VALUES, by_cell, complete, known_groups_in
from buffycoat.plurals import counted
from buffycoat.tables import Rows, find_ids, join_names

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


def counted_in(rows: Rows, cell_ids: list[str], count_faulty: bool) -> CountedCells | None:
    """Which cells of a table of predictions count; None where they are not from `find`.

    Args:
        rows: Predictions, as `buffycoat predict` writes them.
        cell_ids: Cells that are in it, shape (n,).
        count_faulty: Whether cells of fields with a fault count too.

    Raises:
        ManifestError: A value is neither True nor False.
    """
    if not {FIELD, "is_counted", "field_faults"} <= {*rows.header}:
        return None
    known = by_cell(rows, cell_ids)
    told = [known.get(cell_id, {}) for cell_id in cell_ids]
    texts = [row.get("is_counted", "").strip().lower() for row in told]
    strange = [
        f"{cell_id}: is_counted {text!r}, expected True or False"
        for cell_id, text in zip(cell_ids, texts, strict=True)
        if text not in TRUTH_VALUES
    ]
    if strange:
        raise manifest_error(str(rows.path), strange)
    inside = np.array([TRUTH_VALUES[text] for text in texts], dtype=bool)
    of_field = [row.get("field_faults", "") for row in told]
    is_good = np.array([not text for text in of_field], dtype=bool)
    fields = [row.get(FIELD, "") for row in told]
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
    predictions: Rows,
    groups: Rows | None,
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
        ManifestError: A column is missing, an ID is there twice, or a cell has no group; with the
            options that name another column or table.
    """
    if fields is None:
        fields = _fields(predictions, cell_ids)
    table = predictions if groups is None else groups
    column = by or next((name for name in (SLIDE, PATIENT) if name in table.header), None)
    if column is None and groups is not None:
        column = SLIDE
    if column is not None:
        try:
            names = groups_of(predictions, groups, column, cell_ids, fields)
        except ManifestError as error:
            raise ManifestError(
                f"{error}. Cells are counted by {column}: name another column with --by, or give a "
                f"table of ID and {column} with --groups"
            ) from error
        is_second = by is None and column == PATIENT
        note = f"{table.path.name} has no {SLIDE}: counted by {PATIENT}." if is_second else ""
        return GroupedCells(column, names, note)
    file = predictions.path
    lacks = f"{file.name} has no {SLIDE} and no {PATIENT}"
    if fields is not None:
        names = [os.path.dirname(field) or file.stem for field in fields]
        return GroupedCells("slide", names, f"{lacks}: a slide is the folder that a field lies in.")
    remedy = "Name a column with --by, or a table with --groups."
    note = f"{lacks}: all cells are counted together. {remedy}"
    return GroupedCells("slide", [file.stem] * len(cell_ids), note)


def _fields(predictions: Rows, cell_ids: list[str]) -> list[str] | None:
    """Field of each cell, if the predictions know that of all, shape (n,)."""
    if FIELD not in predictions.header:
        return None
    known = by_cell(predictions, cell_ids)
    found = [known.get(cell_id, {}).get(FIELD, "") for cell_id in cell_ids]
    return found if all(found) else None


def groups_of(
    predictions: Rows, groups: Rows | None, by: str, cell_ids: list[str], fields: list[str] | None
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
    table = predictions if groups is None else groups
    return complete(table.path, by, cell_ids, found)


def known_groups_of(
    predictions: Rows, groups: Rows | None, by: str, cell_ids: list[str], fields: list[str] | None
) -> list[str | None]:
    """As `groups_of`, but None for a cell that has no group, shape (n,)."""
    table = predictions if groups is None else groups
    table.require((by,))
    names = list(dict.fromkeys(fields or ()))
    is_of_fields = groups is not None and bool(
        join_names(table.column(find_ids(table, known=[*names, *cell_ids])), names).known
    )
    if fields is None or not is_of_fields:
        return known_groups_in(table, by, cell_ids)
    of_field = dict(zip(names, known_groups_in(table, by, names), strict=True))
    return [of_field[field] for field in fields]
