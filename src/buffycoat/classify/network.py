"""The classifier as a torch network that takes pixels; prediction elsewhere needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from buffycoat.backbones.activations import write_anew
from buffycoat.backbones.build import build
from buffycoat.backbones.devices import device, is_cpu_bf16, place, to_tensors
from buffycoat.backbones.folded import fold_batch_norm
from buffycoat.config import ClassifyConfig


class PixelClassifier(nn.Module):
    """A network with its preprocessing.

    Args:
        network: Takes (n, 3, px, px), float32; gives logits (n, k).
        mean: Of each channel on the scale 0-1.
        std: The same.
        log_prior: Shape (k,).
    """

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        log_prior: np.ndarray,
    ) -> None:
        super().__init__()
        self.network = network
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))
        self.register_buffer("log_prior", torch.tensor(log_prior, dtype=torch.float32))

    def forward(self, image: Tensor) -> Tensor:
        """Logits (n, k) under a uniform prior, float32, of pixels (n, px, px, 3), uint8."""
        mean, std, prior = (cast(Tensor, b) for b in (self.mean, self.std, self.log_prior))
        pixels = image.permute(0, 3, 1, 2).float()
        return self.network((pixels / 255 - mean) / std).float() - prior


def make_network(
    state: Mapping[str, np.ndarray],
    config: ClassifyConfig,
    log_prior: np.ndarray,
    is_plain: bool = False,
) -> PixelClassifier:
    """A trained classifier from its weights; half-precision ones become fp32.

    Args:
        state: Name -> array.
        config: The recipe that it was trained with.
        log_prior: Log of the class shares that its logits carry, shape (k,).
        is_plain: Leave layers and their order in memory as they were trained, for an export; else
            they are made fast for torch.
    """
    k = len(log_prior)
    built = build(config.backbone, "random", k, config.input_px, config.dropout, config.head)
    built.model.load_state_dict(to_tensors(state))
    model: nn.Module = built.model.float().eval().requires_grad_(False)
    if not is_plain:
        model = fold_batch_norm(model.to(device()), config.input_px)
        if is_cpu_bf16(device(), config.precision):
            write_anew(model)
        model = place(model)
    return PixelClassifier(model, built.mean, built.std, log_prior).eval()
