"""The bundle that ships inside the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import buffycoat
from buffycoat.bundle import files
from buffycoat.predict.predictor import Pipeline
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read
from buffycoat.taxonomy import PBC


@pytest.fixture(scope="module")
def starter() -> Pipeline:
    return buffycoat.load("starter")


def test_it_is_small_and_carries_its_card() -> None:
    folder = files.locate("starter")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 34_600_000
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    for words in ("CC BY 4.0", "Acevedo", "image-level", "Not for diagnosis", "without infection"):
        assert words in card


def test_it_says_what_it_has_never_seen(starter: Pipeline) -> None:
    for name in ("blast", "plasma cell", "prolymphocyte"):
        assert name in starter.notice
    assert starter.taxonomy.codes == PBC.codes


def test_it_answers_without_a_network(starter: Pipeline) -> None:
    rng = np.random.default_rng(0)
    cells = [render_cell(code, rng, size_px=160).image for code in ("LY", "EO")]
    for found in starter.predict(cells):
        assert found.label in found.conformal_set
        assert sum(found.probs) == pytest.approx(1)


@pytest.mark.real
def test_it_names_real_cells(starter: Pipeline, pbc_lt: Path) -> None:
    cells = read(pbc_lt).of_split("eval")
    few = cells.subset(np.random.default_rng(0).permutation(len(cells))[:40])
    labels = [p.label for p in starter.predict_manifest(few).predictions]
    assert np.mean(np.array(labels) == few.column("label")) > 0.7
