"""The bars of a differential."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from buffycoat.evaluate.differential import IMMATURE
from buffycoat.evaluate.doubtful_cells import REFUSED, check_doubt
from buffycoat.report import svg
from buffycoat.report.differential_plot import bars_of, differential_bars, differential_picture
from buffycoat.taxonomy import PBC

THRESHOLDS = {IMMATURE: 2.0}


@pytest.fixture(scope="module")
def slides():
    """One slide of 60 SNE, 10 of them doubtful, 40 LY and 5 ERB; one that is all doubtful."""
    calls = ["SNE"] * 60 + ["LY"] * 40 + ["ERB"] * 5 + ["LY"] * 20
    doubtful = np.zeros(125, dtype=bool)
    doubtful[:10] = doubtful[105:] = True
    names = np.array(["one"] * 105 + ["two"] * 20)
    rows = check_doubt(PBC.encode(calls), names, PBC, doubtful, most=0.5)
    return {name: [row for row in rows if row.every.group == name] for name in ("one", "two")}


def test_a_bar_has_its_share_its_limits_and_its_doubtful_part(slides):
    bars = {bar.label: bar for bar in bars_of(slides["one"], THRESHOLDS)}
    assert list(bars) == ["SNE", "LY", "ERB per 100", IMMATURE]
    assert bars["SNE"].share.value == 60
    assert bars["SNE"].share.low < 60 < bars["SNE"].share.high
    assert bars["SNE"].doubtful == pytest.approx(10)
    assert bars["LY"].doubtful == 0
    assert bars[IMMATURE].threshold == 2
    assert bars["ERB per 100"].share.value == 5


def test_a_refused_slide_has_no_bars(slides):
    assert slides["two"][0].status == REFUSED
    root = ET.fromstring(differential_picture(slides, THRESHOLDS))
    words = [of.text for of in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("one: 100 leukocytes" in (word or "") for word in words)
    assert not any("two" in (word or "") for word in words)
    assert "SNE 60.0 (" in root[1].text
    assert "var(" not in differential_picture(slides, THRESHOLDS)  # other programs know no style


def test_a_slide_without_leukocytes_is_drawn_too():
    rows = check_doubt(PBC.encode(["ERB"] * 3), np.array(["one"] * 3), PBC, None, most=0.5)
    text = differential_bars("d", "A title", bars_of(rows, {}))
    assert ET.fromstring(f"<div>{text}</div>") is not None


def test_equal_input_gives_equal_text_in_colours_of_the_page(slides):
    bars = bars_of(slides["one"], THRESHOLDS)
    text = differential_bars("d", "A title", bars)
    assert differential_bars("d", "A title", bars) == text
    assert "var(--accent)" in text
    assert svg.ACCENT not in text
