"""Write CSV that every reader takes for the same names, labels and numbers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import OutputError
from buffycoat.images import writing

_SPECIAL = re.compile(r'[",;|\x00-\x1f\x7f\x85\u2028\u2029]|^\s|\s$')
"""Text that is quoted: with a usual delimiter, a quote, a control character, the end of a line by
any reader's rule (the `csv` module leaves a lone carriage return bare), or a space at an end."""


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table, without its index, whole or not at all.

    To read it back exactly, names such as `001` or `NA` too:
    `pandas.read_csv(path, dtype={"ID": str}, keep_default_na=False, na_values=[""])`.

    Args:
        path: The file; its folder is made if need be.
        frame: Any table.

    Raises:
        OutputError: The folder cannot be written, or a text holds bytes that are no UTF-8.
    """
    write_csv_parts(path, [str(name) for name in frame.columns], [frame])


def write_csv_parts(path: Path, header: Sequence[str], frames: Iterable[pd.DataFrame]) -> None:
    """Write several tables below each other, one in memory at a time; as `write_csv`.

    Args:
        path: The file.
        header: Names of the columns.
        frames: Each with these columns, whatever they are called there.
    """
    with writing(path) as part, part.open("wb") as file:
        file.write(_encoded(csv_text(header, ()), path))
        for frame in frames:
            columns = [_texts(frame.iloc[:, place]) for place in range(frame.shape[1])]
            file.write(_encoded(_lines(zip(*columns, strict=True)), path))


def _encoded(text: str, path: Path) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text[: error.start].rpartition("\n")[2] + text[error.start :].partition("\n")[0]
        raise OutputError(
            f"{path}: cannot be written in UTF-8, since a name in it is not: {line!r}. Rename that "
            "file (convmv does so for many)"
        ) from error


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""A table as CSV: commas, `\n`, quotes only where needed, numbers in full, "" for none.

    >>> csv_text(("ID", "p"), [("a.png", 0.1), (" b\rc.png", None)])
    'ID,p\na.png,0.1\n" b\rc.png",\n'
    """
    return _lines((header, *rows))


def _lines(rows: Iterable[Sequence[Any]]) -> str:
    lines = [",".join(map(_field, map(_text, row))) for row in rows]
    return "".join((line or '""') + "\n" for line in lines)


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _texts(column: pd.Series) -> list[str]:
    # `tolist` makes float32 a float64 with digits that mean nothing
    values = column.to_numpy() if column.dtype == np.float32 else column.tolist()
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return ""
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return str(value)
