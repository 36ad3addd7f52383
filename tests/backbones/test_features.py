"""Frozen features: they differ where images differ, and only the image gets a gradient."""

from __future__ import annotations

import pytest
import torch

from buffycoat.backbones.features import LAYERS, FrozenFeatures
from buffycoat.errors import ConfigError


def test_maps_shrink_and_gradients_reach_the_image_alone() -> None:
    features = FrozenFeatures("tf_efficientnet_lite0", "random", 64)
    images = (torch.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
    maps = features(images)
    assert len(maps) == LAYERS
    assert [m.shape[-1] for m in maps] == [32, 16, 8]
    torch.stack([m.square().mean() for m in maps]).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(p.grad is None for p in features.parameters())


def test_the_images_scale_is_the_networks_own() -> None:
    features = FrozenFeatures("tf_efficientnet_lite0", "random", 64)
    seen: list[torch.Tensor] = []
    first = next(m for m in features.model.modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    features(torch.ones(1, 3, 64, 64))
    white = torch.full((), (1 - 0.5) / 0.5)  # this model scales pixels to -1 to 1
    assert torch.allclose(seen[0][..., 8:-8, 8:-8], white)


def test_a_network_without_feature_maps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from buffycoat.backbones import features as module
    from buffycoat.backbones.build import BuiltBackbone

    def plain(*_: object) -> BuiltBackbone:
        triple = (0.5, 0.5, 0.5)
        return BuiltBackbone(torch.nn.Identity(), triple, triple, "random", "none")

    monkeypatch.setattr(module, "build", plain)
    with pytest.raises(ConfigError, match="set feature_weight=0"):
        FrozenFeatures("anything", "random", 64)
