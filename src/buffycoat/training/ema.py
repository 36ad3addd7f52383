"""Exponential moving average of a model's weights."""

from __future__ import annotations

import copy

import torch


class Average:
    """A second copy of a model that follows it slowly.

    The decay warms up as (1 + t) / (10 + t), so that a short run is not held to its start.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: torch.nn.Module) -> None:
        """Move towards the model; counters and other integers are copied."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        pairs = zip(self.model.state_dict().values(), model.state_dict().values(), strict=True)
        for mine, new in pairs:
            if mine.is_floating_point():
                mine.lerp_(new, 1 - decay)
            else:
                mine.copy_(new)
