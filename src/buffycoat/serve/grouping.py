"""Slide and patient of each cell, by the table of predictions or by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buffycoat.cells import manifest_error
from buffycoat.evaluate.counted_cells import PATIENT, group_cells, known_groups_of
from buffycoat.exchange.differential_report import is_carried
from buffycoat.notes import tell
from buffycoat.serve.places import Place
from buffycoat.tables import known_name, read_rows


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

    @property
    def fields(self) -> list[str] | None:
        """Field of each cell, if that of all is known, shape (n,)."""
        found = [
            self.rows[cell].get("field") or self.places[cell].field.get("name", "")
            for cell in self.names
        ]
        return found if all(found) else None


def slides_of(
    table: Table, groups: Path | None, by: str | None
) -> dict[str, tuple[str, str | None]]:
    """Slide and patient of each cell; a slide with cells of several patients has none.

    Args:
        table: The predictions.
        groups: Another table with the column `by` and, if known, `patient_id`.
        by: As in `predictions.read`.

    Raises:
        ManifestError: A column is missing, a cell has no slide, or no report could carry a name.
    """
    slides, patients = _slides(table, groups, by), _patients(table, groups)
    names = dict.fromkeys((*slides.values(), *filter(None, patients.values())))
    odd = [name for name in names if not is_carried(name)]
    if odd:
        fault = f"slide or patient {odd[0]!r} has a control character, which no report can carry"
        raise manifest_error(str(groups or table.path), [fault])
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
    found = group_cells(table.path, groups, by, list(table.names), table.fields)
    tell(table.path, found.note)
    return dict(zip(table.names, found.names, strict=True))


def _patients(table: Table, groups: Path | None) -> dict[str, str | None]:
    """By the table of groups if it has the column, else by the predictions."""
    if groups is not None and PATIENT in read_rows(groups).header:
        names = known_groups_of(table.path, groups, PATIENT, list(table.names), table.fields)
        return dict(zip(table.names, names, strict=True))
    return {cell: known_name(table.rows[cell].get(PATIENT, "")) for cell in table.names}
