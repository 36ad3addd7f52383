"""Teach the last stage of a classifier from a few labelled cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

from buffycoat.learn.tail import Tail
from buffycoat.losses.partial import partial_log_probs

STEPS = 150
AT_ONCE = 32
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
NOISE = 0.1
"""Spread of the factors that channels of the maps are multiplied by, one for each cell and channel:
stands for differences between photographs that so few cells do not show."""
FEWEST = 5
"""A label with fewer cells counts as if it had so many, lest one cell be drawn all the time."""


def learn(tail: Tail, maps: Tensor, allowed: np.ndarray, seed: int = 0) -> None:
    """Teach a last stage; it must be as it was trained.

    Each step draws cells, each label alike, from a random side. The loss is the negative log of the
    summed probability of the classes that a label allows. Batch norms keep their statistics.

    Args:
        tail: Changed in place.
        maps: Of the labelled cells, shape (n, 8, ...).
        allowed: Shape (n, k), bool: one class for a class label, several for a group.
        seed: Of the draws.
    """
    parameters = tail.parameters(maps)
    optimiser = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS)
    rng = torch.Generator().manual_seed(seed)
    targets, weights = torch.from_numpy(allowed), torch.from_numpy(draw_weights(allowed))
    for _ in range(STEPS):
        rows = torch.multinomial(weights, AT_ONCE, replacement=True, generator=rng)
        sides = torch.randint(maps.shape[1], (AT_ONCE,), generator=rng)
        seen = maps[rows, sides].float()
        channels = (*seen.shape[:2], *(1 for _ in seen.shape[2:]))
        logits = tail(seen * (1 + NOISE * torch.randn(channels, generator=rng)))
        loss = -partial_log_probs(logits, targets[rows])[0].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def draw_weights(allowed: np.ndarray) -> np.ndarray:
    """How often each cell is drawn, shape (n,), sum 1: labels alike, but for those of few cells.

    Args:
        allowed: Shape (n, k), bool.
    """
    _, label, counts = np.unique(allowed, axis=0, return_inverse=True, return_counts=True)
    weights = 1.0 / np.maximum(counts, FEWEST)[label.ravel()]
    return weights / weights.sum()
