"""The figures of a report, each from rows of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from buffycoat.evaluate.differential import Percent
from buffycoat.exchange.geojson import colour_of
from buffycoat.report import svg
from buffycoat.report.cell_map import cell_map
from buffycoat.report.differential_plot import Bar, differential_bars
from buffycoat.report.interval_plot import Dot, dot_of, interval_plot, interval_plots
from buffycoat.report.line_plots import (
    abstention_plot,
    precision_recall_panel,
    reliability_diagram,
)
from buffycoat.report.records import MapPoint
from buffycoat.report.score_rows import class_rows
from buffycoat.report.tables import Table
from buffycoat.report.wording import number

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]


def build_figures(
    shown: Rows, tables: Mapping[str, Table], points: Sequence[MapPoint], codes: Sequence[str]
) -> dict[str, Any]:
    """Name -> figure of the first split; None where there is nothing to draw.

    Args:
        shown: Table -> its rows of the first split.
        tables: All of them.
        points: The map of embeddings.
        codes: Classes, in an order that gives each its colour.
    """
    return {
        "map": cell_map("map", points, _colours(codes)) if points else None,
        "differential": _differential(shown["differential"]),
        "classes": _plot("classes", "F1 of each class", "F1", _class_dots(shown["classes"])),
        "panels": [
            (row, _panel(f"curve-{number}", row, points_of))
            for number, row in enumerate(shown["classes"])
            if (points_of := [p for p in shown["curves"] if p["code"] == row["code"]])
        ],
        "severity": _severity(shown["strata"]),
        "bands": _bands(shown["strata"]),
        "reliability": _reliability(shown["reliability"]),
        "sets": _sets(shown["label_sets"]),
        "abstention": _abstention(shown["abstention"]),
        "ablation": _ablation(tables["ablation"].rows),
    }


def _colours(codes: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Class -> colour, as on overlays of fields."""
    found = {code: colour_of(code, codes) for code in codes}
    return {code: (red, green, blue) for code, (red, green, blue) in found.items()}


def _plot(
    name: str, title: str, axis: str, dots: list[Dot], wanted: float | None = None
) -> Markup | None:
    return interval_plots(name, title, dots, axis, wanted) if dots else None


def _differential(rows: Sequence[Row]) -> Markup:
    """What is predicted as bars, with what the labels say as diamonds."""
    bars = [
        Bar(
            f"{row['name']} {row['code']}",
            _percent(row, "predicted"),
            other=_percent(row, "labelled"),
            text=f"{row['predicted_percent']:.1f} (labels {row['labelled_percent']:.1f})",
        )
        for row in rows
        if row["predicted_cells"] or row["labelled_cells"]
    ]
    title = "Differential: percent of the cells as predicted, and by the labels"
    return differential_bars("differential", title, bars)


def _percent(row: Row, name: str) -> Percent:
    value, low, high = (row[f"{name}_percent{end}"] for end in ("", "_low", "_high"))
    return Percent(value, low, high)


def class_picture(record: Row) -> str:
    """F1 of each class with its interval, as the text of an .svg file.

    Args:
        record: Of `evaluate.summary.evaluate`.
    """
    dots = _class_dots(class_rows({"all": record}))
    said = "; ".join(f"{dot.label}: {dot.text}" for dot in dots)
    return svg.alone(interval_plot(dots, "F1"), "classes", "F1 of each class", said)


def _class_dots(rows: Sequence[Row]) -> list[Dot]:
    return [
        dot_of(
            row, "f1", f"{row['name']} {row['code']}", "tail" if row["band"] == "tail" else "main"
        )
        for row in rows
        if row["n"]
    ]


def _panel(name: str, row: Row, points: Sequence[Row]) -> Markup:
    said = (
        f"Average precision {number(row['average_precision'], 2)}; as labelled, sensitivity "
        f"{number(row['sensitivity'], 2)} and precision {number(row['precision'], 2)}."
    )
    title = f"Precision against sensitivity of {row['name']}"
    return svg.inline(precision_recall_panel(row, points), name, title, said)


def _severity(rows: Sequence[Row]) -> Markup | None:
    title = "Balanced macro-F1 at each severity of degradation"
    dots = [
        dot_of(row, "macro_f1", _severity_label(row))
        for row in rows
        if row["band"] == "all" != row["severity"]
    ]
    return _plot("severity", title, "balanced macro-F1", dots)


def _severity_label(row: Row) -> str:
    pristine = " (pristine)" if row["severity"] == "0" else ""
    return f"severity {row['severity']}{pristine}, n = {row['n']:,}"


def _bands(rows: Sequence[Row]) -> Markup | None:
    dots = [
        dot_of(
            row, "macro_f1", f"{row['band']}, {row['classes']} classes, n = {row['n']:,}",
            "tail" if row["band"] == "tail" else "main",
        )
        for row in rows
        if row["severity"] == "all"
    ]  # fmt: skip
    return _plot("bands", "Mean F1 of frequent, less frequent and rare classes", "mean F1", dots)


def _reliability(bins: Sequence[Row]) -> Markup | None:
    if not bins:
        return None
    said = "; ".join(
        f"said {number(b['confidence'], 2)}, right {number(b['frequency'], 2)}" for b in bins
    )
    title = "Reliability: stated probability against the share that was right"
    return svg.inline(reliability_diagram(bins), "reliability", title, said)


def _sets(rows: Sequence[Row]) -> Markup | None:
    dots = [dot_of(row, "coverage", f"{row['code']}, n = {row['n']:,}") for row in rows]
    wanted = next((row["wanted"] for row in rows), None)
    return _plot(
        "sets", "Observed coverage of each class's prediction sets", "coverage", dots, wanted
    )


def _abstention(rows: Sequence[Row]) -> Markup | None:
    if not rows:
        return None
    said = "; ".join(
        f"{100 * row['share_kept']:.0f} % kept: {number(row['balanced_macro_f1'], 2)}, least "
        f"class {number(row['least_share_of_a_class'], 2)}"
        for row in rows
    )
    title = "Balanced macro-F1 of the surest cells"
    return svg.inline(abstention_plot(rows), "abstention", title, said)


def _ablation(rows: Sequence[Row]) -> Markup | None:
    dots = [
        dot_of(row, "balanced_macro_f1", row["row"], "main" if row["is_used"] else "muted")
        for row in rows
    ]
    title = "Balanced macro-F1 as stages are added"
    return _plot("ablation", title, "balanced macro-F1", dots)
