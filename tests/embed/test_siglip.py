from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from buffycoat.config import EmbedConfig, load
from buffycoat.embed import siglip
from buffycoat.embed.checkpoint import MEDSIGLIP, preprocessing_of
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
    np.testing.assert_allclose(inputs[0].transpose(1, 2, 0), expected, atol=1e-4)


def test_embeddings_are_the_image_features_of_the_whole_model(checkpoint: Path) -> None:
    encoder = SiglipEncoder(str(checkpoint), PX, 1.0)
    embeddings = encoder.encode(_images())
    model = transformers.AutoModel.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        features = model.get_image_features(
            pixel_values=torch.from_numpy(encoder.inputs(_images()))
        )
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


def _encoder(checkpoint: Path) -> SiglipEncoder:
    return SiglipEncoder(str(checkpoint), PX, 1.0, "checkpoint")


def _changed(checkpoint: Path, folder: Path, **values: object) -> Path:
    """A copy of the checkpoint whose preprocessor_config.json says something else."""
    copy = Path(shutil.copytree(checkpoint, folder / "siglip"))
    file = copy / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
    return copy


def _by_pillow(image: np.ndarray, how: Image.Resampling, mean: float, std: float) -> np.ndarray:
    """Pillow's resize, which widens its filter where it shrinks an image."""
    sized = np.asarray(Image.fromarray(image).resize((PX, PX), how))
    return ((sized / 255 - mean) / std).transpose(2, 0, 1)


@pytest.mark.parametrize("side", [20, 64])
@pytest.mark.parametrize("how", [Image.Resampling.BICUBIC, Image.Resampling.BILINEAR])
def test_a_checkpoint_s_own_preprocessing_is_followed(
    checkpoint: Path, tmp_path: Path, side: int, how: Image.Resampling
) -> None:
    own = _changed(
        checkpoint, tmp_path, resample=int(how), image_mean=[0.3] * 3, image_std=[0.2] * 3
    )
    inputs = _encoder(own).inputs(_images(side))
    expected = np.stack([_by_pillow(image, how, 0.3, 0.2) for image in _images(side)])
    # Two levels of 255: torch and Pillow round between rows and columns in different places.
    np.testing.assert_allclose(inputs, expected, atol=2 / 255 / 0.2)
    if side > PX:
        aliased = SiglipEncoder(str(own), PX, 1.0).inputs(_images(side))
        assert np.abs((aliased + 1) / 2 - (inputs * 0.2 + 0.3)).max() > 0.1


def test_a_bundle_keeps_the_preprocessing_that_it_was_made_with(
    checkpoint: Path, tmp_path: Path
) -> None:
    own = _changed(checkpoint, tmp_path, resample=2)
    encoder = _encoder(own)
    spec = json.loads(json.dumps(encoder.spec()))
    _changed(checkpoint, tmp_path / "other", resample=3)
    shutil.copy(checkpoint / "preprocessor_config.json", own)
    again = from_spec(spec)
    assert again.fingerprint == encoder.fingerprint
    assert np.array_equal(again.encode(_images()), encoder.encode(_images()))
    assert _encoder(own).fingerprint != encoder.fingerprint


def test_a_bundle_of_before_is_read_as_it_was_made(checkpoint: Path) -> None:
    spec = SiglipEncoder(str(checkpoint), PX, 1.0).spec()
    del spec["preprocessing"]
    found = from_spec(spec).inputs(_images(64))
    assert np.array_equal(found, SiglipEncoder(str(checkpoint), PX, 1.0).inputs(_images(64)))


def test_medsiglip_is_resized_as_its_authors_do_and_others_as_theirs() -> None:
    assert preprocessing_of(MEDSIGLIP, "auto") == "bilinear"
    assert preprocessing_of("google/siglip2-base-patch16-224", "auto") == "checkpoint"
    assert preprocessing_of(MEDSIGLIP, "checkpoint") == "checkpoint"
    paper = load("paper").embed
    assert preprocessing_of("a/copy/of/it", paper.preprocessing) == "bilinear"


def test_a_checkpoint_that_does_not_say_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    copy = _changed(checkpoint, tmp_path)
    (copy / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsNotFoundError, match=r"embed\.preprocessing=bilinear"):
        _encoder(copy)
    assert SiglipEncoder(str(copy), PX, 1.0).inputs(_images()).shape == (3, 3, PX, PX)


def test_a_processor_that_makes_another_size_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    copy = _changed(checkpoint, tmp_path, do_resize=False)
    assert _encoder(copy).inputs(_images(PX)).shape == (3, 3, PX, PX)
    with pytest.raises(ConfigError, match=r"cells of 20 px.*embed.preprocessing=bilinear"):
        _encoder(copy).inputs(_images(20))
