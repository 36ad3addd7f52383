"""Focal loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Focal(nn.Module):
    """Cross-entropy that turns away from rows that are right already.

    Mean over rows of -w_y (1 - p_y)^gamma log p_y (Lin et al., arXiv 1708.02002). Weights scale
    the rows and do not divide the sum, as alpha does in the paper.

    Attributes:
        prior_left: 1: logits contain the log shares of the classes trained on.
    """

    prior_left = 1.0

    def __init__(
        self,
        gamma: float = 2.0,
        class_weights: torch.Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.class_weights: torch.Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.gamma = gamma
        self.label_smoothing = label_smoothing

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Args:
            logits: Shape (n, k).
            targets: Shape (n,), class of each row.

        Returns:
            A scalar.
        """
        log_p = F.log_softmax(logits, dim=1).gather(1, targets[:, None]).squeeze(1)
        nll = F.cross_entropy(
            logits, targets, reduction="none", label_smoothing=self.label_smoothing
        )
        # The clamp keeps the gradient of (1 - p)^gamma finite at p = 1 where gamma < 1.
        loss = (1 - log_p.exp()).clamp_min(1e-8) ** self.gamma * nll
        if self.class_weights is not None:
            loss = self.class_weights[targets] * loss
        return loss.mean()
