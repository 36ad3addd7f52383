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


def some_of(
    n: int, whole: int, noun: str, one: str = "", several: str = "", comma: str = ","
) -> str:
    """Some of several, with a verb that fits.

    >>> some_of(1, 4, "cell", "needs", "need"), some_of(1, 1, "cell"), some_of(2, 3, "cell")
    ('1 of 4 cells needs', '1 of 1 cell', '2 of 3 cells')

    Args:
        n: How many.
        whole: Of how many.
        noun: For one; "s" at its end makes several.
        one: Verb for one, if there is any.
        several: Verb for another number.
        comma: As in `counted`.
    """
    verb = one if n == 1 else several
    some = f"{n:,}".replace(",", comma)
    return f"{some} of {counted(whole, noun, comma=comma)}" + (f" {verb}" if verb else "")


def missing_columns(names: Sequence[str]) -> str:
    """What a table lacks.

    >>> missing_columns(["ID"]), missing_columns(["ID", "label"])
    ("column 'ID' is missing", "columns 'ID', 'label' are missing")

    Args:
        names: Of the columns, at least one.
    """
    listed = ", ".join(map(repr, names))
    return f"column {listed} is missing" if len(names) == 1 else f"columns {listed} are missing"
