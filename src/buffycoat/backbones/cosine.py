"""A classifier that sees the direction of a feature and not its length."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

COSINE_SCALE = 30.0
"""Cosines lie in -1 to 1, too close for a softmax: logits are so many times as large."""


class CosineClassifier(nn.Module):
    """Logits are cosines between feature and class direction, times `COSINE_SCALE`.

    The length of a class's weights grows with its number of cells, and with it its logits; here it
    has none (Wang et al., CosFace, arXiv 1801.09414).

    Args:
        in_features: d.
        out_features: k.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.normal_(self.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (n, d) to logits (n, k)."""
        return COSINE_SCALE * F.linear(
            F.normalize(features, dim=1), F.normalize(self.weight, dim=1)
        )
