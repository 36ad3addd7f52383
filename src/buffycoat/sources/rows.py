"""Rows of a table in any of the forms that data sets use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from buffycoat.sources.csv_rows import read_csv

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".parquet", ".xlsx", ".xls", ".ods")


@dataclass(frozen=True)
class Rows:
    """Rows as text.

    Attributes:
        columns: In the table's order.
        rows: (number, column -> text).
        unit: "line" or "row": what a number counts.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    unit: str = "line"


def read_rows(path: Path) -> Rows:
    """The rows of a table, whatever its form."""
    lines = read_csv(path, ())
    columns = tuple(dict.fromkeys(name for _, row in lines for name in row))
    return Rows(columns, tuple(lines))
