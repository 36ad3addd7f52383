"""What tables say of cells beside their labels: splits, patients, slides, severity, twins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from buffycoat.cells import manifest_error
from buffycoat.plurals import counted
from buffycoat.sources.draft import Draft
from buffycoat.sources.folders import Pictures
from buffycoat.sources.label_table import LabelTable
from buffycoat.sources.table import read_row

KEYS = ("split", "patient_id", "slide_id", "severity", "original_id", "um_per_px")


def add_columns(
    draft: Draft, tables: Sequence[LabelTable], found: Pictures, wanted: Sequence[str] = KEYS
) -> Draft:
    """Add splits, patients and slides to cells that have their labels.

    A table without a column of splits may tell one by its name: `val.csv` lists the cells of eval.
    Each table adds to what others say; where two differ, neither is believed.

    Args:
        draft: The cells.
        tables: That were looked at; those of `draft.used` have been read already.
        found: The pictures.
        wanted: Of `KEYS`, what is to be added.

    Raises:
        ManifestError: Two tables, or a table and a folder, say different things of a cell; or a
            cell has no split where others have.
    """
    frame = draft.frame
    known = {key: _column(frame, key) for key in KEYS}
    if not draft.split_from:
        known["split"] = [None] * len(frame)
    place = {path: row for row, path in enumerate(frame["path"])}
    faults: list[str] = []
    used, splits = list(draft.used), []
    for table in tables:
        name = found.name(table.path)
        columns = table.columns if "split" in wanted else table.columns.without_annotations()
        column = table.columns.tells_split
        gives = [key for key in wanted if getattr(table.columns, key) and key != "split"]
        if (column or table.part) and "split" in wanted:
            gives.append("split")
        if not table.looks_useful or not gives or name in draft.used:
            continue
        used.append(name)
        if "split" in gives:
            splits.append(f"column {column} of {name}" if column else f"the name of {name}")
        for number, row in table.rows:
            pictures = table.pictures.get(number, [])
            if len(pictures) != 1:
                value = row.get(table.file_column or "", "")
                what = "names several pictures" if pictures else "names no picture"
                faults.append(f"{table.where(number)}: {value!r} {what}; --leave-out leaves it out")
                continue
            said = read_row(row, columns, table.where(number), faults)
            said["split"] = said["split"] or table.part
            _fill(known, place[str(pictures[0])], {key: said[key] for key in gives},
                  table.where(number), faults)  # fmt: skip
    if splits:
        faults += _without_split(draft, known["split"], splits)
    if faults:
        raise manifest_error(str(found.folder), faults)
    if len(used) == len(draft.used):
        return draft
    told = [key for key in wanted if key != "split" or splits]
    frame = frame.assign(**{key: known[key] for key in told})
    words = " and ".join(splits)
    split_from = f"{draft.split_from} and {words}" if draft.split_from and words else words
    return replace(draft, frame=frame, used=tuple(used), split_from=split_from or draft.split_from)


def _column(frame: pd.DataFrame, key: str) -> list[str | float | None]:
    if key not in frame:
        return [None] * len(frame)
    return [None if pd.isna(value) else value for value in frame[key]]


def _fill(
    known: dict[str, list[str | float | None]],
    row: int,
    said: dict[str, str | float | None],
    where: str,
    faults: list[str],
) -> None:
    """Write down what a table says of a cell; a fault where it is known otherwise."""
    for key, value in said.items():
        before = known[key][row]
        if value is None or before == value:
            continue
        if before is not None:
            faults.append(
                f"{where}: {key} {value!r}, but {before!r} by another table or the folder. Mend "
                "one, or leave the table out with --leave-out"
            )
        known[key][row] = value


def _without_split(
    draft: Draft, values: Sequence[str | float | None], splits: Sequence[str]
) -> list[str]:
    """A fault where the tables of splits leave cells out."""
    missing = [n for n, value in zip(draft.frame["cell_id"], values, strict=True) if not value]
    if not missing:
        return []
    return [
        f"{counted(len(missing), 'cell')} without a split in {' or '.join(splits)}, such as "
        f"{missing[0]}. Add them, or leave the tables or these cells out with --leave-out"
    ]
