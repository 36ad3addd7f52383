"""Gradients of depthwise layers: another way to compute the same numbers."""

from __future__ import annotations

import pytest
import torch

from buffycoat.backbones import depthwise
from buffycoat.backbones.build import build
from buffycoat.backbones.depthwise import speed_up_gradients


def _gradients(is_fast: bool, precision: torch.dtype | None) -> tuple[int, torch.Tensor, list]:
    torch.manual_seed(0)
    model = build("tf_efficientnet_lite0", "random", 3, 64).model.train()
    layers = speed_up_gradients(model) if is_fast else 0
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype=precision, enabled=precision is not None):
        logits = model(images).float()
    logits.square().sum().backward()
    return layers, logits.detach(), [p.grad for p in model.parameters()]


def test_without_autocast_nothing_changes() -> None:
    layers, fast, fast_gradients = _gradients(True, None)
    _, plain, plain_gradients = _gradients(False, None)
    assert layers == 16  # one a block
    assert torch.equal(fast, plain)
    assert all(torch.equal(a, b) for a, b in zip(fast_gradients, plain_gradients, strict=True))


def test_under_autocast_the_network_gives_what_it_gave() -> None:
    # The gradients of a whole untrained network say nothing: rounding alone turns them.
    _, fast, gradients = _gradients(True, torch.bfloat16)
    _, plain, _ = _gradients(False, torch.bfloat16)
    assert torch.allclose(fast, plain, rtol=0.02, atol=0.02)
    assert all(g.dtype == torch.float32 and g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv3_small_050"])
@pytest.mark.parametrize("px", [64, 75])
def test_one_layer_agrees_with_autograd(name: str, px: int) -> None:
    plain = build(name, "random", 3, 64).model
    fast = build(name, "random", 3, 64).model
    fast.load_state_dict(plain.state_dict())
    speed_up_gradients(fast)
    layers = [
        (a, b)
        for a, b in zip(plain.modules(), fast.modules(), strict=True)
        if isinstance(a, torch.nn.Conv2d) and a.groups > 1
    ]
    for a, b in layers:
        images = torch.randn(2, a.in_channels, px // 4, px // 4)
        found = []
        for layer in (a, b):
            inputs = images.clone().requires_grad_()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                out = layer(inputs)
            out.float().square().sum().backward()
            found.append((out.detach().float(), inputs.grad, layer.weight.grad))
        for one, other in zip(*found, strict=True):
            assert torch.allclose(one, other, rtol=0.05, atol=0.05 * float(one.abs().max()))


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 7), (3, 5), (5, 4)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("images_at_once", [1, 2, 5])
def test_every_geometry_has_the_gradients_of_autograd(
    kernel: tuple[int, int], stride: int, padding: int, dilation: int, images_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """To rounding, however the images are shared out and the kernel is cut."""
    torch.manual_seed(0)
    images = torch.randn(5, 4, 17, 15).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(4, 1, *kernel)
    monkeypatch.setattr(depthwise, "AT_ONCE_BYTES", images_at_once * 4 * images[0].numel())
    geometry = ((stride, stride), (padding, padding), (dilation, dilation))
    found = []
    for convolve in (
        lambda x, w: depthwise._Depthwise.apply(x, w, *geometry),
        lambda x, w: torch.nn.functional.conv2d(x, w, None, *geometry, groups=4),
    ):
        leaves = images.clone().requires_grad_(), weight.clone().requires_grad_()
        out = convolve(*leaves)
        (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum().backward()
        found.append([leaf.grad for leaf in leaves])
    for fast, plain in zip(*found, strict=True):
        assert torch.allclose(fast, plain, rtol=1e-4, atol=1e-4)
