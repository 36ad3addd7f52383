"""`explain` through the command line: what it says must be what `predict` says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import buffycoat
from buffycoat import images
from buffycoat.bundle import files
from buffycoat.cells import CellRef, Manifest
from buffycoat.cli.main import app
from buffycoat.predict.explain import explain, verdict
from buffycoat.predict.predictor import Pipeline
from buffycoat.refine.features import NAMES
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read


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
    assert 0 <= found.like[0].distance <= found.like[-1].distance
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


def test_the_nearest_cells_have_the_pictures_that_were_trained_on(
    tiny_bundle: Path, cell: Path, rendered_cells: Path
) -> None:
    fitted = files.read(tiny_bundle)
    cells = read(rendered_cells)
    refs = dict(zip(cells.frame["cell_id"], cells.refs(), strict=True))
    found, _ = explain(images.read(cell), "cell", fitted, pictures=refs)
    assert all(one.image is not None for one in found.like)
    assert {one.cell_id for one in found.like} <= set(refs)


def test_a_missing_picture_or_another_cell_s_is_not_shown(
    tiny_bundle: Path, cell: Path, tmp_path: Path
) -> None:
    fitted = files.read(tiny_bundle)
    blank = tmp_path / "blank.png"
    Image.new("RGB", (100, 100), "white").save(blank)
    refs = dict.fromkeys(fitted.gallery.cell_ids, CellRef(str(blank)))
    refs[fitted.gallery.cell_ids[0]] = CellRef(str(tmp_path / "gone.png"))
    found, _ = explain(images.read(cell), "cell", fitted, pictures=refs)
    assert [one.image for one in found.like] == [None] * len(found.like)


def test_sizes_are_of_the_photograph_and_in_micrometres_where_the_scale_is_known(
    tiny_bundle: Path, cell: Path
) -> None:
    fitted, photograph = files.read(tiny_bundle), images.read(cell)
    large = np.repeat(np.repeat(photograph, 2, axis=0), 2, axis=1)
    sizes = {}
    for name, image, um in (("px", photograph, None), ("large", large, None), ("um", large, 0.05)):
        rows = {row.name: row for row in explain(image, "c", fitted, um_per_px=um)[0].features}
        sizes[name] = rows["cell_area_px"]
    assert sizes["px"].unit == "px²"
    assert sizes["large"].value == pytest.approx(4 * sizes["px"].value, rel=0.05)
    assert sizes["um"].unit == "µm²"
    assert sizes["um"].value == pytest.approx(sizes["large"].value * 0.05**2)
    assert "e+" not in sizes["large"].measured


def test_a_bundle_that_frames_by_scale_frames_so_here_too(tiny_bundle: Path, cell: Path) -> None:
    fitted = files.read(tiny_bundle)
    by_scale = fitted.config.images.model_copy(
        update={"photograph_um": 20.0, "frame_fraction": 0.8}
    )
    config = fitted.config.model_copy(update={"images": by_scale})
    fitted = replace(fitted, config=config)
    table = pd.DataFrame({"cell_id": ["c"], "path": [str(cell)], "um_per_px": [0.3]})
    pipeline = Pipeline(fitted)
    (expected,) = pipeline.predict_manifest(Manifest.from_frame(table, "test")).predictions
    found, said = explain(images.read(cell), "c", fitted, um_per_px=0.3)
    assert said.probs == pytest.approx(expected.probs, abs=1e-6)
    assert found.image.shape[0] == by_scale.work_px
    unscaled = explain(images.read(cell), "c", fitted)[0].image
    assert not np.array_equal(found.image, unscaled)
    rows = {row.name: row for row in found.features}
    assert 20 < rows["cell_area_px"].value < 500  # in square micrometres


def test_pictures_come_from_the_run_and_their_lack_is_said(
    tiny_bundle: Path, cell: Path, rendered_cells: Path, tmp_path: Path
) -> None:
    result, said = _explain(tiny_bundle, cell)
    assert "Nearest training cells (label, cosine distance):" in said
    assert "Without their pictures" not in said
    result, said = _explain("starter", cell)
    assert "--data FOLDER" in said
    result, said = _explain(tiny_bundle, cell, "--data", tmp_path / "absent")
    assert result.exit_code == 2
    assert "absent" in said
    result, said = _explain(tiny_bundle, cell, "--um-per-px", "0")
    assert result.exit_code == 2
    assert "micrometres from 0.01 to 5" in said
