"""Tables of what is known of cells beside their labels: severity, patient or slide, counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from buffycoat import taxonomy as taxonomies
from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.class_table import MIN_PATIENTS
from buffycoat.notes import tell
from buffycoat.plurals import counted
from buffycoat.tables import Rows, find_ids, join_names, known_name, read_rows, to_number
from buffycoat.tables.columns import OWN_IDS
from buffycoat.tables.labels import read_labels
from buffycoat.taxonomy import Taxonomy

DOUBT = "is_abstained"
TRUTH_VALUES = {"true": True, "1": True, "false": False, "0": False}


def read_severity(path: Path, cell_ids: list[str]) -> list[float]:
    """Severity of each cell from a table with a column `severity`; NaN where it has none.

    Raises:
        ManifestError: A column is missing, an ID is there twice, or a severity is not a number from
            0 to 4.
    """
    rows = read_rows(path, ("severity",))
    faults = []
    for place, text in zip(rows.places, rows.column("severity"), strict=True):
        if not 0 <= to_number(text) <= 4:
            faults.append(f"{place}: severity {text!r}, expected 0 to 4")
    known = by_cell(rows, cell_ids, faults)
    return [to_number(known.get(cell_id, {}).get("severity", "")) for cell_id in cell_ids]


def by_cell(
    rows: Rows, cell_ids: list[str], faults: Sequence[str] = ()
) -> dict[str, dict[str, str]]:
    """Name of a cell -> its row; rows of other cells are left out.

    Raises:
        ManifestError: With the faults given, and each ID that is there twice.
    """
    faults, column = list(faults), find_ids(rows, known=cell_ids)
    ids = rows.column(column)
    seen: set[str] = set()
    for place, cell_id in zip(rows.places, ids, strict=True):
        if cell_id in seen:
            faults.append(f"{place}: ID {cell_id!r} is used twice")
        seen.add(cell_id)
    if faults:
        raise manifest_error(str(rows.path), faults)
    joined = join_names(ids, cell_ids)
    if cell_ids and not joined.known and not joined.doubtful:
        faults.append(f"none of its IDs is one of the cells: {ids[:1]} is not like {cell_ids[:1]}")
    faults += [
        f"ID {name!r} may be {' or '.join(map(repr, names[:3]))}; give the names with their folders"
        for name, names in joined.doubtful.items()
    ]
    if faults:
        raise manifest_error(str(rows.path), faults)
    if joined.how:
        tell(rows.path, f"IDs matched {joined.how}: {len(joined.known)} of {len(ids)}")
    tell(rows.path, *rows.notes, "" if column in OWN_IDS else f"IDs from column {column!r}")
    return {
        joined.known[cell_id]: row
        for cell_id, (_, row) in zip(ids, rows, strict=True)
        if cell_id in joined.known
    }


def groups_in(rows: Rows, column: str, cell_ids: list[str]) -> list[str]:
    """Patient or slide of each cell.

    Args:
        rows: A table with a column of IDs and this one; other cells may be in it.
        column: Such as "patient_id".
        cell_ids: The cells, shape (n,).

    Returns:
        Shape (n,).

    Raises:
        ManifestError: A column is missing, an ID is there twice, or a cell has none: with some of
            the patients unknown, nothing can be said about patients.
    """
    return complete(rows.path, column, cell_ids, known_groups_in(rows, column, cell_ids))


def known_groups_in(rows: Rows, column: str, cell_ids: list[str]) -> list[str | None]:
    """As `groups_in`, but None for a cell that has none, shape (n,)."""
    rows.require((column,))
    known = by_cell(rows, cell_ids)
    return [known_name(known.get(cell_id, {}).get(column, "")) for cell_id in cell_ids]


def complete(
    path: Path, column: str, cell_ids: list[str], names: Sequence[str | None]
) -> list[str]:
    """Names of groups, which every cell must have, shape (n,).

    Raises:
        ManifestError: A cell has none.
    """
    missing = [cell_id for cell_id, name in zip(cell_ids, names, strict=True) if name is None]
    if missing:
        cells = f"{len(missing)} of {counted(len(cell_ids), 'cell')}"
        has = "has" if len(missing) == 1 else "have"
        fault = f"{cells} {has} no {column}, first {missing[0]!r}"
        raise manifest_error(str(path), [fault])
    return [name for name in names if name is not None]


def doubt_in(rows: Rows, cell_ids: list[str]) -> np.ndarray | None:
    """Whether a person should look at each cell, shape (n,), bool.

    Args:
        rows: Predictions, as `buffycoat predict` writes them.
        cell_ids: Cells that are in it.

    Returns:
        None where the predictions do not say: a plain `ID,labels`.

    Raises:
        ManifestError: A value is neither True nor False.
    """
    if DOUBT not in rows.header:
        return None
    faults = [
        f"{place}: {DOUBT} {text!r}, expected True or False"
        for place, text in zip(rows.places, rows.column(DOUBT), strict=True)
        if text.strip().lower() not in TRUTH_VALUES
    ]
    if faults:
        raise manifest_error(str(rows.path), faults)
    ids = rows.column(find_ids(rows, known=cell_ids))
    joined = join_names(ids, cell_ids)
    values = [TRUTH_VALUES[text.strip().lower()] for text in rows.column(DOUBT)]
    known = {joined.known[i]: v for i, v in zip(ids, values, strict=True) if i in joined.known}
    return np.array([known[cell_id] for cell_id in cell_ids], dtype=bool)


def read_patients(path: Path, cell_ids: list[str]) -> list[str]:
    """Patient of each cell, to resample patients whole; arguments as in `groups_in`.

    Raises:
        ManifestError: As `groups_in`, or there are too few patients for an interval.
    """
    patients = groups_in(read_rows(path), "patient_id", cell_ids)
    n = len(set(patients))
    if n < MIN_PATIENTS:
        raise ManifestError(
            f"{path}: cells of {counted(n, 'patient')}, and an interval over patients "
            f"needs {MIN_PATIENTS}. Leave --patients out: intervals are image-level then"
        )
    return patients


def read_train_counts(path: Path, taxonomy: str = "auto") -> Mapping[str, int]:
    """Training cells of each class.

    Args:
        path: The folder of a bundle, a JSON file `{"SNE": 946, ...}`, or the table of the training
            labels, whose rows are counted.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.

    Raises:
        ManifestError: It is none of these.
    """
    if path.is_file() and path.suffix.lower() != ".json":
        return Counter(read_labels(path, taxonomy).values())
    file = path / "bundle.json" if path.is_dir() else path
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ManifestError(
            f"{path}: expected a bundle, a JSON file of counts or a table of labels ({error})"
        ) from error
    counts = _bundle_counts(table) if path.is_dir() else table
    if not _is_counts(counts):
        raise ManifestError(f'{file}: expected counts such as {{"SNE": 946, "LY": 600}}')
    codes = taxonomies.read_labels(counts, taxonomy)
    total: Counter[str] = Counter()
    for label, count in counts.items():
        total[codes[label]] += count
    return total


def _is_counts(table: Any) -> TypeGuard[dict[str, int]]:
    if not isinstance(table, dict) or not table:
        return False
    return all(type(count) is int and count >= 0 for count in table.values())


def _bundle_counts(index: dict[str, Any]) -> dict[str, int] | None:
    """Code of a class or group -> training cells, from a bundle's index."""
    if "counts" not in index or "taxonomy" not in index:
        return None
    taxonomy = Taxonomy.from_dict(index["taxonomy"])
    stated = dict(zip(taxonomy.codes, index["counts"], strict=True))
    return stated | index.get("coarse_counts", {})
