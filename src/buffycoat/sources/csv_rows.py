"""Rows of a CSV file as text, with the line that each stands on."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from buffycoat.errors import ManifestError


def read_csv(path: Path, columns: Collection[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file, as text.

    Args:
        path: A CSV file in UTF-8 with a header.
        columns: Columns that it must have.

    Returns:
        For each row that is not blank, its line in the file and column -> text without the
        spaces around it. Columns without a name are left out.

    Raises:
        ManifestError: Not readable, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, [text.strip() for text in line]) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: not a readable CSV file in UTF-8 ({error})") from error
    header = lines[0][1] if lines else []
    missing = [column for column in columns if column not in header]
    if missing:
        raise ManifestError(
            f"{path.name}: column {', '.join(map(repr, missing))} is missing; "
            f"it has {', '.join(filter(None, header)) or 'none'}"
        )
    return [
        (number, {key: text for key, text in zip(header, line, strict=False) if key})
        for number, line in lines[1:]
        if any(line)
    ]
