"""Which columns of predictions are wanted, and what cells are called in a CSV file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from buffycoat.errors import ConfigError, ManifestError
from buffycoat.optional import choose
from buffycoat.plurals import counted

AS_SUBMITTED = ("ID", "labels")
"""The first two columns of a CSV file, as WBCBench takes them: the picture's file name, and the
predicted class."""
DOUBT = ("probability", "conformal_set", "is_abstained", "reasons")
DEFAULT = "label"


def choose_columns(asked: str, has: Sequence[str]) -> list[str]:
    """The columns of predictions that are wanted beside cell and label.

    Args:
        asked: Names of columns or of groups of them, separated by commas: "label", "doubt", "all".
        has: Columns of the table of predictions.

    Returns:
        Names in the table of predictions, each once, as asked; `label` is not among them.

    Raises:
        ConfigError: A name that is none of these; the message gives the nearest and all options.
    """
    names: dict[str, Sequence[str]] = {DEFAULT: (), "doubt": DOUBT}
    names["all"] = [name for name in has if name != "label"]
    names |= {name: (name,) for name in has if name != "label"}
    names |= {stated: () for stated in AS_SUBMITTED}
    parts = [part.strip() for part in asked.split(",")]
    if not any(parts):
        raise ConfigError(f"columns {asked!r}: names no column. Options: {', '.join(names)}")
    found = [name for part in parts if part for name in choose(names, part, "column")]
    return list(dict.fromkeys(found))


def file_name(cell_id: str) -> str:
    """The last part of a cell's id: the name of its picture's file.

    >>> file_name("slide 7/0001.png")
    '0001.png'
    """
    return PurePosixPath(cell_id).name


def check_file_names(cell_ids: Iterable[str], columns: Sequence[str]) -> None:
    """Refuse a table in which two cells would have one name.

    Args:
        cell_ids: Of all cells.
        columns: From `choose_columns`; with `cell_id` among them cells are told apart.

    Raises:
        ManifestError: Two pictures in different folders have one name.
    """
    if "cell_id" in columns:
        return
    named = defaultdict(list)
    for cell_id in cell_ids:
        named[file_name(cell_id)].append(cell_id)
    double = {name: ids for name, ids in named.items() if len(ids) > 1}
    if double:
        name, ids = next(iter(double.items()))
        raise ManifestError(
            f"{counted(len(double), 'file name stands', 'file names stand')} for several cells, "
            f"such as {name!r} for {', '.join(ids[:3])}: column ID of a .csv is the file's "
            "name alone, as WBCBench takes it. Add --columns cell_id (the path of each cell), "
            "or write a .parquet"
        )
