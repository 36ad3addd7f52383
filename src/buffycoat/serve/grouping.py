"""Slide and patient of each cell, by the table of predictions or by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buffycoat.cells import manifest_error
from buffycoat.evaluate.counted_cells import PATIENT, group_cells, known_groups_of
from buffycoat.exchange.differential_report import is_carried
from buffycoat.notes import tell
from buffycoat.plurals import counted
from buffycoat.serve.places import Place
from buffycoat.tables import Rows, known_name, read_rows


@dataclass(frozen=True)
class Table:
    """Predictions as they were read.

    Attributes:
        rows: Of the table.
        names: IDs of the cells, in its order.
        of_cell: ID -> its row.
        places: ID -> where its picture is.
    """

    rows: Rows
    names: Sequence[str]
    of_cell: Mapping[str, Mapping[str, str]]
    places: Mapping[str, Place]

    @property
    def fields(self) -> list[str] | None:
        """Field of each cell, if that of all is known, shape (n,)."""
        found = [
            self.of_cell[cell].get("field") or self.places[cell].field.get("name", "")
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
    named = None if groups is None else read_rows(groups)
    slides, patients = _slides(table, named, by), _patients(table, named)
    names = dict.fromkeys((*slides.values(), *filter(None, patients.values())))
    odd = [name for name in names if not is_carried(name)]
    if odd:
        fault = f"slide or patient {odd[0]!r} has a control character, which no report can carry"
        raise manifest_error(str(groups or table.rows.path), [fault])
    known: dict[str, set[str | None]] = {}
    for cell, slide in slides.items():
        known.setdefault(slide, set()).add(patients[cell])
    mixed = [slide for slide, of in known.items() if len(of) > 1]
    if mixed:
        told = counted(len(mixed), "slide has", "slides have")
        whose = "its report names" if len(mixed) == 1 else "their reports name"
        tell(
            table.rows.path,
            f"{told} cells of several patients, the first {mixed[0]!r}: {whose} none",
        )
    return {
        cell: (slide, None if len(known[slide]) > 1 else patients[cell])
        for cell, slide in slides.items()
    }


def _slides(table: Table, groups: Rows | None, by: str | None) -> dict[str, str]:
    found = group_cells(table.rows, groups, by, list(table.names), table.fields)
    tell(table.rows.path, found.note)
    return dict(zip(table.names, found.names, strict=True))


def _patients(table: Table, groups: Rows | None) -> dict[str, str | None]:
    """By the table of groups if it has the column, else by the predictions."""
    if groups is not None and PATIENT in groups.header:
        names = known_groups_of(table.rows, groups, PATIENT, list(table.names), table.fields)
        return dict(zip(table.names, names, strict=True))
    return {cell: known_name(table.of_cell[cell].get(PATIENT, "")) for cell in table.names}
