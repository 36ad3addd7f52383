"""Slide and patient of each cell, by the table of predictions or by another."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buffycoat.cells import manifest_error
from buffycoat.evaluate.counted_cells import groups_of
from buffycoat.notes import tell
from buffycoat.serve.places import Place
from buffycoat.tables import known_name, read_rows

SLIDE, PATIENT = "slide_id", "patient_id"


@dataclass(frozen=True)
class Table:
    """Predictions as they were read.

    Attributes:
        path: Of the table.
        names: IDs of the cells, in its order.
        rows: ID -> its row.
        places: ID -> where its picture is.
    """

    path: Path
    names: Sequence[str]
    rows: Mapping[str, Mapping[str, str]]
    places: Mapping[str, Place]

    def column(self, of: Path | None, name: str) -> dict[str, str]:
        """A column of a table whose IDs are the cells or their fields, by cell."""
        fields = [
            self.rows[cell].get("field") or self.places[cell].field.get("name", "")
            for cell in self.names
        ]
        known = fields if all(fields) else None
        found = groups_of(self.path, of, name, list(self.names), known)
        return dict(zip(self.names, found, strict=True))


def slides_of(
    table: Table, groups: Path | None, by: str | None
) -> dict[str, tuple[str, str | None]]:
    """Slide and patient of each cell; a slide with cells of several patients has none.

    Args:
        table: The predictions.
        groups: Another table with the column `by` and, if known, `patient_id`.
        by: As in `predictions.read`.

    Raises:
        ManifestError: A column is missing, or a cell has no slide.
    """
    slides, patients = _slides(table, groups, by), _patients(table, groups)
    known: dict[str, set[str | None]] = {}
    for cell, slide in slides.items():
        known.setdefault(slide, set()).add(patients[cell])
    mixed = [slide for slide, of in known.items() if len(of) > 1]
    if mixed:
        told = f"{len(mixed)} slides have cells of several patients, the first {mixed[0]!r}"
        tell(table.path, f"{told}: their reports name none")
    return {
        cell: (slide, None if len(known[slide]) > 1 else patients[cell])
        for cell, slide in slides.items()
    }


def _slides(table: Table, groups: Path | None, by: str | None) -> dict[str, str]:
    if groups is not None or by is not None:
        return table.column(groups, by or SLIDE)
    header = next(iter(table.rows.values()))
    column = next((name for name in (SLIDE, PATIENT) if name in header), None)
    if column is not None:
        found = {cell: known_name(table.rows[cell][column]) for cell in table.names}
        missing = [cell for cell, slide in found.items() if slide is None]
        if missing:
            fault = f"{len(missing)} cells have no {column}, the first {missing[0]!r}"
            raise manifest_error(str(table.path), [fault])
        return {cell: slide for cell, slide in found.items() if slide is not None}
    folders = {
        cell: os.path.dirname(table.places[cell].field.get("name", "")) for cell in table.names
    }
    return {cell: folder or table.path.stem for cell, folder in folders.items()}


def _patients(table: Table, groups: Path | None) -> dict[str, str | None]:
    """By the table of groups if it has the column, else by the predictions."""
    if groups is not None and PATIENT in read_rows(groups).header:
        return {**table.column(groups, PATIENT)}
    return {cell: known_name(table.rows[cell].get(PATIENT, "")) for cell in table.names}
