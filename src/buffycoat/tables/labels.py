"""Tables of labels that people hand over beside the cells, by ID."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from buffycoat import taxonomy as taxonomies
from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.notes import tell
from buffycoat.tables.columns import OWN_IDS, OWN_LABELS, find_ids, find_labels
from buffycoat.tables.names import join_names
from buffycoat.tables.read import read_rows
from buffycoat.tables.rows import Rows
from buffycoat.taxonomy.built_in import for_reading

_SHOWN = 12
"""Spellings of labels that the line about them lists."""


def read_labels(
    path: Path,
    taxonomy: str = "auto",
    known: Collection[str] = (),
    id_column: str | None = None,
    label_column: str | None = None,
) -> dict[str, str]:
    """ID -> code of the true label; every row must have both.

    Which columns were read, and labels in other spellings than their codes, are told: `notes.tell`.

    Args:
        path: A table of any make; see `tables.read_rows`.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.
        known: The cells' names, which decide between several columns that may be IDs.
        id_column: The column of IDs, if a person has named it.
        label_column: The column of labels, likewise.

    Returns:
        Codes of classes and groups; a label that means neither as it stands.

    Raises:
        ManifestError: Lists every fault with its line.
    """
    rows = read_rows(path)
    if any(name.startswith("prob_") for name in rows.header):
        raise ManifestError(
            f"{path}: holds predictions (columns prob_...); give a table of true labels"
        )
    ids = find_ids(rows, id_column, known)
    column, labels = find_labels(rows, label_column, for_reading(taxonomy).spelling)
    told = [f"IDs from column {ids!r}"] if ids not in OWN_IDS else []
    if column not in OWN_LABELS:
        source = f"column {column!r}" if column else "one column a class"
        told.append(f"labels from {source}")
    tell(path, *rows.notes, *([", ".join(told)] if told else []))
    return unique(path, rows, rows.column(ids), as_codes(path, labels, taxonomy))


def as_codes(path: Path, labels: Sequence[str], taxonomy: str = "auto") -> list[str]:
    """Labels as codes, shape (n,); what was read in another spelling is told."""
    codes = taxonomies.read_labels([text for text in labels if text], taxonomy)
    counts = Counter(labels)
    numbers = [text for text in codes if codes[text] == text and text.isdecimal()]
    if numbers and len(numbers) == len(codes) and taxonomy == "auto":
        raise ManifestError(
            f"{path}: its labels are numbers ({', '.join(numbers[:5])}), and it gives no names for "
            "them. Write the classes' names, or name your taxonomy file, with the numbers as "
            "aliases, by --taxonomy"
        )
    other = [text for text in codes if codes[text] != text]
    if other:
        shown = ", ".join(f"{t} -> {codes[t]} ({counts[t]})" for t in other[:_SHOWN])
        more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
        tell(path, f"labels read as: {shown}{more}")
    return [codes.get(text, "") for text in labels]


def unique(
    path: Path, rows: Rows, cell_ids: Sequence[str], labels: Sequence[str]
) -> dict[str, str]:
    """ID -> label, once a cell and with both.

    Raises:
        ManifestError: Lists every row that lacks one or is there twice.
    """
    found: dict[str, str] = {}
    faults = [] if rows.rows else ["the table has no rows"]
    for where, cell_id, label in zip(rows.places, cell_ids, labels, strict=True):
        if not cell_id:
            faults.append(f"{where}: ID is empty")
        elif cell_id in found:
            faults.append(f"{where}: ID {cell_id!r} is used twice")
        if not label:
            faults.append(f"{where}: label of {cell_id!r} is empty")
        found[cell_id] = label
    if faults:
        raise manifest_error(str(path), faults)
    return found


def join(
    path: Path, given: Mapping[str, str], known: Collection[str], other: str, lack: str
) -> tuple[dict[str, str], list[str]]:
    """A table by the known names of its cells; how they were found is told if not exactly.

    Args:
        path: The table.
        given: ID -> value.
        known: Names of the cells.
        other: What holds the known names, for messages.
        lack: What is said of an ID that is none of them.

    Returns:
        Known name -> value, in the table's order; and the faults: one for each ID that is none of
        them or may be several.

    Raises:
        ManifestError: No ID is a name of a cell.
    """
    joined = join_names(given, known)
    if not joined.known and not joined.doubtful:
        raise ManifestError(
            f"{path}: none of its IDs is in {other}; its first is {next(iter(given), '')!r}, there "
            f"it is {next(iter(known), '')!r}"
        )
    if joined.how:
        tell(path, f"IDs matched {joined.how}: {len(joined.known)} of {len(given)}")
    faults = [
        f"{path.name}: ID {name!r} may be {' or '.join(map(repr, names[:3]))}; give the names with "
        "their folders"
        for name, names in joined.doubtful.items()
    ]
    lost = [name for name in given if name not in joined.known and name not in joined.doubtful]
    faults += [f"ID {name!r} {lack}" for name in lost]
    return {joined.known[name]: given[name] for name in given if name in joined.known}, faults
