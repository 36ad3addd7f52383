"""Figures: where the marks stand, and that they are well-formed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from buffycoat.report import figures
from buffycoat.report.figures import Dot

SVG = "{http://www.w3.org/2000/svg}"


def plot(dots):
    return ET.fromstring(figures.interval_plot("p", "A title", "A < description", dots, "F1"))


def test_marks_stand_in_order_of_their_values():
    rows = [Dot(str(v), v, v - 0.05, v + 0.02, "", "main") for v in (0.5, 0.9, 0.7)]
    svg = plot(rows)
    centres = [float(dot.get("cx")) for dot in svg.iter(f"{SVG}circle")]
    assert centres[0] < centres[2] < centres[1]
    whiskers = [w for w in svg.iter(f"{SVG}line") if "whisker" in w.get("class")]
    for centre, whisker in zip(centres, whiskers, strict=True):
        assert float(whisker.get("x1")) < centre < float(whisker.get("x2"))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_no_mark_leaves_the_plot(value):
    svg = plot([Dot("a", value, value, value, "", "main")])
    centre = float(next(svg.iter(f"{SVG}circle")).get("cx"))
    assert figures.LEFT <= centre <= figures.WIDTH - figures.RIGHT


def test_tail_classes_differ_in_shape_not_only_in_colour():
    svg = plot([Dot("a", 0.5, None, None, "", "tail"), Dot("b", 0.5, None, None, "", "main")])
    assert len(list(svg.iter(f"{SVG}polygon"))) == 1
    assert len(list(svg.iter(f"{SVG}circle"))) == 1


def test_a_row_without_a_value_draws_its_words_only():
    svg = plot([Dot("rare", None, None, None, "not estimable")])
    assert list(svg.iter(f"{SVG}circle")) == []
    assert "not estimable" in [text.text for text in svg.iter(f"{SVG}text")]
    assert plot([]) is not None


def test_reliability_diagram_puts_perfect_bins_on_the_diagonal():
    bins = [{"count": 5, "confidence": c, "frequency": c} for c in (0.2, 0.6, 1.0)]
    svg = ET.fromstring(figures.reliability_diagram(bins))
    ideal = next(line for line in svg.iter(f"{SVG}line") if line.get("class") == "ideal")
    total = float(ideal.get("x1")) + float(ideal.get("y1"))
    for dot in svg.iter(f"{SVG}circle"):
        assert float(dot.get("cx")) + float(dot.get("cy")) == pytest.approx(total, abs=0.2)


def test_heat_shades_shares_and_makes_errors_show():
    rows = figures.heat_rows([[8, 2], [0, 0]])
    assert [cell.share for cell in rows[0]] == [0.8, 0.2]
    assert rows[0][0].shade == 0.8
    assert rows[0][1].shade == pytest.approx(0.2 * figures.ERROR_GAIN)
    assert [cell.shade for cell in rows[1]] == [0, 0]
    assert rows[0][0].is_hit
    assert not rows[0][1].is_hit
