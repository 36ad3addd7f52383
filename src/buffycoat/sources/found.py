"""What `find` said of the cells that it cut out, added to them; smudges are left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.cells import PLACE
from buffycoat.errors import ManifestError
from buffycoat.plurals import counted
from buffycoat.sources.draft import Draft
from buffycoat.sources.parquet import columns_of

TABLE = "cells.parquet"
"""As `find` calls its table, beside the crops."""
SMUDGE = "smudge"


def found_table(path: Path) -> Path | None:
    """The table that `find` wrote: the path, or in that folder; None if there is none."""
    table = path / TABLE if path.is_dir() else path
    if table.suffix.lower() != ".parquet" or not table.is_file():
        return None
    return table if {"cell_id", "slide_id", *PLACE} <= {*columns_of(table)} else None


def add_found(draft: Draft, table: Path) -> Draft:
    """Add slide, field, box and kind to the cells that `find` listed, and leave smudges out.

    Args:
        draft: Cells of the folder of crops, or of the table; others may be among them.
        table: From `found_table`.

    Raises:
        ManifestError: It lists a cell twice, or no whole cell.
    """
    columns = ["cell_id", "slide_id", *PLACE]
    said = pd.read_parquet(table, columns=columns).rename(columns=PLACE)
    if said["cell_id"].duplicated().any():
        raise ManifestError(f"{table}: lists a cell twice. Run `buffycoat find` again")
    said = said.set_index("cell_id")
    frame = draft.frame.reset_index(drop=True)
    more = said.reindex(frame["cell_id"].astype(str)).reset_index(drop=True)
    if "slide_id" in frame:  # of a table of the user's
        more["slide_id"] = frame["slide_id"].astype("string").fillna(more["slide_id"])
    frame = frame.assign(**more)
    is_smudge = np.array([kind == SMUDGE for kind in frame["kind"].fillna("")], dtype=bool)
    missing = len(said) - int(np.count_nonzero(frame["field"].notna()))
    notes = list(draft.notes)
    if is_smudge.any():
        notes.append(
            f"{counted(int(is_smudge.sum()), 'smudge')} left out (column kind of {table.name}): "
            "broken cells have no class"
        )
    if missing:
        notes.append(f"not among the pictures: {counted(missing, 'cell')} of {table.name}")
    if is_smudge.all():
        raise ManifestError(f"{table}: lists smudges only, and no whole cell to classify")
    kept = frame.loc[~is_smudge].reset_index(drop=True)
    used = tuple(dict.fromkeys((*draft.used, table.name)))
    return replace(
        draft, frame=kept, layout="cells that find cut out", used=used, notes=tuple(notes)
    )
