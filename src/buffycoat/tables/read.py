"""Read a table of any make: CSV in the clothes that programs give it, or Parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.tables.columns import is_class_among, is_known_column
from buffycoat.tables.delimiter import DELIMITERS, find_delimiter, records, split_directive
from buffycoat.tables.names import IMAGE_SUFFIX
from buffycoat.tables.parquet import is_parquet, read_parquet
from buffycoat.tables.rows import Rows
from buffycoat.tables.text import read_text

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def read_rows(path: Path, columns: Collection[str] = ()) -> Rows:
    """Read a table: Parquet, or text with a header and any usual delimiter and encoding.

    Text in quotes is kept as it stands; text without them loses the spaces around it. So names of
    any characters come back as `write_csv` wrote them.

    Args:
        path: The file; its content decides, not its suffix.
        columns: Columns that it must have.

    Raises:
        ManifestError: Not readable, no table (what it is, is named), no header, a row with more
            fields than the header, or a column is missing.
    """
    rows = read_parquet(path) if is_parquet(path) else _read_csv(path, columns)
    rows.require(columns)
    return rows


def _read_csv(path: Path, columns: Collection[str]) -> Rows:
    text, encoding = read_text(path)
    named, text = split_directive(text)
    delimiter = named or find_delimiter(text, columns)
    shift = 0 if named is None else 1
    try:
        lines = [(begin + shift, fields) for begin, fields in records(text, delimiter)]
    except csv.Error as error:
        raise ManifestError(f"{path}: not a readable CSV file ({error})") from error
    exact = _edged(text)
    table = [
        (number, [field if field in exact else field.strip() for field in fields])
        for number, fields in lines
        if any(field.strip() or field in exact for field in fields)
    ]
    if not table:
        raise ManifestError(f"{path}: the file is empty: no header and no rows")
    header = [field.strip() for field in table[0][1]]
    notes = _encoding_notes(path, encoding, text)
    table, repeated = _without_repeats(table, header)
    notes += [f"{path.name} line {n}: repeats the names of the columns; skipped" for n in repeated]
    header = _with_row_names(header, table)
    _check(path, header, table, delimiter)
    names = tuple(filter(None, header))
    rows = tuple((number, _named(header, fields)) for number, fields in table)
    return Rows(path, names, rows, "line", tuple(notes), delimiter, encoding)


def _edged(text: str) -> set[str]:
    """Quoted texts with spaces at an end, as they stand between their quotes."""
    quoted = (found[1].replace('""', '"') for found in _QUOTED.finditer(text))
    return {inner for inner in quoted if inner != inner.strip()}


def _encoding_notes(path: Path, encoding: str, text: str) -> list[str]:
    if encoding in _UNICODE:
        return []
    number, line = next(
        (number, line) for number, line in enumerate(text.split("\n"), 1) if not line.isascii()
    )
    return [
        f"{path.name} is not in UTF-8 and was read as {encoding}, line {number} as "
        f"{line.strip()[:60]!r}; if that is wrong, save it as CSV UTF-8"
    ]


def _without_repeats(
    table: list[tuple[int, list[str]]], header: list[str]
) -> tuple[list[tuple[int, list[str]]], list[int]]:
    """Rows below the header, and the lines where it stands again, as where tables were joined."""
    below = table[1:]
    repeated = [number for number, fields in below if fields == header]
    return [(number, fields) for number, fields in below if fields != header], repeated


def _with_row_names(header: list[str], table: Sequence[tuple[int, list[str]]]) -> list[str]:
    """The header with a nameless column before it where R wrote row numbers without a name."""
    has_one_more = all(len(fields) == len(header) + 1 for _, fields in table)
    numbers = [fields[0] for _, fields in table]
    if table and has_one_more and numbers == [str(n) for n in range(1, len(table) + 1)]:
        return ["", *header]
    return header


def _check(
    path: Path, header: list[str], table: Sequence[tuple[int, list[str]]], delimiter: str
) -> None:
    """Refuse a table without a header, with a column twice, or with rows wider than the header."""
    recurs = any(
        name and any(name == fields[place] for _, fields in table if place < len(fields))
        for place, name in enumerate(header)
    )
    is_data = any(IMAGE_SUFFIX.search(name) for name in header) or (
        (recurs or is_class_among(header)) and not any(map(is_known_column, header))
    )
    if is_data:
        example = delimiter.join(("ID", "labels", "more", "further")[: max(len(header), 1)])
        raise ManifestError(
            f"{path}: its first line, {delimiter.join(header)[:80]!r}, is a row and does not name "
            f"the columns. Put a line above it that does, such as {example!r}"
        )
    double = sorted({name for name in header if name and header.count(name) > 1})
    faults = [f"column {name!r} is there twice; remove or rename one" for name in double]
    for number, fields in table:
        if any(fields[len(header) :]):
            faults.append(
                f"line {number}: {len(fields)} fields, but the header has {len(header)}, separated "
                f"by {DELIMITERS.get(delimiter, repr(delimiter))}; put a text that holds the "
                "separator in double quotes"
            )
    if faults:
        raise manifest_error(str(path), faults)


def _named(header: Sequence[str], fields: Sequence[str]) -> dict[str, str]:
    filled = [*fields, *[""] * (len(header) - len(fields))]
    return {name: text for name, text in zip(header, filled, strict=False) if name}
