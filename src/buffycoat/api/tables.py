"""Tables as callers have them: files, or in memory."""

# pandas has no types of its own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

Table: TypeAlias = "str | Path | pd.DataFrame | pd.Series"
"""A file (CSV or Parquet) with a row a cell, or the same in memory: a `DataFrame`, or a `Series`
with the cells' names as its index."""


@contextmanager
def kept() -> Generator[Path]:
    """A folder for tables in memory; errors name the table and not a file that is gone."""
    from buffycoat.errors import BuffycoatError

    with tempfile.TemporaryDirectory(prefix="buffycoat") as folder:
        try:
            yield Path(folder)
        except BuffycoatError as error:
            error.args = tuple(
                named(part, folder) if isinstance(part, str) else part for part in error.args
            )
            raise


def named(text: str, folder: str | Path) -> str:
    """What is said of tables in that folder, with their names alone."""
    return re.sub(rf"{re.escape(str(folder))}[/\\]+(\w+)\.\w+", r"table of \1", text)


def on_disk(table: Table | Mapping[str, object], place: Path, column: str) -> Path:
    """The file that holds a table; what is in memory is written first, and so read as files are.

    Args:
        table: As callers have it, or cell's name -> value.
        place: Where to write what is in memory, without suffix.
        column: What the values of a `Series` or mapping are.

    Raises:
        ManifestError: A column of mixed types, which no table can hold.
    """
    import pandas as pd
    import pyarrow as pa

    from buffycoat.errors import ManifestError

    if isinstance(table, str | Path):
        return Path(table)
    if isinstance(table, pd.DataFrame):
        frame = _columns_alone(table)
    else:  # a name that is there twice stays so, and the reader refuses it
        pairs = list(table.items())
        frame = pd.DataFrame({"ID": [str(n) for n, _ in pairs], column: [v for _, v in pairs]})
    path = place.with_suffix(".parquet")
    try:
        frame.to_parquet(path, index=False)
    except (pa.ArrowException, ValueError) as error:
        raise ManifestError(
            f"table of {place.name}: cannot be stored ({error}). Give each column one type and a "
            "name of its own"
        ) from error
    return path


def _columns_alone(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its index as a column, if that has a name, and without `attrs`.

    `set_index("ID")` is no reason to lose the IDs, nor is a note in `attrs` that JSON cannot hold.
    """
    has_name = table.index.name is not None and table.index.name not in table
    frame = table.reset_index() if has_name else table.copy(deep=False)
    frame.attrs = {}
    return frame
