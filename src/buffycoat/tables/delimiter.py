"""What stands between the fields of a text table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from itertools import islice

from buffycoat.tables.names import IMAGE_SUFFIX

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
"""Tried in this order; spaces last, and only where every line has as many words."""
_RECORDS = 200
"""Records that the choice is made by."""
_DIRECTIVE = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)
"""First line by which Excel is told the delimiter."""


def records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Records of a text table, each with the line that it begins at.

    Args:
        text: With the ends of lines as they stand in the file.
        delimiter: One character.

    Raises:
        csv.Error: A quote is not closed, or text stands behind a closed one.
    """
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    begin = 1
    for fields in reader:
        yield begin, fields
        begin = reader.line_num + 1


def split_directive(text: str) -> tuple[str | None, str]:
    """The delimiter that Excel's first line `sep=;` names, if there is one, and the table."""
    found = _DIRECTIVE.match(text)
    return (found[1], text[found.end() :]) if found else (None, text)


def find_delimiter(text: str, wanted: Collection[str]) -> str:
    """The delimiter that gives the columns wanted, or as many fields in the rows as in the header.

    Args:
        text: The table.
        wanted: Columns that it should have.

    Returns:
        A key of `DELIMITERS`; a comma where the table has one column.
    """
    scores = {mark: _score(text, mark, wanted) for mark in DELIMITERS if mark != " "}
    best = max(scores, key=lambda mark: scores[mark])  # the first of equals
    if any(scores[best]):
        return best
    return " " if _is_spaced(text) else ","


def _is_spaced(text: str) -> bool:
    """Whether every line has as many words, or one more than the header: R's row numbers."""
    try:
        found = [fields for _, fields in islice(records(text, " "), _RECORDS)]
    except csv.Error:
        return False
    words = [[*filter(None, fields)] for fields in found if any(fields)]
    sizes = [len(fields) for fields in words]
    if len(sizes) < 2 or sizes[1] < 2 or len({*sizes[1:]}) > 1:
        return False
    has_row_numbers = all(fields[0] == str(n) for n, fields in enumerate(words[1:], 1))
    is_cut = any(IMAGE_SUFFIX.search(word) for line in words[1:] for word in line[1:])
    if is_cut and not has_row_numbers:
        return False  # names of pictures that have a space in them
    return sizes[1] == sizes[0] or (sizes[1] == sizes[0] + 1 and has_row_numbers)


def _score(text: str, delimiter: str, wanted: Collection[str]) -> tuple[bool, float, int]:
    """Whether it gives the columns wanted, the share of rows that fit the header, its fields."""
    try:
        found = [fields for _, fields in islice(records(text, delimiter), _RECORDS) if any(fields)]
    except csv.Error:
        return False, 0.0, 0
    header = [name.strip() for name in found[0]] if found else []
    if len(header) < 2:
        return False, 0.0, 0
    fit = sum(1 < len(fields) <= len(header) for fields in found) / len(found)
    return bool(wanted) and set(wanted) <= set(header), fit, len(header)
