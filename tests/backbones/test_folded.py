"""Merged batch norms: the same outputs, and no merge where it would be wrong."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from buffycoat.backbones.build import build
from buffycoat.backbones.folded import fold_batch_norm


def _trained(name: str) -> nn.Module:
    """A network whose batch norms do something."""
    torch.manual_seed(0)
    model = build(name, "random", 4, 64).model
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return model.eval()


def _norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_without_batch_norms_the_outputs_are_the_same(name: str) -> None:
    model = _trained(name)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold_batch_norm(model, 64)
    assert _norms(model) > 15
    assert _norms(folded) == 0
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(model(images), folded(images), atol=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class _Crossed(nn.Module):
    """Its batch norm stands after its convolution, and works before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(images)).mean(dim=(2, 3))


def test_a_network_in_another_order_is_left_alone() -> None:
    model = _Crossed().eval()
    model.norm.running_mean.fill_(0.5)  # type: ignore[union-attr]
    assert fold_batch_norm(model, 16) is model


def test_a_network_without_batch_norms_is_left_alone() -> None:
    model = build("test_vit", "random", 4, 160).model
    assert fold_batch_norm(model, 160) is model
