from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from buffycoat.backbones import build as building
from buffycoat.backbones import weights
from buffycoat.backbones.build import build
from buffycoat.errors import ConfigError, WeightsNotFoundError

TINY = "test_resnet"


def test_zero_classes_give_pooled_features_and_k_classes_give_logits() -> None:
    x = torch.zeros(2, 3, 64, 64)
    with torch.inference_mode():
        assert build(TINY, "random", 0, 64).model(x).ndim == 2
        assert build(TINY, "random", 5, 64, 0.3).model(x).shape == (2, 5)


def test_preprocessing_depends_on_the_name_alone() -> None:
    wheel = build("tf_efficientnet_lite0", "wheel", 3, 64)
    random = build("tf_efficientnet_lite0", "random", 3, 64)
    assert (wheel.mean, wheel.std) == (random.mean, random.std) == ((0.5,) * 3, (0.5,) * 3)
    assert wheel.licence == "Apache-2.0"
    assert "sha256:579344248a93e230" in wheel.source
    assert not torch.equal(wheel.model.conv_stem.weight, random.model.conv_stem.weight)


def test_an_unknown_name_says_the_nearest_ones() -> None:
    with pytest.raises(ConfigError, match="tf_efficientnet_lite0"):
        build("tf_eficientnet_lite0", "random", 3, 64)


def test_an_unknown_tag_says_those_there_are() -> None:
    with pytest.raises(ConfigError, match="ms_in22k_ft_in1k"):
        build("swin_small_patch4_window7_224.no_such_tag", "random", 3, 224)


def test_a_model_without_a_wheel_is_refused() -> None:
    with pytest.raises(ConfigError, match="tf_efficientnet_lite0"):
        build("tf_efficientnet_lite3", "wheel", 3, 64)


@pytest.mark.parametrize(("px", "valid"), [(64, True), (50, False)])
def test_a_size_that_a_fixed_size_model_cannot_take_is_refused_early(px: int, valid: bool) -> None:
    if valid:
        building.check_input_px("levit_128s", px)
    else:
        with pytest.raises(ConfigError, match=r"Nearest sizes that it takes: \d+"):
            building.check_input_px("levit_128s", px)


def test_a_window_model_takes_another_size_than_its_own() -> None:
    model = build("swin_tiny_patch4_window7_224", "random", 3, 64).model
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def _stored(path: Path, classes: int) -> tuple[Path, dict[str, torch.Tensor]]:
    state = build(TINY, "random", classes, 64).model.state_dict()
    save_file(state, path)
    return path, state


@pytest.mark.parametrize("classes", [0, 5, 1000])
def test_a_file_is_loaded_whatever_its_classifier(tmp_path: Path, classes: int) -> None:
    path, state = _stored(tmp_path / "net.safetensors", classes)
    built = build(TINY, str(path), 5, 64)
    loaded = built.model.state_dict()
    body = [name for name in state if not name.startswith("fc.")]
    assert all(torch.equal(loaded[name], state[name]) for name in body)
    if classes == 5:
        assert torch.equal(loaded["fc.weight"], state["fc.weight"])
    assert "net.safetensors" in built.source


def test_a_file_of_another_model_is_refused_not_loaded_in_part(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsNotFoundError, match="not of 'test_resnet'"):
        build(TINY, str(tmp_path / "other.safetensors"), 5, 64)


def test_pickles_and_missing_or_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can run code"):
        build(TINY, str(tmp_path / "net.pth"), 5, 64)
    with pytest.raises(WeightsNotFoundError, match="no such file"):
        build(TINY, str(tmp_path / "net.safetensors"), 5, 64)
    (tmp_path / "net.safetensors").write_bytes(b"not weights")
    with pytest.raises(WeightsNotFoundError, match="not a readable"):
        build(TINY, str(tmp_path / "net.safetensors"), 5, 64)


def test_an_unreachable_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "hub_problem", lambda: "no network")
    with pytest.raises(WeightsNotFoundError, match=r"no network.*hf download timm/"):
        build("resnet18.a1_in1k", "hub", 3, 64)
