"""`explain` through the command line: what it says must be what `predict` says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import buffycoat
from buffycoat import images
from buffycoat.bundle import files
from buffycoat.cli.main import app
from buffycoat.predict.explain import explain, verdict
from buffycoat.refine.features import NAMES
from buffycoat.simulate.render import render_cell


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    path = tmp_path / "cell.png"
    Image.fromarray(render_cell("EO", np.random.default_rng(3), 100).image).save(path)
    return path


def _explain(*arguments: object):
    result = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    return result, " ".join((result.stdout + result.stderr).split())


def test_the_figure_and_the_words_are_of_the_prediction(tiny_bundle: Path, cell: Path) -> None:
    result, said = _explain(tiny_bundle, cell)
    assert result.exit_code == 0, result.output
    (expected,) = buffycoat.load(tiny_bundle).predict([images.read(cell)], ["cell.png"])
    assert f"{expected.label}, " in said
    assert f"probability {expected.probability:.2f}" in said
    assert expected.evidence[0].text in said
    assert images.read(cell.with_name("cell.explained.png")).shape[1] > 900


def test_the_explanation_holds_every_stage_and_feature(tiny_bundle: Path, cell: Path) -> None:
    fitted = files.read(tiny_bundle)
    found, said = explain(images.read(cell), "cell", fitted)
    assert found.leading[0] == said.label
    assert len(found.leading) == 3
    assert found.steps[0].stage == "classifier"
    codes = fitted.taxonomy.codes
    wanted = [said.probs[codes.index(code)] for code in found.leading]
    assert found.steps[-1].probs == pytest.approx(wanted)
    assert [row.name for row in found.features] == list(NAMES)
    assert (found.nucleus_mask <= found.cell_mask).all()
    assert found.cell_mask.any()
    assert found.like[0].similarity >= found.like[-1].similarity
    assert found.reasons == tuple(evidence.text for evidence in said.evidence)


def test_the_verdict_names_what_cannot_be_ruled_out(tiny_bundle: Path, cell: Path) -> None:
    fitted = files.read(tiny_bundle)
    _, said = explain(images.read(cell), "cell", fitted)
    text = verdict(said, fitted.taxonomy, 0.9)
    others = set(said.conformal_set) - {said.label}
    assert all(code in text for code in others)
    assert ("A person should look" in text) == said.is_abstained


def test_a_wrong_prior_or_name_is_refused(tiny_bundle: Path, cell: Path, tmp_path: Path) -> None:
    result, said = _explain(tiny_bundle, cell, "--prior", "even")
    assert result.exit_code == 2
    assert "uniform, train" in said
    result, said = _explain(tiny_bundle, cell, "--out", tmp_path / "why.txt")
    assert result.exit_code == 2
    assert ".png" in said
