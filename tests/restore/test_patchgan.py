"""The discriminator: what one of its logits sees."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from buffycoat.restore.patchgan import PatchGAN, receptive_field_px


@pytest.mark.parametrize(("n_layers", "side"), [(1, 16), (2, 34), (3, 70)])
def test_receptive_field_by_gradient(n_layers: int, side: int) -> None:
    network = PatchGAN(4, n_layers).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)  # so that no path cancels another
    image = torch.rand(1, 3, 160, 160, requires_grad=True)
    logits = network(image, torch.rand(1, 3, 160, 160))
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    assert image.grad is not None
    seen = image.grad.abs().sum(dim=(0, 1)) > 0
    assert int(seen.any(dim=0).sum()) == int(seen.any(dim=1).sum()) == side
    assert receptive_field_px(n_layers) == side


def test_the_papers_channels() -> None:
    layers = [m for m in PatchGAN(64, 3).modules() if isinstance(m, nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == [64, 128, 256, 512, 1]
    assert layers[0].in_channels == 6


def test_spectral_normalisation_bounds_every_layer() -> None:
    network = PatchGAN(8, 2, norm="spectral")
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("weight.original"):
                weight.mul_(50)
    for _ in range(30):  # each pass improves the estimate of the largest singular value
        network(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32))
    network.eval()
    convolutions = [m for m in network.layers if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 4
    for layer in convolutions:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item() < 1.05
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
