"""The rows of a table as text, with the place that each stands at."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from buffycoat.errors import ManifestError
from buffycoat.plurals import missing_columns


@dataclass(frozen=True)
class Rows:
    """A table as text.

    Attributes:
        path: The file.
        header: Names of the columns, in order; columns without a name are left out.
        rows: For each row that is not blank, its number and column -> text, "" where there is none.
        unit: What the number counts: lines of a text file from 1, rows of Parquet from 0.
        notes: What the reader took for granted, in sentences for the person who gave the file.
        delimiter: Between fields of a text file; "" of Parquet.
        encoding: Of a text file, by Python's name; "" of Parquet.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    unit: Literal["line", "row"] = "line"
    notes: tuple[str, ...] = ()
    delimiter: str = ""
    encoding: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        return iter(self.rows)

    def column(self, name: str) -> list[str]:
        """Text of one column, shape (n,)."""
        return [row[name] for _, row in self.rows]

    @property
    def places(self) -> list[str]:
        """Where each row stands, for messages: "line 2"; shape (n,)."""
        return [f"{self.unit} {number}" for number, _ in self.rows]

    def require(self, columns: Collection[str]) -> None:
        """Make sure that columns are there.

        Raises:
            ManifestError: One is missing.
        """
        missing = [column for column in columns if column not in self.header]
        if missing:
            raise ManifestError(
                f"{self.path.name}: {missing_columns(missing)}; "
                f"it has {', '.join(self.header) or 'none'}"
            )
