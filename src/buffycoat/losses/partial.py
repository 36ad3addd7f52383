"""Labels that leave several classes open."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def is_partial(targets: torch.Tensor) -> bool:
    """Whether targets are the classes that each row allows, shape (n, k), bool."""
    return targets.dtype == torch.bool


def partial_log_probs(
    logits: torch.Tensor, allowed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a model says of the classes that each row allows, taken together.

    Args:
        logits: Shape (n, k).
        allowed: Shape (n, k), bool, one class or several a row.

    Returns:
        Log of their summed probability, shape (n,); and how the model shares it among them, shape
        (n, k), without gradient.
    """
    inside = F.log_softmax(logits, dim=1).masked_fill(~allowed, float("-inf"))
    return torch.logsumexp(inside, dim=1), inside.detach().softmax(dim=1)


def partial_cross_entropy(
    logits: torch.Tensor,
    allowed: torch.Tensor,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Mean over rows of -log of the summed probability of the classes that a row allows.

    The likelihood of a coarse label (Grandvalet 2002; Cour et al., JMLR 12, 2011). A row that
    allows one class counts as in torch's `cross_entropy`, class weights and label smoothing
    included; the weight of a row that allows several is the mean of theirs, as the model shares the
    row among them (the E-step of EM).

    Args:
        logits: Shape (n, k).
        allowed: Shape (n, k), bool, one class or several a row.
        class_weights: Shape (k,), or None for equal weights.
        label_smoothing: Share of every row that all classes get alike.

    Returns:
        A scalar.
    """
    log_sum, shares = partial_log_probs(logits, allowed)
    weights = logits.new_ones(logits.shape[1]) if class_weights is None else class_weights
    of_row = shares @ weights
    terms = -(1 - label_smoothing) * of_row * log_sum
    if label_smoothing:
        spread = -(F.log_softmax(logits, dim=1) @ weights)
        terms = terms + label_smoothing / logits.shape[1] * spread
    return terms.sum() / of_row.sum()
