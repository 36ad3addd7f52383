"""Feature maps of a frozen network, through which gradients pass to its input."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from buffycoat.backbones.build import build
from buffycoat.errors import ConfigError

LAYERS = 3
"""Maps from the first stages, at 1/2 to 1/8 of the image's side: edges, granules, chromatin."""


class FrozenFeatures(nn.Module):
    """The first stages of a pretrained network.

    Args:
        name: Any timm model that gives its intermediate features.
        weights: As in `backbones.build.build`.
        input_px: A size that the network takes; convolutional ones then take any.

    Raises:
        ConfigError: The model gives no intermediate features.
        WeightsNotFoundError: Its weights are not where the settings say.
    """

    def __init__(self, name: str, weights: str, input_px: int) -> None:
        super().__init__()
        built = build(name, weights, 0, input_px)
        if not hasattr(built.model, "forward_intermediates"):
            raise ConfigError(f"{name!r} gives no intermediate features; set feature_weight=0")
        self.model = built.model.eval().requires_grad_(False)
        scale = (torch.tensor(built.std), torch.tensor(built.mean))
        self.register_buffer("std", scale[0].view(1, 3, 1, 1))
        self.register_buffer("mean", scale[1].view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images (n, 3, h, w) with values -1 to 1, from large to small."""
        std, mean = cast(Tensor, self.std), cast(Tensor, self.mean)
        inputs = ((images + 1) / 2 - mean) / std
        maps = self.model.forward_intermediates(  # type: ignore[operator]
            inputs, indices=list(range(LAYERS)), intermediates_only=True, stop_early=True
        )
        return list(maps)
