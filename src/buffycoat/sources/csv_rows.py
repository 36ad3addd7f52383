"""Rows of a table as text, with the line that each stands on."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from buffycoat.tables import read_rows


def read_csv(path: Path, columns: Collection[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table, as `tables.read_rows` gives them."""
    return list(read_rows(path, columns).rows)
