"""Encoded images that are stored in Parquet tables."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from buffycoat.errors import ImageError


def read_parquet_cell(table: str, row: int) -> bytes:
    """The encoded image in one row of a Parquet table.

    Args:
        table: The table, with a column `image` of bytes, or of `{bytes, path}` as `datasets`
            writes it.
        row: From 0.

    Returns:
        The bytes, empty if there are none.

    Raises:
        ImageError: Not such a table, or it has no such row.
        OSError: No such file.
    """
    starts = _row_group_starts(table, os.stat(table).st_mtime_ns)
    if row >= starts[-1]:
        raise ImageError(f"{table}#{row}: the table has {starts[-1]} rows (0 to {starts[-1] - 1})")
    group = int(np.searchsorted(starts, row, side="right")) - 1
    cell = _read_row_group(table, os.stat(table).st_mtime_ns, group)[row - starts[group]].as_py()
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if data is not None and not isinstance(data, bytes):
        raise ImageError(f"{table}#{row}: column 'image' holds {type(data).__name__}, not bytes")
    return data or b""


@lru_cache(maxsize=256)
def _row_group_starts(table: str, mtime_ns: int) -> tuple[int, ...]:
    """First row of each row group, and last the number of rows."""
    with _parquet_errors(table):
        import pyarrow.parquet

        metadata = pyarrow.parquet.read_metadata(table)
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return (0, *np.cumsum(sizes, dtype=int).tolist())


@lru_cache(maxsize=2)
def _read_row_group(table: str, mtime_ns: int, group: int) -> Any:
    with _parquet_errors(table):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(table) as file:
            return file.read_row_group(group, columns=["image"])["image"]


@contextlib.contextmanager
def _parquet_errors(table: str) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, KeyError) as error:
        raise ImageError(
            f"{table}: not a readable Parquet table with a column 'image' ({error}). "
            "Download it again"
        ) from error
