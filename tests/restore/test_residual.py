"""The residual network: it starts at no change, takes any size, and all of it takes part."""

from __future__ import annotations

import pytest
import torch

from buffycoat.restore.residual import ResidualUNet


def _images(*size: int) -> torch.Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_it_starts_by_changing_nothing() -> None:
    image = _images(32, 32)
    assert torch.allclose(ResidualUNet(4, depth=2).eval()(image), image, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (17, 45), (3, 5), (1, 40)])
def test_any_size_comes_back_as_it_went_in(size: tuple[int, int]) -> None:
    network = _moved(ResidualUNet(4, depth=3)).eval()
    output = network(_images(*size))
    assert output.shape == (2, 3, *size)
    assert output.abs().max() <= 1


def test_every_weight_takes_part() -> None:
    network = _moved(ResidualUNet(4, depth=2, blocks=2))
    network(_images(32, 32)).square().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def _moved(network: ResidualUNet) -> ResidualUNet:
    """Away from its start, where the last layers are zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for layer in (network.light.trust, network.light.bend, network.leave):
            layer.weight.normal_(0, 0.1)
    return network
