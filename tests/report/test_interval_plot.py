"""Interval plots: where the marks stand, and what they say."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from buffycoat.report.interval_plot import NARROW, WIDE, Dot, dot_of, interval_plot, interval_plots

SVG = "{http://www.w3.org/2000/svg}"


def plot(dots, layout=WIDE, wanted=None):
    return interval_plot(dots, "F1", layout, wanted)


def dot(value, low=None, high=None, text="", tone="main"):
    return Dot(str(value), value, low, high, text, tone)


def marks(figure):
    """(x, marker) of every mark, from the top."""
    lines = sorted(figure.axes[0].lines, key=lambda line: line.get_ydata()[0])
    return [(of.get_xdata()[0], of.get_marker()) for of in lines if len(of.get_xdata()) == 1]


def words(figure):
    return [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_marks_and_intervals_stand_where_their_values_are(layout):
    figure = plot([dot(v, v - 0.05, v + 0.02) for v in (0.5, 0.9, 0.7)], layout)
    assert [x for x, _ in marks(figure)] == [0.5, 0.9, 0.7]
    spans = [of.get_xdata() for of in figure.axes[0].lines if len(of.get_xdata()) == 2]
    assert [tuple(span) for span in spans] == [(v - 0.05, v + 0.02) for v in (0.5, 0.9, 0.7)]
    low, high = figure.axes[0].get_xlim()
    assert low <= 0.45 < 0.92 <= high


def test_tail_classes_differ_in_shape_not_only_in_colour():
    assert [marker for _, marker in marks(plot([dot(0.5, tone="tail"), dot(0.5)]))] == ["D", "o"]


def test_a_row_without_a_value_draws_its_words_only():
    figure = plot([dot(None, text="not estimable")])
    assert marks(figure) == []
    assert "not estimable" in words(figure)


def test_a_wanted_value_is_inside_the_plot():
    axes = plot([dot(0.95)], wanted=0.6).axes[0]
    assert axes.get_xlim()[0] < 0.6


def test_long_labels_keep_their_ends():
    label = "segmented neutrophil granulocyte of a long name SNE"
    shortened = next(w for w in words(plot([Dot(label, 0.5, None, None, "")])) if "…" in w)
    assert shortened.startswith("segmented")
    assert shortened.endswith("SNE")


def test_a_row_of_a_table_becomes_a_dot():
    row = {"row": "eval/SNE", "f1": 0.812, "f1_low": 0.7, "f1_high": 0.9}
    assert dot_of(row, "f1", "SNE").text == "0.81 (0.70 to 0.90)"
    words = dot_of({**row, "f1": "not estimable", "f1_low": None, "f1_high": None}, "f1", "SNE")
    assert (words.value, words.text) == (None, "not estimable")


def test_both_drawings_say_the_same_and_have_ids_of_their_own():
    text = str(interval_plots("p", "A < title", [Dot("a & b", 0.5, 0.4, 0.6, "0.5")], "F1"))
    root = ET.fromstring(f"<div>{text}</div>")
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert len({e.text for e in root.iter(f"{SVG}desc")}) == 1
    assert {e.text for e in root.iter(f"{SVG}title")} == {"A < title"}
