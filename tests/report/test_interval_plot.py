"""Interval plots: where the marks stand, and that they are well-formed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from buffycoat.report.interval_plot import NARROW, WIDE, Dot, dot_of, interval_plot, interval_plots

SVG = "{http://www.w3.org/2000/svg}"


def plot(dots, layout=WIDE, wanted=None):
    drawn = interval_plot("p", "A title", "A < description", dots, "F1", layout, wanted)
    return ET.fromstring(drawn)


def dot(value, low=None, high=None, text="", tone="main"):
    return Dot(f"row {value}", "f1", str(value), value, low, high, text, tone)


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_marks_stand_in_order_of_their_values(layout):
    svg = plot([dot(v, v - 0.05, v + 0.02) for v in (0.5, 0.9, 0.7)], layout)
    centres = [float(one.get("cx")) for one in svg.iter(f"{SVG}circle")]
    assert centres[0] < centres[2] < centres[1]
    whiskers = [w for w in svg.iter(f"{SVG}line") if "whisker" in w.get("class")]
    for centre, whisker in zip(centres, whiskers, strict=True):
        assert float(whisker.get("x1")) < centre < float(whisker.get("x2"))


@pytest.mark.parametrize("layout", [WIDE, NARROW])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_no_mark_leaves_the_plot(value, layout):
    svg = plot([dot(value, value, value)], layout)
    centre = float(next(svg.iter(f"{SVG}circle")).get("cx"))
    assert layout.left <= centre <= layout.right


def test_tail_classes_differ_in_shape_not_only_in_colour():
    svg = plot([dot(0.5, tone="tail"), dot(0.5)])
    assert len(list(svg.iter(f"{SVG}polygon"))) == 1
    assert len(list(svg.iter(f"{SVG}circle"))) == 1


def test_a_row_without_a_value_draws_its_words_only():
    svg = plot([dot(None, text="not estimable")])
    assert list(svg.iter(f"{SVG}circle")) == []
    assert "not estimable" in [text.text for text in svg.iter(f"{SVG}text")]
    assert plot([]) is not None


def test_a_wanted_value_is_a_line_inside_the_plot():
    svg = plot([dot(0.95)], wanted=0.6)
    line = next(line for line in svg.iter(f"{SVG}line") if line.get("class") == "ideal")
    assert WIDE.left <= float(line.get("x1")) <= WIDE.right


def test_long_labels_keep_their_ends():
    label = "segmented neutrophil granulocyte of a long name SNE"
    words = [t.text for t in plot([Dot("r", "f1", label, 0.5, None, None, "")]).iter(f"{SVG}text")]
    shortened = next(word for word in words if word and "…" in word)
    assert shortened.startswith("segmented")
    assert shortened.endswith("SNE")


def test_a_row_of_a_table_becomes_a_dot():
    row = {"row": "eval/SNE", "f1": 0.812, "f1_low": 0.7, "f1_high": 0.9}
    assert dot_of(row, "f1", "SNE").text == "0.81 (0.70 to 0.90)"
    words = dot_of({**row, "f1": "not estimable", "f1_low": None, "f1_high": None}, "f1", "SNE")
    assert (words.value, words.text) == (None, "not estimable")


def test_both_drawings_say_the_same_and_have_ids_of_their_own():
    text = str(interval_plots("p", "A title", [dot(0.5)], "F1"))
    root = ET.fromstring(f"<div>{text}</div>")
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids)) == 4
    said = {e.text for e in root.iter(f"{SVG}desc")}
    assert len(said) == 1
