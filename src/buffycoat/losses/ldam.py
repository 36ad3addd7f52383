"""Label-distribution-aware margin loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from buffycoat.backbones.cosine import COSINE_SCALE
from buffycoat.losses.logit_adjustment import ABSENT_COUNT

MAX_MARGIN = 0.5
"""Of the rarest class, as a difference of cosines; scale and margin are the authors'."""


class LDAM(nn.Module):
    """Cross-entropy after the logit of the true class was lowered by its margin.

    The margin of a class of n cells goes with n^(-1/4): rare classes are kept farther from the
    boundary (Cao et al., arXiv 1906.07413). It is measured between cosines, so the network must
    end in a `backbones.cosine.CosineClassifier`.

    Attributes:
        prior_left: 1: logits contain the log shares of the classes trained on.
        margin: Of each class on the scale of the logits, shape (k,).
    """

    prior_left = 1.0

    def __init__(
        self,
        class_counts: torch.Tensor,
        class_weights: torch.Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        counts = class_counts.double()
        counts = torch.where(counts > 0, counts, torch.full_like(counts, ABSENT_COUNT))
        margin = counts**-0.25
        self.margin: torch.Tensor
        self.class_weights: torch.Tensor | None
        margin = COSINE_SCALE * MAX_MARGIN * margin / margin.max()
        self.register_buffer("margin", margin.float(), persistent=False)
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.label_smoothing = label_smoothing

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Args:
            logits: Shape (n, k), cosines times `COSINE_SCALE`.
            targets: Shape (n,), class of each row.

        Returns:
            A scalar.
        """
        margins = F.one_hot(targets, logits.shape[1]) * self.margin[targets, None].to(logits.dtype)
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        return F.cross_entropy(
            logits - margins, targets, weight=weights, label_smoothing=self.label_smoothing
        )
