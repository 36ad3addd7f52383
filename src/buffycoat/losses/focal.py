"""Focal loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from buffycoat.losses.partial import is_partial, partial_log_probs


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
            targets: Shape (n,), class of each row; or (n, k), bool, the classes that it may be of,
                whose probabilities are summed.

        Returns:
            A scalar.
        """
        allowed = targets
        if not is_partial(targets):
            allowed = F.one_hot(targets, logits.shape[1]).bool()
        log_p, shares = partial_log_probs(logits, allowed)
        spread = -F.log_softmax(logits, dim=1).mean(dim=1)
        nll = self.label_smoothing * spread - (1 - self.label_smoothing) * log_p
        # The clamp keeps the gradient of (1 - p)^gamma finite at p = 1 where gamma < 1.
        loss = (1 - log_p.exp()).clamp_min(1e-8) ** self.gamma * nll
        if self.class_weights is not None:
            loss = (shares @ self.class_weights.to(logits.dtype)) * loss
        return loss.mean()
