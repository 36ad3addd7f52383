"""One HTML page that opens offline, on any machine, with nothing beside it.

Tables and inline SVG only: no script, so nothing can run, load or phone home (the page's own
content policy forbids it), and a page of a thousand cells stays a few megabytes. All numbers on it
are rows of `tables.build_tables`; what is not in a table is not on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from buffycoat.errors import ShapeError
from buffycoat.images import write_atomic
from buffycoat.report import wording
from buffycoat.report.heat import ERROR_GAIN, heat_rows
from buffycoat.report.page_figures import build_figures
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE, ExampleCell, ReportData
from buffycoat.report.tables import Table, build_tables, write_tables
from buffycoat.report.thumbs import chip_uri, lossless_uri, photo_uri

SECTIONS = {
    "summary": "Summary",
    "map": "Map of the cells",
    "confusions": "Confusions",
    "examples": "Cells of each class",
    "differential": "Differential",
    "classes": "Classes",
    "findings": "In words",
    "curves": "Precision and sensitivity",
    "strata": "Degraded and rare",
    "calibration": "Calibration",
    "doubt": "Prediction sets and abstention",
    "doubtful": "Doubtful cells",
    "rescued": "Rescued cells",
    "restored": "Restored cells",
    "stages": "Stages, one by one",
    "audit": "Audit of the data",
    "metrics": "All scores",
    "limits": "Limits of use",
    "provenance": "Provenance",
}
"""Anchor -> heading, in the order of the page; each has its template."""
SHOWN_CELLS = 24
"""Doubtful or rescued cells with a picture; the tables have all."""
SHOWN_PAIRS = 16


def write_report(path: Path, data: ReportData) -> Path:
    """Write the page, and its tables in a folder beside it.

    Args:
        path: The .html file to write, whole or not at all.
        data: What it shows.

    Returns:
        The folder of the tables.

    Raises:
        OutputError: It cannot be written.
        ShapeError: An image is not (h, w, 3) uint8.
    """
    tables = build_tables(data)
    folder = tables_folder(path)
    text = render(data, tables, folder.name)
    write_tables(folder, tables)
    write_atomic(path, text.encode("utf-8"))
    return folder


def tables_folder(page: Path) -> Path:
    """`tables` beside a `report.html`, `NAME-tables` beside any other page."""
    return page.with_name("tables" if page.stem == "report" else f"{page.stem}-tables")


def render(
    data: ReportData, tables: Mapping[str, Table] | None = None, folder: str = "tables"
) -> str:
    """The page as text; all of the data's words are escaped.

    Args:
        data: What it shows.
        tables: From `build_tables`, if they are made already.
        folder: Of the tables, as the page names it.
    """
    if not data.evaluations:
        raise ShapeError("evaluations: expected at least one split, got none")
    tables = tables or build_tables(data)
    split, record = next(iter(data.evaluations.items()))
    shown = {name: table.of(split=split) for name, table in tables.items() if _has_split(table)}
    return _environment().get_template("page.html.jinja").render(
        data=data,
        tables=tables,
        folder=folder,
        sections=SECTIONS,
        split=split,
        where=wording.where(split),
        record=record,
        shown=shown,
        notice=NOT_A_MEDICAL_DEVICE,
        verdict=wording.verdict(split, record, data.cells.n, len(data.cells.doubtful)),
        sentences=[*data.summary, *wording.sentences(split, record)],
        confused=grouped(data.cells.confused, lambda cell: (cell.true, cell.predicted)),
        sheets=grouped(data.cells.examples, lambda cell: cell.true),
        heat=heat_rows(shown["confusion"], len(record["codes"])),
        error_gain=ERROR_GAIN,
        shown_cells=SHOWN_CELLS,
        shown_pairs=SHOWN_PAIRS,
        figures=build_figures(shown, tables, data.points, record["codes"]),
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("buffycoat.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": wording.number,
        "count": wording.count,
        "percent": wording.percent,
        "span": wording.span,
        "signed": wording.signed,
        "without_verdict": wording.without_verdict,
        "photo": photo_uri,
        "chip": chip_uri,
        "lossless": lossless_uri,
    }
    return environment


def _has_split(table: Table) -> bool:
    return not table.rows or "split" in table.rows[0]


def grouped(
    cells: Sequence[ExampleCell], key: Callable[[ExampleCell], Hashable]
) -> list[tuple[Any, list[ExampleCell]]]:
    """Cells by a key, keys and cells in the order in which they first come."""
    found: dict[Any, list[ExampleCell]] = {}
    for cell in cells:
        found.setdefault(key(cell), []).append(cell)
    return [*found.items()]
