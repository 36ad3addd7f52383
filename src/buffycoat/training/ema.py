"""Exponential moving average of a model's weights."""

from __future__ import annotations

import torch
from timm.utils.model_ema import ModelEmaV3


def follow(model: torch.nn.Module, decay: float) -> ModelEmaV3:
    """A second copy of a model that follows it slowly; its weights are in `module`.

    The decay warms up as (1 + t) / (10 + t), so that a short run is not held to its start.

    Args:
        model: To be copied.
        decay: After the warm-up, 0 to 1.

    Returns:
        The copy. Call `update(model, t)` after step t, which counts from 1.
    """
    # timm's 1 - (1 + s / gamma) ** -power is that warm-up for gamma 9, power 1 and s = t + 1.
    average = ModelEmaV3(
        model, decay, use_warmup=True, warmup_gamma=9.0, warmup_power=1.0, update_after_step=-2
    )
    average.module.requires_grad_(False)
    return average
