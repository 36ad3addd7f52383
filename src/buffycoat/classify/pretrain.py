"""A backbone learns from cells without labels: two views of a cell are alike, those of others not.

SimCLR (Chen et al., arXiv 2002.05709). The views are those of the classifier's training, simulated
degradation included, so what the backbone learns to overlook is what a label does not depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.optim import (
    param_groups_weight_decay,  # pyright: ignore[reportPrivateImportUsage]
)
from torch import nn

from buffycoat.backbones.activations import write_anew
from buffycoat.backbones.build import BuiltBackbone, build
from buffycoat.backbones.depthwise import speed_up_gradients
from buffycoat.backbones.devices import is_cpu_bf16
from buffycoat.backbones.memory import keep_freed_memory
from buffycoat.classify.augment import augment
from buffycoat.classify.trainee import schedule
from buffycoat.config import ClassifyConfig, PretrainConfig
from buffycoat.losses.supcon import SupCon
from buffycoat.progress import Progress
from buffycoat.training.devices import make_fabric
from buffycoat.training.loop import fit

Pairs = tuple[np.ndarray, np.ndarray]
"""Views (2b, s, s, 3), uint8, and the cell that each shows, shape (2b,)."""


@dataclass(frozen=True)
class PretextTask:
    """What the views of a batch are compared by.

    Attributes:
        head: From the number of the backbone's features, what follows it in this training alone.
        loss: From the head's output, shape (2b, d), and the cell of each row, shape (2b,), to a
            scalar; row i and row b + i show one cell.
        mask: What the normalised views, shape (2b, 3, s, s), pass before the backbone.
    """

    head: Callable[[int], nn.Module]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    mask: Callable[[torch.Tensor], torch.Tensor] | None = None


def contrastive(settings: PretrainConfig) -> PretextTask:
    """That of SimCLR: a projection of two layers, cosine similarities over a temperature."""

    def head(width: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, settings.projection)
        )

    return PretextTask(head, SupCon(settings.temperature))


def fit_backbone(
    images: np.ndarray,
    recipe: ClassifyConfig,
    settings: PretrainConfig,
    seed: int,
    checkpoint: Path | None,
    on_progress: Progress | None = None,
    task: PretextTask | None = None,
) -> tuple[nn.Module, BuiltBackbone, list[dict[str, float]]]:
    """Train a backbone further.

    Args:
        images: Working images, shape (n, w, w, 3), uint8; may be memory-mapped.
        recipe: Gives backbone, initial weights, input size and augmentation.
        settings: Of this training.
        seed: Of order and augmentation.
        checkpoint: File to resume from and write to after each epoch; None for none.
        on_progress: Called with (steps done, steps in all).
        task: None for `contrastive`.

    Returns:
        The backbone without a classifier, what it was built from, and the loss of each epoch.
    """
    keep_freed_memory()
    torch.manual_seed(seed)
    built = build(recipe.backbone, recipe.weights, 0, recipe.input_px)
    fabric = make_fabric(recipe.precision)
    batch_size = min(settings.batch_size, len(images))
    steps = len(images) // batch_size
    task = task or contrastive(settings)
    trainee = _Trainee(fabric, built, recipe, settings, task, steps * settings.epochs)
    history = fit(
        trainee,
        lambda epoch: pairs(images, recipe, batch_size, seed, epoch),
        settings.epochs,
        steps,
        checkpoint,
        seed,
        on_progress,
    )
    return built.model.eval(), built, history


def pairs(
    images: np.ndarray, recipe: ClassifyConfig, batch_size: int, seed: int, epoch: int
) -> Iterator[Pairs]:
    """The batches of an epoch: each cell once, by two random views.

    The last incomplete batch is left out. Everything random follows from seed, epoch and place.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(images))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        cells = np.tile(order[start : start + batch_size], 2)
        views = [
            augment(images[cell], np.random.default_rng((seed, epoch, start, place)), recipe)
            for place, cell in enumerate(cells)
        ]
        yield np.stack(views), cells


class _Trainee:
    """A backbone and, for the training alone, what follows it."""

    def __init__(
        self,
        fabric: Any,
        built: BuiltBackbone,
        recipe: ClassifyConfig,
        settings: PretrainConfig,
        task: PretextTask,
        steps: int,
    ) -> None:
        width: int = built.model.num_features  # type: ignore[assignment]
        self.net = nn.Sequential(built.model, task.head(width)).train()
        if is_cpu_bf16(fabric.device, recipe.precision):
            speed_up_gradients(self.net)
            write_anew(self.net)
        self.fabric = fabric
        optimiser = torch.optim.AdamW(
            param_groups_weight_decay(self.net, recipe.weight_decay), lr=settings.learning_rate
        )
        net = self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model, self.optimiser = fabric.setup(net, optimiser)
        paced = {"epochs": settings.epochs, "learning_rate": settings.learning_rate}
        self.schedule = schedule(self.optimiser, recipe.model_copy(update=paced), steps)
        self.steps_done = 0
        self.task = task
        self.mean = torch.tensor(built.mean, device=fabric.device).view(1, 3, 1, 1)
        self.std = torch.tensor(built.std, device=fabric.device).view(1, 3, 1, 1)

    def step(self, batch: Pairs) -> dict[str, torch.Tensor]:
        """One optimisation step on a batch of pairs."""
        views, cells = (self.fabric.to_device(torch.from_numpy(part)) for part in batch)
        inputs = (views.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        if self.task.mask is not None:
            inputs = self.task.mask(inputs)
        found = self.model(inputs.contiguous(memory_format=torch.channels_last))
        loss = self.task.loss(found.float(), cells)
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.optimiser.step()
        self.steps_done += 1
        self.schedule.step_update(self.steps_done)
        return {"loss": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        """All that training goes on from."""
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier state."""
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps_done = state["steps_done"]
