"""Curves on a unit square: reliability, precision against recall, and what abstention gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from buffycoat.report import svg
from buffycoat.report.interval_plot import scale
from buffycoat.report.wording import number

Row = Mapping[str, Any]

SQUARE = svg.Frame(52, 12, 280, 280)
PANEL = svg.Frame(34, 8, 120, 120)
HALVES = (0.0, 0.5, 1.0)


def reliability_diagram(name: str, bins: Sequence[Row]) -> Markup:
    """Stated probability against how often it came true, one dot a bin of equal size.

    Args:
        name: Base of the ids.
        bins: Rows of the table `reliability`.
    """
    frame = SQUARE
    ticks = np.linspace(0, 1, 6).tolist()
    parts = frame.grid(ticks, ticks, ".1f")
    parts.append(svg.line(frame.x(0), frame.y(0), frame.x(1), frame.y(1), "ideal"))
    points = [(frame.x(b["confidence"]), frame.y(b["frequency"])) for b in bins]
    parts.append(svg.polyline(points, "curve"))
    for of, (x, y) in zip(bins, points, strict=True):
        numbers = {key: of[key] for key in ("confidence", "frequency")}
        parts.append(svg.marked(of["row"], numbers, [svg.marker(x, y, "main")]))
    parts += _axes(frame, "stated probability of the top class", "share that was right")
    said = "; ".join(
        f"said {number(b['confidence'], 2)}, right {number(b['frequency'], 2)}" for b in bins
    )
    title = "Reliability: stated probability against the share that was right"
    return Markup(svg.drawing(name, title, said, (346, 344), parts))


def precision_recall_panel(name: str, of_class: Row, points: Sequence[Row]) -> Markup:
    """The curve of one class, where the labels put it, and what chance would give.

    Args:
        name: Base of the ids.
        of_class: Row of the table `classes`.
        points: Rows of the table `curves` of this class.
    """
    frame = PANEL
    recall = [point["recall"] for point in points]
    precision = [point["precision"] for point in points]
    parts = frame.grid(HALVES, HALVES, ".1f")
    share = of_class["share_of_cells"]
    chance = svg.line(frame.x(0), frame.y(share), frame.x(1), frame.y(share), "ideal")
    curve = svg.polyline([(frame.x(r), frame.y(p)) for r, p in _stairs(recall, precision)], "curve")
    parts.append(svg.marked(of_class["row"], {"share_of_cells": share}, [chance]))
    path = f"{of_class['row']}/"
    parts.append(svg.marked(path, {"recall": recall, "precision": precision}, [curve]))
    at = {key: of_class[key] for key in ("sensitivity", "precision")}
    if all(isinstance(value, float) for value in at.values()):
        mark = svg.marker(frame.x(at["sensitivity"]), frame.y(at["precision"]), "tail")
        parts.append(svg.marked(of_class["row"], at, [mark]))
    said = (
        f"Average precision {number(of_class['average_precision'], 2)}; as labelled, sensitivity "
        f"{number(at['sensitivity'], 2)} and precision {number(at['precision'], 2)}."
    )
    title = f"Precision against sensitivity of {of_class['name']}"
    return Markup(svg.drawing(name, title, said, (162, 152), parts))


def abstention_plot(name: str, rows: Sequence[Row]) -> Markup:
    """Score of the surest cells, and what is left of the class that loses most.

    Args:
        name: Base of the ids.
        rows: Of the table `abstention`, from all cells down.
    """
    shares = [row["share_kept"] for row in rows]
    lines = ("balanced_macro_f1", "least_share_of_a_class")
    start, stop, step = scale([row[key] for row in rows for key in lines])
    frame = svg.Frame(52, 12, 280, 240, (1.0, min(*shares, 0.99)), (start, stop))
    ticks = np.arange(start, stop + step / 2, step).tolist()
    parts = frame.grid([x for x in np.arange(1, 0, -0.1) if x >= frame.x_range[1]], ticks, ".1f")
    score, least = (
        [(frame.x(row["share_kept"]), frame.y(row[key])) for row in rows] for key in lines
    )
    parts += [svg.polyline(least, "curve second"), svg.polyline(score, "curve")]
    for row, (x, y), (_, second) in zip(rows, score, least, strict=True):
        numbers = {key: row[key] for key in ("share_kept", *lines)}
        marks = [svg.square(x, second, "dot muted"), svg.marker(x, y, "main")]
        parts.append(svg.marked(row["row"], numbers, marks))
    parts += _axes(frame, "share of the cells that are kept", "score or share")
    said = "; ".join(
        f"{100 * row['share_kept']:.0f} % kept: {number(row['balanced_macro_f1'], 2)}, least "
        f"class {number(row['least_share_of_a_class'], 2)}"
        for row in rows
    )
    title = "Balanced macro-F1 of the surest cells"
    return Markup(svg.drawing(name, title, said, (346, 304), parts))


def _stairs(recall: Sequence[float], precision: Sequence[float]) -> list[tuple[float, float]]:
    """A precision holds for the step of recall that it was reached with, as its area counts it."""
    corners = []
    before = 0.0
    for r, p in zip(recall, precision, strict=True):
        corners += [(before, p), (r, p)]
        before = r
    return corners


def _axes(frame: svg.Frame, below: str, beside: str) -> list[str]:
    middle = frame.top + frame.height / 2
    return [
        svg.text(frame.left + frame.side / 2, frame.top + frame.height + 38, below, "axis"),
        svg.text(14, middle, beside, "axis", f'transform="rotate(-90 14 {middle:.0f})"'),
    ]
