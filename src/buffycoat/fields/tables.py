"""The tables that a search for cells writes beside its crops."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from buffycoat.errors import OutputError
from buffycoat.fields.folder import CELL_COLUMNS, Outcome
from buffycoat.images import check_scale, writing
from buffycoat.tables import write_csv

CELLS, FIELDS, PARTS, BAD = "cells.parquet", "fields.csv", "parts.csv", "bad-fields.csv"


def check_places(
    fields: Path, out: Path, um_per_px: float | None = None, overlays: Path | None = None
) -> None:
    """Refuse a scale that cannot be, and places where results would be read as fields or cells."""
    check_scale(um_per_px, "--um-per-px")
    for option, folder, among in (
        ("--out", out, fields),
        ("--overlays", overlays, fields),
        ("--overlays", overlays, out),
    ):
        if folder is not None and among.resolve() in (folder / "x").resolve().parents:
            raise OutputError(
                f"{option} {folder}: lies in {among}, where its pictures would be read as fields "
                "or cells. Choose a place outside"
            )


def cells_frame(outcome: Outcome) -> pd.DataFrame:
    """A row a cell, with the columns and types of `CELL_COLUMNS`."""
    return pd.DataFrame(outcome.cells, columns=list(CELL_COLUMNS)).astype(CELL_COLUMNS)


def bad_frame(outcome: Outcome) -> pd.DataFrame:
    """A row a field that cannot be used: its name, path, and why."""
    return pd.DataFrame(outcome.bad, columns=["ID", "path", "reason"])


def write_tables(outcome: Outcome, out: Path) -> None:
    """Write the tables of cells, fields, and fields that cannot be used."""
    with writing(out / CELLS) as part:
        cells_frame(outcome).to_parquet(part, index=False)
    write_csv(out / FIELDS, pd.DataFrame(outcome.fields))
    if outcome.parts:
        write_csv(out / PARTS, pd.DataFrame(outcome.parts))
    else:
        (out / PARTS).unlink(missing_ok=True)
    if outcome.bad:
        write_csv(out / BAD, bad_frame(outcome))
    else:
        (out / BAD).unlink(missing_ok=True)
