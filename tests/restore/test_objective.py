"""The generator's losses: zero for the clean image, and a clear refusal of what cannot be."""

from __future__ import annotations

import pytest
import torch

from buffycoat.config import RestoreConfig
from buffycoat.errors import ConfigError
from buffycoat.restore.objective import MIN_SSIM_PX, Objective

ALL = RestoreConfig(l1_weight=3.0, ssim_weight=2.0, feature_weight=1.0)


def _features(images: torch.Tensor) -> list[torch.Tensor]:
    return [images[:, :, ::2, ::2] + 2.0, 100.0 * images.mean(dim=1, keepdim=True) + 100.0]


def _image(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, MIN_SSIM_PX, MIN_SSIM_PX, generator=generator) * 2 - 1


def test_the_clean_image_loses_nothing() -> None:
    losses = Objective(ALL, MIN_SSIM_PX, _features)(_image(0), _image(0))
    assert {name: weight for name, (weight, _) in losses.items()} == {
        "l1": 3.0,
        "ssim": 2.0,
        "features": 1.0,
    }
    for _, loss in losses.values():
        assert loss.item() == pytest.approx(0, abs=1e-5)


def test_each_loss_grows_with_the_fault_and_has_a_gradient() -> None:
    objective = Objective(ALL, MIN_SSIM_PX, _features)
    clean, noise = _image(0), _image(1)
    small, large = (objective(clean + s * noise, clean) for s in (0.1, 0.3))
    for name in ("l1", "ssim", "features"):
        assert 0 < small[name][1] < large[name][1]
        restored = (clean + 0.2 * noise).requires_grad_()
        objective(restored, clean)[name][1].backward()
        assert restored.grad is not None
        assert restored.grad.abs().sum() > 0


def test_layers_of_features_count_alike_whatever_their_size() -> None:
    clean, noise = _image(0), _image(1)
    one = Objective(ALL, MIN_SSIM_PX, _features)(clean + 0.1 * noise, clean)["features"][1]
    scaled = Objective(
        ALL, MIN_SSIM_PX, lambda x: [f * s for f, s in zip(_features(x), (1e3, 1e-3), strict=True)]
    )(clean + 0.1 * noise, clean)["features"][1]
    assert scaled.item() == pytest.approx(one.item(), rel=1e-3)


def test_a_loss_without_weight_is_not_computed() -> None:
    bare = RestoreConfig(ssim_weight=0.0, feature_weight=0.0)
    assert Objective(bare, 32, None)(_image(0), _image(1)).keys() == {"l1"}


def test_too_small_crops_and_missing_features_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"crops of 97 px, got 64: raise restore.train_px"):
        Objective(ALL, 64, _features)
    with pytest.raises(ConfigError, match="needs the features of a frozen network"):
        Objective(ALL, MIN_SSIM_PX, None)
