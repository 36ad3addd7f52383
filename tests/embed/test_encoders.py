from __future__ import annotations

import importlib.util
import json

import cv2
import numpy as np
import pytest
import torch

from buffycoat.backbones.build import build
from buffycoat.config import EmbedConfig
from buffycoat.embed.encoder import centre_crop
from buffycoat.embed.encoders import BackboneEncoder, build_encoder, from_spec
from buffycoat.errors import BundleError, ConfigError, ShapeError

TINY = "test_resnet"

ENGINES = [
    "torch",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("openvino") is None, reason="needs the extra 'fast'"
        ),
    ),
]


@pytest.fixture(scope="module", params=ENGINES)
def encoder(request: pytest.FixtureRequest) -> BackboneEncoder:
    return BackboneEncoder(TINY, "random", 32, 0.5, request.param)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)


def test_embeddings_have_length_one_and_report_progress(
    encoder: BackboneEncoder, images: np.ndarray
) -> None:
    steps: list[tuple[int, int]] = []
    embeddings = encoder.encode(images, lambda done, total: steps.append((done, total)))
    assert embeddings.shape == (5, encoder.width)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, rtol=1e-5)
    assert steps[-1] == (5, 5)


def test_a_cell_does_not_depend_on_the_cells_beside_it(
    encoder: BackboneEncoder, images: np.ndarray
) -> None:
    together = encoder.encode(images)
    alone = np.concatenate([encoder.encode(image[None]) for image in images])
    assert np.array_equal(together, alone) or torch.cuda.is_available()


def test_inputs_are_the_cropped_resized_and_normalised_centre(
    encoder: BackboneEncoder, images: np.ndarray
) -> None:
    crop = images[0, 12:36, 12:36]
    sized = cv2.resize(crop, (32, 32), interpolation=cv2.INTER_CUBIC) / 255.0
    built = build(TINY, "random", 0, 32)
    expected = ((sized - np.array(built.mean)) / np.array(built.std)).transpose(2, 0, 1)
    np.testing.assert_allclose(encoder.inputs(images[:1])[0], expected, atol=1e-5)


def test_the_crop_is_central() -> None:
    image = np.arange(100).reshape(1, 10, 10, 1).repeat(3, axis=3)
    assert centre_crop(image, 0.4)[0, :, :, 0].tolist() == image[0, 3:7, 3:7, 0].tolist()


def test_no_images_give_no_rows(encoder: BackboneEncoder) -> None:
    empty = np.zeros((0, 48, 48, 3), np.uint8)
    assert encoder.encode(empty).shape == (0, encoder.width)


@pytest.mark.parametrize("bad", [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3), np.float32)])
def test_other_shapes_and_types_are_refused(encoder: BackboneEncoder, bad: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="uint8"):
        encoder.encode(bad)


def test_the_fingerprint_follows_weights_and_preprocessing(encoder: BackboneEncoder) -> None:
    engine = encoder.settings().get("engine", "torch")
    same = BackboneEncoder(TINY, "random", 32, 0.5, engine)
    assert same.fingerprint == encoder.fingerprint
    assert BackboneEncoder(TINY, "random", 32, 0.6, engine).fingerprint != encoder.fingerprint
    with torch.no_grad():
        next(same.network.parameters()).add_(1e-3)
    assert same.fingerprint != encoder.fingerprint


def test_a_bundle_rebuilds_the_encoder_by_reference(
    encoder: BackboneEncoder, images: np.ndarray
) -> None:
    spec = json.loads(json.dumps(encoder.spec()))
    assert np.array_equal(from_spec(spec).encode(images), encoder.encode(images))


def test_a_bundle_refuses_weights_that_changed(encoder: BackboneEncoder) -> None:
    with pytest.raises(BundleError, match="changed"):
        from_spec({**encoder.spec(), "checksum": "0" * 64})
    with pytest.raises(BundleError, match="cannot be rebuilt"):
        from_spec({**encoder.spec(), "kind": "no such kind"})
    with pytest.raises(BundleError, match="cannot be rebuilt"):
        from_spec({"kind": "timm"})


def test_an_entry_without_an_engine_is_torch_s() -> None:
    """As in bundles and caches from before there were others."""
    assert set(BackboneEncoder(TINY, "random", 32, 0.5).settings()) == {
        *("kind", "name", "weights", "input_px", "crop_fraction")
    }


def test_an_unknown_engine_says_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'openvinoo'.*openvino, torch"):
        BackboneEncoder(TINY, "random", 32, 0.5, "openvinoo")


def test_siglip_runs_in_torch_alone() -> None:
    with pytest.raises(ConfigError, match=r"siglip.*embed.engine=torch"):
        build_encoder(EmbedConfig(encoder="siglip", engine="openvino"))


def test_the_config_names_the_encoder() -> None:
    encoder = build_encoder(EmbedConfig(encoder=TINY, weights="random", input_px=64))
    assert encoder.settings()["name"] == TINY
    assert encoder.licence == "none"
