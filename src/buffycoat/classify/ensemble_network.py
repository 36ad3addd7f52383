"""The whole classifier as one torch network: every model, every view, calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.network import make_network
from buffycoat.classify.views import VIEWS

FLOOR = 1e-12
"""Under the mean probability of views, as `fuse.calibrate` has it."""


class EnsembleNetwork(nn.Module):
    """What a bundle's classifier says of crops, under a uniform mix of the classes.

    Args:
        models: The classifier.
        temperatures: Of each model.
        average: "geometric" or "arithmetic": the mean over models.
        sharpness: The mean's logarithm is multiplied by this before it is normalised.
        is_known: Classes that training had cells of, shape (k,), bool; others get 0.
    """

    def __init__(
        self,
        models: Sequence[FoldModel],
        temperatures: Sequence[float],
        average: str,
        sharpness: float,
        is_known: np.ndarray,
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            make_network(model.state, model.config, model.log_prior, is_plain=True)
            for model in models
        )
        self.temperatures, self.average, self.sharpness = tuple(temperatures), average, sharpness
        self.views = VIEWS[models[0].config.views]
        self.register_buffer("is_known", torch.tensor(is_known, dtype=torch.float32))

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities (n, k), float32, of crops (n, px, px, 3), uint8, RGB."""
        views = [_turn(image, *view) for view in self.views]
        pixels = torch.cat(views)
        logs = [
            self._of_model(network(pixels), temperature)
            for network, temperature in zip(self.networks, self.temperatures, strict=True)
        ]
        stacked = torch.stack(logs)
        if self.average == "geometric":
            mean = stacked.mean(dim=0)
        else:
            mean = stacked.exp().mean(dim=0).clamp(min=FLOOR).log()
        probs = functional.softmax(mean * self.sharpness, dim=1) * cast(Tensor, self.is_known)
        return probs / probs.sum(dim=1, keepdim=True)

    def _of_model(self, logits: Tensor, temperature: float) -> Tensor:
        """Log of the mean probability of a model's views (v * n, k), shape (n, k)."""
        probs = functional.softmax(logits / temperature, dim=1)
        by_view = probs.reshape(len(self.views), -1, probs.shape[1])
        return by_view.mean(dim=0).clamp(min=FLOOR).log()


def _turn(image: Tensor, transpose: bool, rows: bool, columns: bool) -> Tensor:
    turned = image.transpose(1, 2) if transpose else image
    axes = [axis for axis, mirror in ((1, rows), (2, columns)) if mirror]
    return turned.flip(axes) if axes else turned
