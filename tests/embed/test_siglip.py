from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from buffycoat.config import EmbedConfig
from buffycoat.embed import siglip
from buffycoat.embed.encoders import build_encoder, from_spec
from buffycoat.embed.siglip import SiglipEncoder
from buffycoat.errors import ConfigError, WeightsNotFoundError

transformers = pytest.importorskip("transformers")

PX = 28


@pytest.fixture
def checkpoint(tiny_siglip: Path) -> Path:
    return tiny_siglip


def _images(side: int = 20) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, side, side, 3), dtype=np.uint8)


def _bilinear(image: np.ndarray, px: int) -> np.ndarray:
    """Half-pixel centres, two taps an axis, edges repeated, no antialiasing."""
    side = image.shape[0]
    where = np.clip((np.arange(px) + 0.5) * side / px - 0.5, 0, side - 1)
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, side - 1)
    part = (where - low)[:, None]
    rows = image[low] * (1 - part[..., None]) + image[high] * part[..., None]
    return rows[:, low] * (1 - part) + rows[:, high] * part


@pytest.mark.parametrize("side", [20, 64])
def test_the_resize_is_bilinear_without_antialiasing(checkpoint: Path, side: int) -> None:
    images = _images(side)
    inputs = SiglipEncoder(str(checkpoint), PX, 1.0).inputs(images)
    assert inputs.shape == (3, 3, PX, PX)
    expected = _bilinear(images[0].astype(float), PX) / 127.5 - 1
    np.testing.assert_allclose(inputs[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_embeddings_are_the_image_features_of_the_whole_model(checkpoint: Path) -> None:
    encoder = SiglipEncoder(str(checkpoint), PX, 1.0)
    embeddings = encoder.encode(_images())
    model = transformers.AutoModel.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        features = model.get_image_features(pixel_values=encoder.inputs(_images()))
    features = getattr(features, "pooler_output", features).numpy()
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    assert len(np.unique(embeddings.round(4), axis=0)) == 3


def test_the_config_and_the_bundle_name_it(checkpoint: Path) -> None:
    config = EmbedConfig(encoder="siglip", weights=str(checkpoint), input_px=PX, crop_fraction=1.0)
    encoder = build_encoder(config)
    again = from_spec(encoder.spec())
    assert again.fingerprint == encoder.fingerprint
    assert np.array_equal(again.encode(_images()), encoder.encode(_images()))


def test_another_input_size_is_refused_with_the_right_one(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match=f"embed.input_px={PX}"):
        SiglipEncoder(str(checkpoint), PX + 1, 1.0)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    transformers.ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="expected a SigLIP"):
        SiglipEncoder(str(tmp_path), 224, 1.0)


def test_an_empty_folder_is_not_looked_up_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siglip, "hub_problem", lambda: pytest.fail("asked the network"))
    with pytest.raises(WeightsNotFoundError, match=r"no config.json.*hf auth login"):
        SiglipEncoder(str(tmp_path), PX, 1.0)


def test_a_gated_model_out_of_reach_says_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siglip, "hub_problem", lambda: "no network")
    with pytest.raises(
        WeightsNotFoundError, match=r"no network.*accept its licence.*embed.weights"
    ):
        SiglipEncoder("google/medsiglip-448", 448, 1.0)
