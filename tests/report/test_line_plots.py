"""Curves: where their points stand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from buffycoat.report.line_plots import (
    PANEL,
    abstention_plot,
    precision_recall_panel,
    reliability_diagram,
)

SVG = "{http://www.w3.org/2000/svg}"


def test_reliability_diagram_puts_perfect_bins_on_the_diagonal():
    bins = [
        {"row": f"eval/bin {c}", "count": 5, "confidence": c, "frequency": c}
        for c in (0.2, 0.6, 1.0)
    ]
    svg = ET.fromstring(reliability_diagram("r", bins))
    ideal = next(line for line in svg.iter(f"{SVG}line") if line.get("class") == "ideal")
    dots = list(svg.iter(f"{SVG}circle"))
    assert len(dots) == 3
    x1, y1, x2, y2 = (float(ideal.get(name)) for name in ("x1", "y1", "x2", "y2"))
    for dot in dots:
        along = (float(dot.get("cx")) - x1) / (x2 - x1)
        assert float(dot.get("cy")) == pytest.approx(y1 + along * (y2 - y1), abs=0.2)


def _panel(sensitivity=0.5, precision=0.8):
    row = {
        "row": "eval/SNE",
        "name": "segmented neutrophil",
        "share_of_cells": 0.1,
        "average_precision": 0.9,
        "sensitivity": sensitivity,
        "precision": precision,
    }
    points = [{"recall": r, "precision": p} for r, p in ((0.5, 1.0), (1.0, 0.8))]
    return ET.fromstring(precision_recall_panel("c", row, points))


def test_a_precision_holds_for_its_whole_step_of_recall():
    curve = next(_panel().iter(f"{SVG}polyline")).get("points")
    places = [tuple(map(float, pair.split(","))) for pair in curve.split()]
    expected = [(0.0, 1.0), (0.5, 1.0), (0.5, 0.8), (1.0, 0.8)]
    for place, (recall, precision) in zip(places, expected, strict=True):
        assert place == pytest.approx((PANEL.x(recall), PANEL.y(precision)), abs=0.06)


def test_a_class_that_cannot_be_scored_has_a_curve_but_no_mark():
    assert len(list(_panel().iter(f"{SVG}polygon"))) == 1
    assert list(_panel("not estimable", "not estimable").iter(f"{SVG}polygon")) == []


def test_abstention_runs_from_all_cells_to_the_right():
    rows = [
        {
            "row": f"eval/{share}",
            "share_kept": share,
            "balanced_macro_f1": score,
            "least_share_of_a_class": least,
        }
        for share, score, least in ((1.0, 0.8, 1.0), (0.9, 0.85, 0.7), (0.5, 0.95, 0.2))
    ]
    svg = ET.fromstring(abstention_plot("a", rows))
    dots = [(float(d.get("cx")), float(d.get("cy"))) for d in svg.iter(f"{SVG}circle")]
    squares = list(svg.iter(f"{SVG}rect"))
    assert len(dots) == len(squares) == 3
    assert dots == sorted(dots)
    assert dots[0][1] > dots[2][1]  # a higher score stands higher
