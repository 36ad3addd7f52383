"""One HTML page that opens offline, on any machine, with nothing beside it.

Tables and inline SVG only: no script, so nothing can run, load or phone home (the page's own
content policy forbids it), and a page of a thousand cells stays a few megabytes. All numbers on it
are rows of `tables.build_tables`; what is not in a table is not on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from buffycoat.errors import ShapeError
from buffycoat.images import write_atomic
from buffycoat.report import wording
from buffycoat.report.heat import ERROR_GAIN, heat_rows
from buffycoat.report.interval_plot import Dot, dot_of, interval_plots
from buffycoat.report.line_plots import (
    abstention_plot,
    precision_recall_panel,
    reliability_diagram,
)
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE, ReportData
from buffycoat.report.tables import Table, build_tables, write_tables
from buffycoat.report.thumbs import lossless_uri, photo_uri

SECTIONS = {
    "summary": "Summary",
    "classes": "Classes",
    "curves": "Precision and sensitivity",
    "confusions": "Confusions",
    "strata": "Degraded and rare",
    "calibration": "Calibration",
    "doubt": "Label sets and abstention",
    "stages": "Stages, one by one",
    "doubtful": "Doubtful cells",
    "rescued": "Rescued cells",
    "restored": "Restored cells",
    "examples": "Surest cells",
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
        record=record,
        shown=shown,
        notice=NOT_A_MEDICAL_DEVICE,
        sentences=[*data.summary, *wording.sentences(split, record)],
        heat=heat_rows(shown["confusion"], len(record["codes"])),
        error_gain=ERROR_GAIN,
        shown_cells=SHOWN_CELLS,
        shown_pairs=SHOWN_PAIRS,
        figures=_figures(shown, tables),
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
        "lossless": lossless_uri,
    }
    return environment


def _has_split(table: Table) -> bool:
    return not table.rows or "split" in table.rows[0]


def _figures(shown: Mapping[str, Any], tables: Mapping[str, Table]) -> dict[str, Any]:
    """Name -> figure of the first split; None where there is nothing to draw."""
    classes, strata = shown["classes"], shown["strata"]
    return {
        "classes": _plot("classes", "F1 of each class", "F1", _class_dots(classes, "f1")),
        "panels": [
            (row, precision_recall_panel(f"curve-{number}", row, points))
            for number, row in enumerate(classes)
            if (points := [p for p in shown["curves"] if p["code"] == row["code"]])
        ],
        "severity": _plot(
            "severity", "Balanced macro-F1 at each severity of degradation", "balanced macro-F1",
            [dot_of(row, "macro_f1", _severity_label(row)) for row in strata
             if row["band"] == "all" != row["severity"]],
        ),
        "bands": _plot(
            "bands", "Mean F1 of frequent, less frequent and rare classes", "mean F1",
            [dot_of(row, "macro_f1", f"{row['band']}, {row['classes']} classes, n = {row['n']:,}",
                    "tail" if row["band"] == "tail" else "main")
             for row in strata if row["severity"] == "all"],
        ),
        "reliability": reliability_diagram("reliability", shown["reliability"])
        if shown["reliability"] else None,
        "sets": _plot(
            "sets", "Share of each class's cells whose label set holds the truth", "coverage",
            [dot_of(row, "coverage", f"{row['code']}, n = {row['n']:,}")
             for row in shown["label_sets"]],
            next((row["wanted"] for row in shown["label_sets"]), None),
        ),
        "abstention": abstention_plot("abstention", shown["abstention"])
        if shown["abstention"] else None,
        "ablation": _plot(
            "ablation", "Balanced macro-F1 as stages are added", "balanced macro-F1",
            [dot_of(row, "balanced_macro_f1", row["row"], "main" if row["is_used"] else "muted")
             for row in tables["ablation"].rows],
        ),
    }  # fmt: skip


def _plot(
    name: str, title: str, axis: str, dots: list[Dot], wanted: float | None = None
) -> Markup | None:
    return interval_plots(name, title, dots, axis, wanted) if dots else None


def _class_dots(rows: list[Mapping[str, Any]], column: str) -> list[Dot]:
    return [
        dot_of(
            row, column, f"{row['name']} {row['code']}", "tail" if row["band"] == "tail" else "main"
        )
        for row in rows
        if row["n"]
    ]


def _severity_label(row: Mapping[str, Any]) -> str:
    pristine = " (pristine)" if row["severity"] == "0" else ""
    return f"severity {row['severity']}{pristine}, n = {row['n']:,}"
