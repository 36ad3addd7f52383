"""MixStyle: early feature maps take on the style of another cell while a network is trained.

Mean and spread of a channel over a picture carry stain, lamp and camera more than they carry the
cell. Mixed between the cells of a batch, they make pictures of laboratories in between (Zhou et
al., ICLR 2021, arXiv 2104.02008). At prediction nothing is mixed, and nothing is stored.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from buffycoat.errors import ConfigError

ALPHA = 0.1
"""The share is drawn from Beta(ALPHA, ALPHA); the paper's value."""
N_STAGES = 3
"""Stages after whose last layer styles are mixed; the paper mixes after the first two or three."""
MIN_VARIANCE = 1e-6
_NO_MAPS = "vary.features needs a convolutional backbone: set classify.vary.features=0"


def mix_styles(model: Any, probability: float) -> None:
    """Let the early stages of a network mix styles in training mode, from now on.

    Args:
        model: A timm model with maps (n, c, h, w); changed in place, no weights are added.
        probability: That a stage mixes a batch.

    Raises:
        ConfigError: The backbone states no stages; one without maps raises it at its first batch.
    """
    names = [stage["module"] for stage in getattr(model, "feature_info", ())][:N_STAGES]
    known = dict(model.named_modules())
    if not names or any(name not in known for name in names):
        raise ConfigError(_NO_MAPS)

    def mix(module: nn.Module, _: Any, maps: Tensor) -> Tensor:
        if not module.training or torch.rand(()) >= probability:
            return maps
        return _mixed(maps)

    for name in names:
        known[name].register_forward_hook(mix)


def _mixed(maps: Tensor) -> Tensor:
    """Maps (n, c, h, w) with their channels' mean and spread partly of another row's."""
    if maps.ndim != 4:
        raise ConfigError(_NO_MAPS)
    values = maps.float()
    variance, mean = torch.var_mean(values.detach(), dim=(2, 3), keepdim=True, correction=0)
    spread = (variance + MIN_VARIANCE).sqrt()  # (n, c, 1, 1)
    share = torch.distributions.Beta(ALPHA, ALPHA).sample((len(maps), 1, 1, 1)).to(maps.device)
    other = torch.randperm(len(maps)).to(maps.device)
    new_mean = share * mean + (1 - share) * mean[other]
    new_spread = share * spread + (1 - share) * spread[other]
    return ((values - mean) / spread * new_spread + new_mean).to(maps.dtype)
