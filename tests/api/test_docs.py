"""The examples of the page on Python run as they stand there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

from buffycoat.images import write_png
from buffycoat.simulate.render import render_benchmark, render_cell

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of cells, and a labelled data set."""
    for code in ("SNE", "LY"):
        image = render_cell(code, np.random.default_rng(0), 120).image
        write_png(tmp_path / "cells" / f"{code}.png", image)
    counts = {"SNE": 8, "LY": 6, "EO": 4, "BA": 4}
    render_benchmark(tmp_path / "data", counts, 2, 1, seed=0, size_px=96)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_examples_give_what_the_page_says() -> None:
    blocks = re.findall(r"^```pycon\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    assert len(blocks) == 3
    test = doctest.DocTestParser().get_doctest("".join(blocks), {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    failed, tried = doctest.DocTestRunner().run(test, out=said.append)
    assert not failed, "".join(said)
    assert tried > 10
