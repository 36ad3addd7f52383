"""Networks of a bundle: opened when needed, by the engine that agrees, without torch for labels."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from buffycoat.backbones import choice
from buffycoat.backbones.choice import EngineWarning
from buffycoat.backbones.engine import Engine
from buffycoat.bundle import files
from buffycoat.simulate.render import render_cell

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs the extra 'fast'"
)
HEAVY = {"torch", "timm", "sklearn", "lightning", "torchvision", "transformers", "onnx"}

PREDICT = """
import json, sys
import numpy as np
from buffycoat.bundle import files
from buffycoat.predict.bracket import predict_cells
from buffycoat.predict.needs import EVERYTHING, needs_of
fitted = files.read("starter")
images = np.load(sys.argv[1])
columns = {"label"} if sys.argv[2] == "label" else None
needs = EVERYTHING if columns is None else needs_of(columns, fitted)
found = predict_cells(images, ["a", "b"], fitted, None, needs)
if columns is None:
    fitted.encoder.encode(images)
assert len(found) == 2
print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_gpu", lambda: False)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.stack([render_cell(code, rng, 224).image for code in ("EO", "LY")])


def _copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(files.locate("starter"), tmp_path / "bundle"))


def _written(folder: Path) -> dict[str, str]:
    return json.loads((folder / files.INDEX).read_text())["engines"]


@needs_openvino
@pytest.mark.skipif(choice.has_gpu(), reason="torch runs on the GPU here")
@pytest.mark.parametrize("columns", ["label", "all"])
def test_the_starter_needs_no_torch(images: np.ndarray, tmp_path: Path, columns: str) -> None:
    np.save(tmp_path / "cells.npy", images)
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, str(tmp_path / "cells.npy"), columns],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert sorted(HEAVY & set(json.loads(done.stdout.splitlines()[-1]))) == []


@needs_openvino
def test_openvino_says_what_torch_says(images: np.ndarray) -> None:
    ours, theirs = (files.read("starter", engine=name) for name in ("openvino", "torch"))
    for one, other in zip(ours.models, theirs.models, strict=True):
        mine, expected = one.view_logits(images), other.view_logits(images)
        assert np.abs(mine - expected).max() < 0.03 * np.ptp(expected)
    restored = [
        fitted.restoration.restorer.restore(images).astype(int) for fitted in (ours, theirs)
    ]
    assert np.abs(restored[0] - restored[1]).max() <= 1


def test_some_views_are_those_of_all(images: np.ndarray) -> None:
    model = files.read("starter").models[0]
    every = model.view_logits(images)
    assert model.look(images, []).shape == (2, 0, every.shape[2])
    # In bf16 torch rounds otherwise for another number of views.
    np.testing.assert_allclose(model.look(images, [6, 1]), every[:, [6, 1]], atol=0.1)


def test_the_starter_says_which_engine_agreed() -> None:
    engines = _written(files.locate("starter"))
    assert set(engines) == {
        "classifier0.onnx",
        "restorer.onnx",
        "encoder.onnx",
    }
    assert all(text.startswith("OpenVINO in") and "agrees" in text for text in engines.values())


def test_weights_are_stored_once() -> None:
    folder = files.locate("starter")
    assert all(path.stat().st_size < 200_000 for path in folder.glob("*.onnx"))


@needs_openvino
def test_weights_that_the_probe_does_not_know_are_left_to_torch(
    images: np.ndarray, tmp_path: Path
) -> None:
    folder = _copy(tmp_path)
    probe = load_file(folder / "probe.safetensors")
    probe["classifier0.onnx.outputs"] = probe["classifier0.onnx.outputs"][:, ::-1].copy()
    save_file(probe, folder / "probe.safetensors")
    files.write_index(folder, json.loads((folder / files.INDEX).read_text()))
    with pytest.warns(EngineWarning, match=r"classifier0\.onnx runs in torch"):
        found = files.read(folder).models[0].view_logits(images)
    expected = files.read("starter", engine="torch").models[0].view_logits(images)
    assert np.array_equal(found, expected)


@needs_openvino
def test_a_bundle_of_before_has_no_graphs_and_is_converted(
    images: np.ndarray, tmp_path: Path
) -> None:
    folder = _copy(tmp_path)
    for path in (*folder.glob("*.onnx"), folder / "probe.safetensors"):
        path.unlink()
    index = json.loads((folder / files.INDEX).read_text())
    del index["engines"]
    files.write_index(folder, index)
    model = files.read(folder).models[0]
    assert isinstance(model.engine, Engine)
    assert model.engine.settings()["engine"] == "openvino"
    expected = files.read("starter").models[0].view_logits(images)
    np.testing.assert_allclose(model.view_logits(images), expected, atol=0.3)
