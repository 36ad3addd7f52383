"""Cross-entropy with class weights and label smoothing."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from buffycoat.losses.partial import is_partial, partial_cross_entropy


class CrossEntropy(nn.Module):
    """Mean negative log-likelihood; with weights, the weighted mean.

    Label smoothing after Szegedy et al., arXiv 1512.00567.

    Attributes:
        prior_left: 1: logits contain the log shares of the classes trained on.
    """

    prior_left = 1.0

    def __init__(
        self, class_weights: torch.Tensor | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.class_weights: torch.Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)
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
        if is_partial(targets):
            return partial_cross_entropy(logits, targets, weights, self.label_smoothing)
        return F.cross_entropy(
            logits, targets, weight=weights, label_smoothing=self.label_smoothing
        )
