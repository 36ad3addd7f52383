"""Supervised contrastive loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def has_positive(targets: torch.Tensor) -> torch.Tensor:
    """Which rows of a batch have another row of their class in it.

    Args:
        targets: Shape (n,).

    Returns:
        Shape (n,), bool.
    """
    return (targets[:, None] == targets[None, :]).sum(dim=1) > 1


class SupCon(nn.Module):
    """Rows of a class attract, all others repel.

    L_out of Khosla et al., arXiv 2004.11362: for each anchor the mean over its positives of
    -log softmax of the similarity, over all rows but the anchor. An anchor without a positive
    says nothing: it stays in the others' denominators and out of the mean over anchors.
    `has_positive` counts them. A batch without any gives 0, with zero gradients.

    Args:
        temperature: Divides the cosine similarities.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, projections: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Args:
            projections: Shape (n, d); L2-normalised here.
            targets: Shape (n,), class of each row.

        Returns:
            A scalar.
        """
        unit = F.normalize(projections, dim=1)
        itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
        similarity = (unit @ unit.T / self.temperature).masked_fill(itself, float("-inf"))
        log_p = similarity - torch.logsumexp(similarity, dim=1, keepdim=True)
        positives = (targets[:, None] == targets[None, :]) & ~itself
        anchors = positives.any(dim=1)
        if not bool(anchors.any()):
            return projections.sum() * 0.0
        sums = log_p.masked_fill(~positives, 0.0).sum(dim=1)[anchors]
        return -(sums / positives.sum(dim=1)[anchors]).mean()
