"""OpenVINO against torch on rendered cells, and what it must not do: mix cells, or call home."""

from __future__ import annotations

import importlib
import importlib.util
import sys

import numpy as np
import pytest
import torch
from torch import nn

from buffycoat.backbones import openvino_engine
from buffycoat.backbones.openvino_engine import OpenvinoEngine
from buffycoat.config import EmbedConfig
from buffycoat.embed.encoders import (
    BackboneEncoder,
    PrecisionWarning,
    build_encoder,
    from_spec,
)
from buffycoat.errors import ConfigError, MissingExtraError
from buffycoat.simulate.render import render_cell

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs the extra 'fast'"
)

LITE0 = "tf_efficientnet_lite0"
PX = 160
LEAST_COSINE = {"bf16": 0.99, "f16": 0.99, "f32": 0.99999}
"""To the embedding in fp32 by torch. bf16 keeps 8 bits of each number, so that some sixty layers
turn an embedding by 3 to 6 degrees; 0.99 is 8 degrees."""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    codes = ("SNE", "LY", "EO", "BA", "MO", "BL", "PC", "MMY", "BNE", "PLY")
    rng = np.random.default_rng(5)
    return np.stack([render_cell(code, rng, 192).image for code in codes])


@pytest.fixture(scope="module")
def by_torch(images: np.ndarray) -> np.ndarray:
    return BackboneEncoder(LITE0, "wheel", PX, 0.82).encode(images)


@pytest.fixture(scope="module")
def encoder() -> BackboneEncoder:
    return BackboneEncoder(LITE0, "wheel", PX, 0.82, "openvino")


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_engine, "cpus", lambda: 2)


@needs_openvino
@pytest.mark.parametrize("precision", [None, "f32"])
def test_embeddings_agree_with_torch(
    images: np.ndarray, by_torch: np.ndarray, precision: str | None
) -> None:
    encoder = BackboneEncoder(LITE0, "wheel", PX, 0.82, "openvino", precision)
    cosine = (encoder.encode(images) * by_torch).sum(axis=1)
    assert cosine.min() >= LEAST_COSINE[encoder.settings()["precision"]]


@needs_openvino
def test_neither_neighbours_nor_threads_change_a_cell(
    encoder: BackboneEncoder, images: np.ndarray, two_threads: None
) -> None:
    together = BackboneEncoder(LITE0, "wheel", PX, 0.82, "openvino").encode(images)
    alone = np.concatenate([encoder.encode(image[None]) for image in images])
    assert np.array_equal(together, alone)


@needs_openvino
def test_each_precision_has_a_fingerprint(encoder: BackboneEncoder) -> None:
    torch_s = BackboneEncoder(LITE0, "wheel", PX, 0.82)
    exact = BackboneEncoder(LITE0, "wheel", PX, 0.82, "openvino", "f32")
    assert exact.settings()["precision"] == "f32"
    of_precision = {e.settings()["precision"]: e.fingerprint for e in (encoder, exact)}
    assert len({torch_s.fingerprint, *of_precision.values()}) == 1 + len(of_precision)
    assert torch_s.checksum == exact.checksum


@needs_openvino
def test_the_config_and_the_bundle_name_it(images: np.ndarray) -> None:
    config = EmbedConfig(encoder="test_resnet", weights="random", input_px=32, engine="openvino")
    encoder = build_encoder(config)
    again = from_spec(encoder.spec())
    assert again.fingerprint == encoder.fingerprint
    assert np.array_equal(again.encode(images), encoder.encode(images))


@needs_openvino
def test_a_vision_transformer_agrees_as_well(images: np.ndarray) -> None:
    by_torch = BackboneEncoder("test_vit", "random", PX, 0.82).encode(images)
    by_openvino = BackboneEncoder("test_vit", "random", PX, 0.82, "openvino", "f32").encode(images)
    assert (by_torch * by_openvino).sum(axis=1).min() >= LEAST_COSINE["f32"]


@needs_openvino
def test_nothing_is_told_to_a_server(encoder: BackboneEncoder) -> None:
    conversion = importlib.import_module("openvino.tools.ovc.convert_impl")
    assert conversion.tm.__name__.endswith("telemetry_stub")
    assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)


class _Bessel(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(images).mean(dim=(2, 3))


@needs_openvino
def test_a_network_that_cannot_be_converted_says_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"cannot convert.*embed.engine=torch"):
        OpenvinoEngine(_Bessel(), (3, 32, 32))


@needs_openvino
def test_another_precision_than_the_bundle_s_is_said_and_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = {"engine": "openvino", "precision": "f32"}
    monkeypatch.setattr(OpenvinoEngine, "settings", lambda _: plain)
    with pytest.warns(PrecisionWarning, match="made in bf16"):
        encoder = BackboneEncoder("test_resnet", "random", 32, 0.5, "openvino", "bf16")
    assert encoder.settings()["precision"] == "f32"


def test_without_openvino_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"buffycoat\[fast\]"):
        BackboneEncoder("test_resnet", "random", 32, 0.5, "openvino")
