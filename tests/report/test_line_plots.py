"""Curves: where their points stand."""

from __future__ import annotations

import pytest

from buffycoat.report.line_plots import (
    abstention_plot,
    precision_recall_panel,
    reliability_diagram,
)


def _points(figure, marker):
    return [
        (of.get_xdata()[0], of.get_ydata()[0])
        for of in figure.axes[0].lines
        if of.get_marker() == marker and len(of.get_xdata()) == 1
    ]


def test_reliability_diagram_puts_perfect_bins_on_the_diagonal():
    bins = [{"count": 5, "confidence": c, "frequency": c} for c in (0.2, 0.6, 1.0)]
    figure = reliability_diagram(bins)
    assert _points(figure, "o") == [(c, c) for c in (0.2, 0.6, 1.0)]
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim() == (0, 1)


def _panel(sensitivity=0.5, precision=0.8):
    row = {"share_of_cells": 0.1, "sensitivity": sensitivity, "precision": precision}
    points = [{"recall": r, "precision": p} for r, p in ((0.5, 1.0), (1.0, 0.8))]
    return precision_recall_panel(row, points)


def test_a_precision_holds_for_its_whole_step_of_recall():
    curve = next(of for of in _panel().axes[0].lines if of.get_drawstyle() == "steps-pre")
    corners = dict.fromkeys(map(tuple, curve.get_path().vertices.tolist()))
    assert list(corners) == [(0.0, 1.0), (0.5, 1.0), (0.5, 0.8), (1.0, 0.8)]


def test_a_class_that_cannot_be_scored_has_a_curve_but_no_mark():
    assert _points(_panel(), "D") == [(0.5, 0.8)]
    assert _points(_panel("not estimable", "not estimable"), "D") == []


def test_abstention_runs_from_all_cells_to_the_right():
    rows = [
        {"share_kept": share, "balanced_macro_f1": score, "least_share_of_a_class": least}
        for share, score, least in ((1.0, 0.8, 1.0), (0.9, 0.85, 0.7), (0.5, 0.95, 0.2))
    ]
    axes = abstention_plot(rows).axes[0]
    left, right = axes.get_xlim()
    assert left > right
    assert _points(axes.figure, "o") == [(1.0, 0.8), (0.9, 0.85), (0.5, 0.95)]
    assert axes.get_ylim()[0] == pytest.approx(0.1, abs=0.1)
