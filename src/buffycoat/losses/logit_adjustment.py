"""Logit-adjusted cross-entropy."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from buffycoat.losses.partial import is_partial, partial_cross_entropy

ABSENT_COUNT = 0.5
"""Cells that a class without any counts for: its log share must be finite."""


class LogitAdjustment(nn.Module):
    """Cross-entropy of logits + tau * log(class share).

    Menon et al., arXiv 2007.07314; with tau 1 also balanced softmax (arXiv 2007.10740). What
    the class shares explain is added here, so the network's own logits are left without it:
    with tau 1 they score as if all classes were equally common.

    Attributes:
        prior_left: 1 - tau: how much of the log shares logits still contain; with tau 1 they are
            those of a uniform prior.
        offset: tau * log share of each class, shape (k,).
    """

    def __init__(
        self,
        class_counts: torch.Tensor,
        tau: float = 1.0,
        class_weights: torch.Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        counts = class_counts.double()
        counts = torch.where(counts > 0, counts, torch.full_like(counts, ABSENT_COUNT))
        self.offset: torch.Tensor
        self.class_weights: torch.Tensor | None
        offset = tau * torch.log(counts / counts.sum())
        self.register_buffer("offset", offset.float(), persistent=False)
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.prior_left = 1.0 - tau
        self.label_smoothing = label_smoothing

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Args:
            logits: Shape (n, k).
            targets: Shape (n,), class of each row; or (n, k), its shares of the classes; or (n, k),
                bool, the classes that it may be of.

        Returns:
            A scalar.
        """
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        adjusted = logits + self.offset
        if is_partial(targets):
            return partial_cross_entropy(adjusted, targets, weights, self.label_smoothing)
        return F.cross_entropy(
            adjusted, targets, weight=weights, label_smoothing=self.label_smoothing
        )
