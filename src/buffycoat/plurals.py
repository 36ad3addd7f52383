"""Numbers with their nouns, for messages."""

from __future__ import annotations

from collections.abc import Sequence


def counted(n: int, noun: str, several: str = "", comma: str = ",") -> str:
    """A number and what it counts.

    >>> counted(1, "cell"), counted(1200, "cell"), counted(2, "copy", "copies")
    ('1 cell', '1,200 cells', '2 copies')

    Args:
        n: How many.
        noun: For one, of one or more words; "s" at its end makes several.
        several: For several, where that is another word.
        comma: Between thousands; "" in reports that others read: some take it for a decimal point.
    """
    return f"{n:,}".replace(",", comma) + f" {noun if n == 1 else several or f'{noun}s'}"


def missing_columns(names: Sequence[str]) -> str:
    """What a table lacks.

    >>> missing_columns(["ID"]), missing_columns(["ID", "label"])
    ("column 'ID' is missing", "columns 'ID', 'label' are missing")

    Args:
        names: Of the columns, at least one.
    """
    listed = ", ".join(map(repr, names))
    return f"column {listed} is missing" if len(names) == 1 else f"columns {listed} are missing"
