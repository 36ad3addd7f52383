"""Keeping the weights of the epoch that scored best on cells set aside for that."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from buffycoat.backbones.devices import autocast
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.classify.views import centre
from buffycoat.config import ClassifyConfig
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion

CELLS_AT_ONCE = 64


class BestEpoch:
    """The best weights so far, by balanced macro-F1 of one view of each cell.

    Args:
        cells: What an epoch is scored on; at least one.
        config: The recipe: crop and input size.
        mean: Of each channel, shape (1, 3, 1, 1), on the training device.
        std: Of each channel, same shape.
    """

    def __init__(
        self, cells: TrainingCells, config: ClassifyConfig, mean: torch.Tensor, std: torch.Tensor
    ) -> None:
        self.cells, self.config = cells, config
        self.mean, self.std = mean, std
        self.score = -1.0
        self.state: dict[str, torch.Tensor] = {}

    def offer(self, model: torch.nn.Module) -> float:
        """Score the model as it is now, and keep a copy of its weights if none was better.

        Returns:
            Its balanced macro-F1.
        """
        was_training = model.training
        predicted = self._predict(model.eval())
        model.train(was_training)
        table = confusion(self.cells.targets, predicted, self.cells.n_classes)
        score = float(class_weighted_macro_f1(table))
        if score > self.score:
            self.score, self.state = score, copy.deepcopy(model.state_dict())
        return score

    @torch.inference_mode()
    def _predict(self, model: torch.nn.Module) -> np.ndarray:
        found = []
        for start in range(0, len(self.cells.rows), CELLS_AT_ONCE):
            rows = self.cells.rows[start : start + CELLS_AT_ONCE]
            crops = np.stack(
                [
                    centre(self.cells.images[r], self.config.crop_fraction, self.config.input_px)
                    for r in rows
                ]
            )
            pixels = torch.from_numpy(crops).to(self.mean.device).permute(0, 3, 1, 2).float()
            images = ((pixels / 255 - self.mean) / self.std).contiguous(
                memory_format=torch.channels_last
            )
            with autocast(self.config.precision):
                found.append(model(images).argmax(dim=1).cpu().numpy())
        return np.concatenate(found)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"score": self.score, "state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier best."""
        self.score, self.state = state["score"], state["state"]
