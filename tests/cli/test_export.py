"""`buffycoat export`: another program computes what buffycoat computes, from the file alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from buffycoat.backbones import graph
from buffycoat.bundle import files
from buffycoat.classify.views import centre
from buffycoat.cli.main import app
from buffycoat.errors import BundleError
from buffycoat.images import to_work
from buffycoat.predict import export as exporting
from buffycoat.predict.predictor import Pipeline
from buffycoat.simulate.render import render_cell

runtime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "cells.onnx"
    done = CliRunner().invoke(app, ["export", str(tiny_bundle), "--onnx", str(out)])
    assert done.exit_code == 0, done.output
    assert "Checked: onnxruntime" in done.output
    return out


def test_the_file_alone_gives_the_probabilities_of_the_bundle(
    exported: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    alone = Path(shutil.copy(exported, tmp_path))
    note = json.loads(exporting.note_of(exported).read_text())
    rng = np.random.default_rng(3)
    photographs = [render_cell(code, rng, 96).image for code in ("EO", "LY", "BA")]
    crop = note["crop"]
    crops = np.stack(
        [
            centre(
                to_work(photograph, crop["work_px"], crop["frame_fraction"]),
                crop["crop_fraction"],
                crop["input_px"],
            )
            for photograph in photographs
        ]
    )
    session = runtime.InferenceSession(alone, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {graph.INPUT: crops})
    expected = exporting._ours(
        np.stack([to_work(p, crop["work_px"], crop["frame_fraction"]) for p in photographs]),
        files.read(tiny_bundle),
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    (single,) = session.run(None, {graph.INPUT: crops[1:2]})
    np.testing.assert_allclose(single, found[1:2], atol=1e-5)


def test_the_note_says_what_goes_in_and_what_is_left_out(exported: Path, tiny_bundle: Path) -> None:
    note = json.loads(exporting.note_of(exported).read_text())
    pipeline = Pipeline.load(tiny_bundle)
    assert [c["code"] for c in note["classes"]] == list(pipeline.taxonomy.codes)
    assert note["bundle_sha256"] == files.checksum(tiny_bundle)
    assert note["in_the_graph"]["temperatures"] == list(pipeline.fitted.temperatures)
    assert note["notice"] == pipeline.fitted.provenance["notice"]
    assert "the crop" in note["not_in_the_graph"]


def test_a_graph_that_computes_something_else_is_not_written(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_difference", lambda *_: 0.25)
    with pytest.raises(BundleError, match=r"not written.*0\.25"):
        exporting.export(files.read(tiny_bundle), "", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cells.pt", "cells"])
def test_another_suffix_is_refused(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", "starter", "--onnx", str(tmp_path / name)])
    assert done.exit_code == 2
    assert "--onnx" in done.output
    assert ".onnx" in done.output


def test_a_file_of_the_bundle_is_not_written_over() -> None:
    target = files.locate("starter") / "classifier0.onnx"
    before = target.read_bytes()
    done = CliRunner().invoke(app, ["export", "starter", "--onnx", str(target)])
    assert done.exit_code == 2
    assert "would overwrite" in done.output
    assert target.read_bytes() == before


def test_no_bundle_is_said(tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    done = CliRunner().invoke(app, ["export", str(tmp_path / "none"), "--onnx", str(out)])
    assert done.exit_code == 2
    assert "not a bundle" in done.output
