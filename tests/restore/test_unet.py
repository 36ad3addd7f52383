"""The generator: the paper's architecture, any image size, and no chance in evaluation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from buffycoat.errors import ConfigError
from buffycoat.restore.unet import UNet


def test_the_papers_network_has_its_channels_and_parameters() -> None:
    with torch.device("meta"):
        network = UNet(base_channels=64, depth=8, dropout=0.5)
    encoder = [m for m in network.down.modules() if isinstance(m, nn.Conv2d)]
    assert [layer.out_channels for layer in encoder] == [64, 128, 256, 512, 512, 512, 512, 512]
    decoder = [m for m in network.up.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in reversed(decoder)] == [512] * 4 + [256, 128, 64, 3]
    assert sum(isinstance(m, nn.Dropout) for m in network.modules()) == 3
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 13
    # 54.414 million is what the authors' PyTorch code reports for U-Net-256.
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == 54.414


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("size", [(32, 32), (17, 45), (3, 5), (1, 40)])
def test_any_size_comes_back_as_it_went_in(norm: str, size: tuple[int, int]) -> None:
    network = UNet(4, depth=3, norm=norm).eval()
    image = torch.rand(2, 3, *size) * 2 - 1
    output = network(image)
    assert output.shape == image.shape
    assert output.abs().max() <= 1


def test_evaluation_is_free_of_chance_and_of_neighbours() -> None:
    torch.manual_seed(0)
    network = UNet(4, depth=3, dropout=0.5)
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))
    assert torch.allclose(network(images)[:1], network(images[:1]), atol=1e-6)


def test_an_unknown_norm_names_the_options() -> None:
    with pytest.raises(ConfigError, match=r"unknown norm 'batchh'.*'batch'"):
        UNet(4, depth=2, norm="batchh")
