"""Which columns of predictions go into a CSV file."""

from __future__ import annotations

from collections.abc import Sequence

from buffycoat.errors import ConfigError
from buffycoat.optional import choose

AS_SUBMITTED = {"cell_id": "ID", "label": "labels"}
"""The first two columns of a CSV file, by WBCBench's names."""
DOUBT = ("probability", "conformal_set", "is_abstained", "reasons")
DEFAULT = "label"


def choose_columns(asked: str, has: Sequence[str]) -> list[str]:
    """The columns that a CSV file shall have.

    Args:
        asked: Names of columns or of groups of them, separated by commas: "label", "doubt", "all".
        has: Columns of the table of predictions.

    Returns:
        Names in the table of predictions, each once: cell and label, then the others as asked.

    Raises:
        ConfigError: A name that is none of these; the message gives the nearest and all options.
    """
    names: dict[str, Sequence[str]] = {DEFAULT: (), "doubt": DOUBT, "all": has}
    names |= {name: (name,) for name in has}
    names |= {stated: () for stated in AS_SUBMITTED.values()}
    parts = [part.strip() for part in asked.split(",")]
    if not any(parts):
        raise ConfigError(f"--columns {asked!r} names no column. Options: {', '.join(names)}")
    found = [name for part in parts if part for name in choose(names, part, "column in --columns")]
    return list(dict.fromkeys([*AS_SUBMITTED, *found]))
