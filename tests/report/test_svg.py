"""What matplotlib's SVG must become before it may stand in a page."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from buffycoat.report import svg


@svg.styled
def _figure():
    figure = svg.new_figure(200, 100)
    axes = svg.new_axes(figure, 20, 10, 100, 50)
    svg.mark(axes, 0.5, 0.5, "main")
    axes.imshow(np.zeros((4, 4, 3), np.uint8), extent=(0, 1, 0, 1), interpolation="none")
    svg.words(figure, 10, 80, "$x$ <b> 细胞", weight="bold")
    return figure


@pytest.fixture(scope="module")
def twice():
    """Two figures of one page, in one element."""
    return (
        f"<div>{svg.inline(_figure(), 'a', 'A', 'B')}{svg.inline(_figure(), 'b', 'A', 'B')}</div>"
    )


def test_two_figures_of_a_page_share_no_id_and_each_finds_its_own(twice):
    root = ET.fromstring(twice)
    ids = [of.get("id") for of in root.iter() if of.get("id")]
    assert len(ids) == len(set(ids))
    links = [of.get("href") for of in root.iter() if (of.get("href") or "").startswith("#")]
    assert links
    assert {link[1:] for link in links} <= set(ids)


def test_nothing_in_a_figure_styles_the_page_or_names_a_host(twice):
    assert "<style" not in twice
    assert "http" not in twice.replace("http://www.w3.org/2000/svg", "")
    assert "DejaVu" not in twice
    assert "var(--accent)" in twice
    assert "data:image/png;base64,iVBOR" in twice


def test_words_stay_words_in_any_script_and_no_formula(twice):
    texts = [of.text for of in ET.fromstring(twice).iter() if of.tag.endswith("}text")]
    assert "$x$ <b> 细胞" in texts


def test_sizes_are_in_px():
    root = ET.fromstring(svg.alone(_figure(), "a", "A", "B"))
    assert (root.get("width"), root.get("height")) == ("200", "100")
    assert root.get("viewBox") == "0 0 200 100"
