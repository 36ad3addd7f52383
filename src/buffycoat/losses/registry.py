"""Losses by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from buffycoat.losses.cross_entropy import CrossEntropy
from buffycoat.losses.focal import Focal
from buffycoat.losses.ldam import LDAM
from buffycoat.losses.logit_adjustment import LogitAdjustment
from buffycoat.optional import choose


@dataclass(frozen=True)
class LossSettings:
    """What a loss may depend on.

    Attributes:
        class_counts: Training cells of each class, shape (k,).
        drawn_counts: Cells of each class that the sampler draws, up to a factor, shape (k,).
        gamma: Of the focal loss.
        tau: Of logit adjustment.
        class_weights: Shape (k,), or None for equal weights.
        label_smoothing: 0 for none.
    """

    class_counts: torch.Tensor
    drawn_counts: torch.Tensor
    gamma: float
    tau: float
    class_weights: torch.Tensor | None
    label_smoothing: float


LOSSES: dict[str, Callable[[LossSettings], nn.Module]] = {
    "cross_entropy": lambda s: CrossEntropy(s.class_weights, s.label_smoothing),
    "focal": lambda s: Focal(s.gamma, s.class_weights, s.label_smoothing),
    "logit_adjustment": lambda s: LogitAdjustment(
        s.drawn_counts, s.tau, s.class_weights, s.label_smoothing
    ),
    # Ren et al., arXiv 2007.10740: the same function where tau is 1.
    "balanced_softmax": lambda s: LogitAdjustment(
        s.drawn_counts, 1.0, s.class_weights, s.label_smoothing
    ),
    "ldam": lambda s: LDAM(s.class_counts, s.class_weights, s.label_smoothing),
}


def build_loss(
    name: str,
    class_counts: np.ndarray,
    gamma: float = 2.0,
    tau: float = 1.0,
    class_weights: np.ndarray | None = None,
    label_smoothing: float = 0.0,
    drawn_counts: np.ndarray | None = None,
) -> nn.Module:
    """A loss by name: takes logits (n, k) and targets (n,), gives a scalar.

    Args:
        name: A key of `LOSSES`.
        class_counts: Training cells of each class, shape (k,).
        gamma: Of the focal loss.
        tau: Of logit adjustment.
        class_weights: Shape (k,), or None for equal weights.
        label_smoothing: 0 for none.
        drawn_counts: Cells of each class that the sampler draws, up to a factor, shape (k,): what
            logit adjustment takes out. None where it draws them as they are.

    Returns:
        The loss; its `prior_left` says how much of the log class shares of the cells that were
        drawn is in logits trained with it: 1 all, 0 nothing.

    Raises:
        ConfigError: No such loss.
    """
    factory = choose(LOSSES, name, "loss")
    weights = None
    if class_weights is not None:
        weights = torch.as_tensor(class_weights, dtype=torch.float32)
    counts = torch.as_tensor(np.asarray(class_counts))
    drawn = counts if drawn_counts is None else torch.as_tensor(np.asarray(drawn_counts))
    return factory(LossSettings(counts, drawn, gamma, tau, weights, label_smoothing))
