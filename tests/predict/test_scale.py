"""A scale that is stated counts alike wherever a photograph comes from: table, memory, command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat import images
from buffycoat.audit.scan import scan
from buffycoat.bundle import files
from buffycoat.cells import Manifest
from buffycoat.cli.main import app
from buffycoat.errors import ConfigError, ShapeError
from buffycoat.images import framed
from buffycoat.predict import export
from buffycoat.predict.embedder import make_embedder
from buffycoat.predict.frames import restore_frames
from buffycoat.predict.predictor import Pipeline
from buffycoat.predict.similar import find_similar
from buffycoat.progress import Silent
from buffycoat.simulate.render import render_cell

SCALES = (0.3, 0.25, None)


@pytest.fixture(scope="module")
def by_scale() -> Pipeline:
    """The starter, as if it had been trained on photographs of 20 micrometres."""
    fitted = files.read("starter")
    framing = {"photograph_um": 20.0, "frame_fraction": 0.8}
    config = fitted.config.model_copy(
        update={"images": fitted.config.images.model_copy(update=framing)}
    )
    return Pipeline(replace(fitted, config=config))


@pytest.fixture(scope="module")
def cells() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [render_cell(code, rng, 96).image for code in ("LY", "EO", "MO")]


@pytest.fixture(scope="module")
def manifest(cells: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("scaled")
    paths = [folder / f"{number}.png" for number in range(len(cells))]
    for path, cell in zip(paths, cells, strict=True):
        images.write_png(path, cell)
    table = {"cell_id": ["a", "b", "c"], "path": list(map(str, paths)), "um_per_px": SCALES}
    return Manifest.from_frame(pd.DataFrame(table), "test")


def test_photographs_in_memory_are_framed_as_a_table_s(
    by_scale: Pipeline, cells: list[np.ndarray], manifest: Manifest
) -> None:
    expected = by_scale.predict_manifest(manifest).predictions
    found = by_scale.predict(cells, um_per_px=SCALES)
    unscaled = by_scale.predict(cells)
    for one, other in zip(found, expected, strict=True):
        assert one.probs == pytest.approx(other.probs, abs=1e-6)
    assert found[0].probs != pytest.approx(unscaled[0].probs, abs=1e-6)
    (alone,) = by_scale.predict(cells[:1], um_per_px=0.3)
    assert alone.probs == pytest.approx(expected[0].probs, abs=1e-6)
    looked = pd.Series(SCALES, dtype="Float64")
    assert by_scale.predict(cells, um_per_px=looked.tolist())[2].probs == found[2].probs


@pytest.mark.parametrize("wrong", [0.0, -1, float("nan"), 30, [0.1, 0, None]])
def test_a_scale_that_cannot_be_is_refused(by_scale: Pipeline, cells, wrong) -> None:
    with pytest.raises(ConfigError, match=r"um_per_px: expected micrometres from 0\.01 to 5"):
        by_scale.predict(cells, um_per_px=wrong)


def test_the_audit_compares_cells_as_their_scale_frames_them(
    by_scale: Pipeline, cells: list[np.ndarray], manifest: Manifest
) -> None:
    embed, settings = make_embedder(by_scale.fitted, None), by_scale.fitted.config.images
    for stated, wide in ((None, SCALES), (0.2, (0.2, 0.2, 0.2))):
        work = np.stack([framed(c, settings, um) for c, um in zip(cells, wide, strict=True)])
        expected = by_scale.fitted.encoder.encode(work)
        found = scan(manifest, embed, workers=1, um_per_px=stated).embeddings
        assert found == pytest.approx(expected, abs=1e-5)


def test_every_photograph_needs_its_scale(by_scale: Pipeline, cells) -> None:
    with pytest.raises(ShapeError, match="one for each of 3 photographs, got 2"):
        by_scale.predict(cells, um_per_px=[0.1, 0.1])


def test_a_cell_finds_itself_by_its_scale(
    by_scale: Pipeline, cells: list[np.ndarray], manifest: Manifest
) -> None:
    def nearest(um_per_px: float | None) -> tuple[int, float]:
        given = by_scale.fitted, 1, None, Silent(), um_per_px
        found = find_similar(cells[0], "no copy", manifest, *given)
        return int(found.rows[0]), float(found.similarity[0])

    row, likeness = nearest(0.3)
    assert (row, likeness) == (0, pytest.approx(1, abs=1e-4))
    assert nearest(None)[1] < likeness - 1e-3


def test_similar_takes_the_scale_where_the_bundle_looks_at_it(
    by_scale: Pipeline, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = manifest.frame["path"][0]
    table = tmp_path / "cells.csv"
    manifest.frame[["path", "um_per_px"]].to_csv(table, index=False)
    images.write_png(tmp_path / "asked.png", images.read(cell))
    asked = ["similar", "starter", str(tmp_path / "asked.png"), "--um-per-px", "0.3"]
    within = ["--in", str(table), "--out", str(tmp_path / "a.png"), "--cache", str(tmp_path / "c")]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 2
    assert "frames cells by the size of the picture" in " ".join(refused.output.split())
    monkeypatch.setattr(Pipeline, "load", lambda _: by_scale)
    (tmp_path / "asked.png").write_bytes((tmp_path / "asked.png").read_bytes() + b"\0")  # no copy
    done = CliRunner().invoke(app, [*asked, *within])
    assert done.exit_code == 0, done.output
    assert pd.read_csv(tmp_path / "a.png.csv")["similarity"][0] == 1
    assert CliRunner().invoke(app, asked).exit_code == 0  # among the training cells


def test_restoration_looks_at_the_part_that_is_classified(
    by_scale: Pipeline, cells: list[np.ndarray]
) -> None:
    fitted = by_scale.fitted
    pairs = zip(cells, SCALES, strict=True)
    work = np.stack([framed(cell, fitted.config.images, um) for cell, um in pairs])
    expected = fitted.restoration.severity.estimate(work).severity
    found = restore_frames(cells, fitted, SCALES)
    assert [one.severity for one in found] == pytest.approx(expected.tolist())
    assert found[0].severity != pytest.approx(restore_frames(cells, fitted)[0].severity)


def test_an_exported_network_says_how_to_frame(by_scale: Pipeline) -> None:
    def said(pipeline: Pipeline) -> str:
        return " ".join(export._left_out(pipeline.fitted))

    assert "framing by scale: frame_fraction is of a photograph" in said(by_scale)
    assert "shows 20 micrometres" in said(by_scale)
    assert "framing by scale" not in said(Pipeline(files.read("starter")))
