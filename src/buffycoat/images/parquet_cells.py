"""Encoded images that are stored in Parquet tables, or in files that a table names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.cells import CellRef
from buffycoat.errors import ImageError, ManifestError
from buffycoat.plurals import some_of

_REMEDY = (
    "That is how `Dataset.to_parquet` writes a data set of image files. Copy the files to where "
    "the paths lead, or write the table again with its pictures: `from datasets.table import "
    "embed_table_storage`, then `ds.with_format('arrow').map(embed_table_storage, batched=True)"
    ".with_format(None).to_parquet(...)`"
)  # tried with datasets 5.2


def read_parquet_cell(table: str, row: int) -> bytes:
    """The encoded image in one row of a Parquet table.

    Args:
        table: The table, with a column `image` of bytes, of paths, or of `{bytes, path}` as
            `datasets` writes it. A path counts where there are no bytes; it is absolute, or
            relative to the table's folder.
        row: From 0.

    Returns:
        The bytes, empty if there are none.

    Raises:
        ImageError: Not such a table, it has no such row, or the row's path leads nowhere.
        OSError: No such table.
    """
    mtime_ns = os.stat(table).st_mtime_ns
    starts = _row_group_starts(table, mtime_ns)
    if row >= starts[-1]:
        raise ImageError(f"{table}#{row}: the table has {starts[-1]} rows (0 to {starts[-1] - 1})")
    path = _paths_only(table, mtime_ns).get(row)
    if path is not None:
        return _read_file(table, row, path)
    group = int(np.searchsorted(starts, row, side="right")) - 1
    cell = _read_row_group(table, mtime_ns, group)[row - starts[group]].as_py()
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if data is not None and not isinstance(data, bytes):
        raise ImageError(f"{table}#{row}: column 'image' holds {type(data).__name__}, not bytes")
    return data or b""


def check_pictures(table: str | Path) -> None:
    """Refuse a table of paths instead of pictures, if none of the files is there.

    No picture is read, and of a table that holds its pictures only the footer.

    Raises:
        ManifestError: Such a table.
        ImageError: Not a readable table, or without a column `image`.
    """
    mtime_ns = os.stat(table).st_mtime_ns
    paths = _paths_only(str(table), mtime_ns)
    folder = Path(table).parent
    if not paths or any((folder / path).is_file() for path in paths.values()):
        return
    n_rows = _row_group_starts(str(table), mtime_ns)[-1]
    raise ManifestError(
        f"{table}: {some_of(len(paths), n_rows, 'row', 'holds', 'hold')} a path "
        f"and no picture in column 'image', and none of these files is there (the first: "
        f"{folder / next(iter(paths.values()))}). {_REMEDY}"
    )


def picture_file(ref: CellRef) -> str:
    """The file that holds a cell's picture: the path, its table, or the file named in its row."""
    if ref.row is None:
        return ref.path
    try:
        named = _paths_only(ref.path, os.stat(ref.path).st_mtime_ns).get(ref.row)
    except (OSError, ImageError):
        return ref.path
    return ref.path if named is None else str(Path(ref.path).parent / named)


def _read_file(table: str, row: int, path: str) -> bytes:
    file = Path(table).parent / path
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(
            f"{table}#{row}: holds a path and no picture, and {file} cannot be read. {_REMEDY}"
        ) from error


@lru_cache(maxsize=256)
def _paths_only(table: str, mtime_ns: int) -> dict[int, str]:
    """Row -> path, for the rows with a path and no bytes."""
    starts = _row_group_starts(table, mtime_ns)
    found: dict[int, str] = {}
    with _parquet_errors(table):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(table) as file:
            kind = file.schema_arrow.field("image").type
            fields = {field.name for field in kind} if pyarrow.types.is_struct(kind) else set()
            if "path" not in fields and not _is_text(kind):
                return {}
            for group, start in enumerate(starts[:-1]):
                n_empty = _n_without_bytes(file.metadata.row_group(group), fields)
                if n_empty == 0:
                    continue
                is_all = n_empty == starts[group + 1] - start
                columns = ["image.path" if is_all and fields else "image"]
                cells = file.read_row_group(group, columns=columns)["image"].to_pylist()
                for row, cell in enumerate(cells, start):
                    path = _path_of(cell)
                    if path:
                        found[row] = path
    return found


def _is_text(kind: Any) -> bool:
    import pyarrow

    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)


def _n_without_bytes(group: Any, fields: set[str]) -> int | None:
    """Rows of a group without bytes, by the footer; None if it does not say."""
    if "bytes" not in fields:
        return group.num_rows
    columns = [group.column(index) for index in range(group.num_columns)]
    column = next(column for column in columns if column.path_in_schema == "image.bytes")
    known = column.statistics
    return known.null_count if known is not None and known.has_null_count else None


def _path_of(cell: Any) -> str | None:
    if isinstance(cell, dict):
        return None if cell.get("bytes") else cell.get("path")
    return cell


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
