"""Rows of a Parquet table as text; pictures in it are not read."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buffycoat.errors import ManifestError
from buffycoat.tables.rows import Rows

if TYPE_CHECKING:
    import pyarrow

_MAGIC = b"PAR1"
_EXACT = 2**53
"""From here on a float may stand for several whole numbers."""


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its content, or says that it is by its suffix."""
    if path.suffix.lower() == ".parquet":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_parquet(path: Path, only: Collection[str] = ()) -> Rows:
    """Read the columns of plain values, and of pictures the paths.

    A column of pictures, `{bytes, path}` as `datasets` writes it, gives its paths; numbers that
    stand for classes, as `datasets` writes them, give the classes' names. Lists and other bytes are
    left out.

    Args:
        path: The file.
        only: Of its columns, those to read; the notes name the others. By default all are read.

    Raises:
        ManifestError: Not readable, or a class number without a name.
    """
    import pyarrow
    import pyarrow.parquet

    if not path.exists():
        raise ManifestError(f"{path}: no such file. Check the path")
    try:
        file = pyarrow.parquet.ParquetFile(path)
        leaves = _leaves(file.schema_arrow)
        passed_over = [name for name in file.schema_arrow.names if only and name not in only]
        leaves = {name: leaf for name, leaf in leaves.items() if name not in passed_over}
        table = file.read(columns=list(leaves.values()))
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(
            f"{path}: not a readable Parquet table ({error}). Download or write it again"
        ) from error
    names = class_names(file.schema_arrow)
    columns = {
        name: _column(path, name, table[name].to_pylist(), names.get(name)) for name in leaves
    }
    rows = tuple(
        (number, {name: texts[number] for name, texts in columns.items()})
        for number in range(table.num_rows)
    )
    notes = (f"not asked for and not read: {', '.join(passed_over)}",) if passed_over else ()
    return Rows(path, tuple(leaves), rows, "row", notes)


def _leaves(schema: pyarrow.Schema) -> dict[str, str]:
    """Column -> what of it is read: itself, or the path of a picture."""
    from pyarrow import types

    found = {}
    for field in schema:
        kind = field.type
        if types.is_struct(kind) and kind.get_field_index("path") >= 0:
            found[field.name] = f"{field.name}.path"
        elif not types.is_nested(kind) and not _is_bytes(kind):
            found[field.name] = field.name
    return found


def _is_bytes(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)


def class_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """Names of the classes of each column that holds their numbers, as `datasets` notes them."""
    features = _metadata(schema).get("info", {}).get("features", {})
    return {
        column: list(feature["names"])
        for column, feature in features.items()
        if isinstance(feature, dict) and isinstance(feature.get("names"), list)
    }


def _metadata(schema: pyarrow.Schema) -> dict[str, Any]:
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _column(path: Path, name: str, values: list[Any], names: list[str] | None) -> list[str]:
    if names is None or not all(value is None or type(value) is int for value in values):
        return [text_of(value) for value in values]
    for number, value in enumerate(values):
        if value is not None and value >= len(names):
            raise ManifestError(
                f"{path.name} row {number}: {name} {value} is a number that the table gives no "
                f"name for; it names {len(names)} classes, from 0"
            )
    return ["" if value is None or value < 0 else names[value] for value in values]


def text_of(value: Any) -> str:
    """A value as text, "" for none.

    A whole number is written as one, also where gaps in its column have made it a float: patient
    3.0 is "3". NaN, NaT and NA are nothing.
    """
    if isinstance(value, dict):
        return text_of(value.get("path"))
    if value is None or value != value:  # NaN and NaT are the values that do not equal themselves
        return ""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value)) if abs(value) < _EXACT else repr(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
