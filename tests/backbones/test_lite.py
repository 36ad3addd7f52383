from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from buffycoat.backbones import lite
from buffycoat.backbones.build import build
from buffycoat.backbones.weights import wheel_path

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""Of EfficientNet-Lite0's 16 blocks."""


def _same(x: torch.Tensor, weight: torch.Tensor, stride: int, groups: int = 1) -> torch.Tensor:
    """TensorFlow's "same" convolution: what does not divide evenly is padded right and below."""
    kernel, side = weight.shape[-1], x.shape[-1]
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    low = total // 2
    x = F.pad(x, (low, total - low, low, total - low))
    return F.conv2d(x, weight, stride=stride, groups=groups)


def _reference_features(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """EfficientNet-Lite0 straight from the wheel's own names."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = F.relu6(norm(_same(x, state["_conv_stem.weight"], 2), "_bn0"))
    for number, stride in enumerate(STRIDES):
        block, before = f"_blocks.{number}", x
        if f"{block}._expand_conv.weight" in state:
            x = F.conv2d(x, state[f"{block}._expand_conv.weight"])
            x = F.relu6(norm(x, f"{block}._bn0"))
        depthwise = state[f"{block}._depthwise_conv.weight"]
        x = F.relu6(norm(_same(x, depthwise, stride, groups=len(depthwise)), f"{block}._bn1"))
        x = norm(F.conv2d(x, state[f"{block}._project_conv.weight"]), f"{block}._bn2")
        if stride == 1 and x.shape == before.shape:
            x = x + before
    return F.relu6(norm(F.conv2d(x, state["_conv_head.weight"]), "_bn1")).mean(dim=(2, 3))


@pytest.mark.parametrize("px", [64, 75])
def test_the_mapped_model_gives_the_features_of_the_original_architecture(px: int) -> None:
    state = lite._read(wheel_path("tf_efficientnet_lite0"))
    model = build("tf_efficientnet_lite0", "wheel", 0, px).model
    x = torch.randn(2, 3, px, px, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, features = _reference_features(state, x), model(x)
    assert expected.std() > 0.01
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)


def test_every_parameter_of_the_wheel_finds_a_place_in_timm() -> None:
    import timm

    names = list(timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict())
    assert sorted(lite.load_lite("tf_efficientnet_lite0", names)) == sorted(names)
