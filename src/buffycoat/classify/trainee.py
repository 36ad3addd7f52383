"""What the training loop trains: a network with its loss, optimiser and schedule."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from timm.optim import (
    param_groups_layer_decay,  # pyright: ignore[reportPrivateImportUsage]
    param_groups_weight_decay,  # pyright: ignore[reportPrivateImportUsage]
)
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch.nn import BatchNorm2d

from buffycoat.backbones.activations import write_anew
from buffycoat.backbones.build import BuiltBackbone
from buffycoat.backbones.depthwise import speed_up_gradients
from buffycoat.backbones.devices import is_cpu_bf16
from buffycoat.backbones.frozen import frozen_modules
from buffycoat.classify.mix import Mixed
from buffycoat.classify.selection import BestEpoch
from buffycoat.classify.style import mix_styles
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import ClassifyConfig
from buffycoat.losses.registry import build_loss
from buffycoat.training.ema import follow
from buffycoat.training.samplers import class_weights


class Classifier:
    """The trainee: backbone, loss, AdamW with warm-up and cosine.

    Args:
        fabric: Device and precision; with several processes each sees its part of a batch.
        backbone: Trained in place.
        config: The recipe.
        cells: What is learned from; their images are not touched here.
        steps: In all.
        validation: Cells to pick an epoch on; None keeps the last.
    """

    def __init__(
        self,
        fabric: Any,
        backbone: BuiltBackbone,
        config: ClassifyConfig,
        cells: TrainingCells,
        steps: int,
        validation: TrainingCells | None = None,
    ) -> None:
        self.fabric = fabric
        self.loss = _build_loss(config, cells, config.class_weights, config.sampler)
        self.early_loss = _build_loss(config, cells, "none", "instance")
        self.shared = None
        if config.maturation_smoothing:
            shared = torch.from_numpy(cells.shared_targets(config.maturation_smoothing)).float()
            self.shared = shared.to(self.fabric.device)
        self.allowed = torch.from_numpy(cells.allowed).to(self.fabric.device)
        self.has_groups = cells.groups is not None
        for loss in (self.loss, self.early_loss):
            loss.to(self.fabric.device)
        self.early_steps = config.early_epochs * steps // config.epochs
        self.backbone = backbone
        optimiser = torch.optim.AdamW(groups(backbone.model, config), lr=config.learning_rate)
        self.micro_batch = config.micro_batch
        if is_cpu_bf16(self.fabric.device, config.precision):
            speed_up_gradients(backbone.model)
            write_anew(backbone.model)
        if config.vary.features:
            mix_styles(backbone.model, config.vary.features)
        self.net = backbone.model.to(memory_format=torch.channels_last)
        self.model, self.optimiser = self.fabric.setup(self.net, optimiser)
        self.schedule = schedule(self.optimiser, config, steps)
        self.steps_done = 0
        self.average = follow(self.net, config.ema_decay) if config.ema_decay else None
        self.mean = torch.tensor(backbone.mean, device=self.fabric.device).view(1, 3, 1, 1)
        self.std = torch.tensor(backbone.std, device=self.fabric.device).view(1, 3, 1, 1)

        self.best = (
            None if validation is None else BestEpoch(validation, config, self.mean, self.std)
        )
        self.frozen = frozen_modules(self.net)
        if config.norm == "frozen":
            self.frozen += [m for m in self.net.modules() if isinstance(m, BatchNorm2d)]
        classifier: Any = backbone.model
        head = {id(parameter) for parameter in classifier.get_classifier().parameters()}
        # A phase in which only the last layer learns takes its features without dropout.
        self.is_head_only = all(id(p) in head for p in self.net.parameters() if p.requires_grad)

    @property
    def current(self) -> torch.nn.Module:
        """The model as it would be kept now."""
        return self.average.module if self.average else self.net

    def result(self) -> torch.nn.Module:
        """The model that is kept, in evaluation mode."""
        if self.best is not None:
            self.current.load_state_dict(self.best.state)
        return self.current.eval()

    def validate(self) -> dict[str, float]:
        """Offer the epoch that has ended, where one is to be picked."""
        return {} if self.best is None else {"validation_macro_f1": self.best.offer(self.current)}

    def step(self, batch: tuple[Mixed, np.ndarray]) -> dict[str, torch.Tensor]:
        """One optimisation step on a batch, in memory a micro-batch at a time."""
        self.model.train(not self.is_head_only)
        for module in self.frozen:
            module.eval()
        mixed, labels = batch
        parts = (mixed.pixels, labels, labels[mixed.partner])
        rows = len(labels)
        at_once = self.micro_batch or rows
        self.optimiser.zero_grad()
        found = []
        for start in range(0, rows, at_once):
            taken = [
                self.fabric.to_device(torch.from_numpy(part[start : start + at_once]))
                for part in parts
            ]
            metrics = self._backward(taken, mixed.share, len(taken[1]) / rows)
            found.append(metrics)
        self.optimiser.step()
        self.steps_done += 1
        self.schedule.step_update(self.steps_done)
        if self.average:
            self.average.update(self.net, self.steps_done)
        sums = {name: torch.stack([one[name] for one in found]).sum() for name in found[0]}
        return self.fabric.all_reduce(sums, reduce_op="mean")

    def _backward(
        self,
        taken: list[torch.Tensor],
        share: float,
        weight: float,
    ) -> dict[str, torch.Tensor]:
        """Add the gradients of some rows, a share `weight` of the batch, and give their metrics."""
        pixels, targets, seconds = taken
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        logits = self.model(images.contiguous(memory_format=torch.channels_last))
        is_early = self.steps_done < self.early_steps
        criterion = self.early_loss if is_early else self.loss
        loss = criterion(logits.float(), self._expected(targets))
        if share < 1:
            loss = share * loss + (1 - share) * criterion(logits.float(), self._expected(seconds))
        loss = weight * loss
        self.fabric.backward(loss)
        right = self.allowed[targets, logits.argmax(1)].float().mean()
        return {"loss": loss.detach(), "accuracy": weight * right}

    def _expected(self, targets: torch.Tensor) -> torch.Tensor:
        """What the loss compares with: classes, their shares, or the classes that are allowed."""
        if self.has_groups:
            return self.allowed[targets]
        return targets if self.shared is None else self.shared[targets]

    def state_dict(self) -> dict[str, Any]:
        """All that training goes on from."""
        state = {
            "model": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps_done": self.steps_done,
        }
        if self.average:
            state["average"] = self.average.module.state_dict()
        if self.best is not None:
            state["best"] = self.best.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier state."""
        self.net.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps_done = state["steps_done"]  # all that schedule and average go by
        if self.average:
            self.average.module.load_state_dict(state["average"])
        if self.best is not None:
            self.best.load_state_dict(state["best"])


def _build_loss(
    config: ClassifyConfig, cells: TrainingCells, weighting: str, sampler: str
) -> torch.nn.Module:
    return build_loss(
        config.loss,
        class_counts=cells.expected_counts,
        gamma=config.focal_gamma,
        tau=config.logit_tau,
        class_weights=class_weights(cells.expected_counts, weighting),
        label_smoothing=config.label_smoothing,
        drawn_counts=cells.drawn_counts(config, sampler),
    )


def groups(model: torch.nn.Module, config: ClassifyConfig) -> list[dict[str, Any]]:
    """Weights by decay and, with layer-wise decay of the rate (arXiv 1801.06146), by depth.

    Norms and biases are not decayed. `lr_scale` of a group is what `schedule` multiplies by.
    """
    if config.layer_decay == 1:
        return param_groups_weight_decay(model, config.weight_decay)
    return param_groups_layer_decay(model, config.weight_decay, layer_decay=config.layer_decay)


def schedule(
    optimiser: torch.optim.Optimizer, config: ClassifyConfig, steps: int
) -> CosineLRScheduler:
    """The rate of each step: a linear rise from 1/w to 1 in w steps, then a cosine to 0.

    Args:
        optimiser: Its groups' rates are set.
        config: Gives the full rate, and w by its `warmup_epochs`.
        steps: In all.
    """
    rise = max(1, round(config.warmup_epochs * steps / config.epochs)) - 1  # steps below the full
    return CosineLRScheduler(
        optimiser,
        t_initial=max(1, steps - rise),
        warmup_t=rise,
        warmup_lr_init=config.learning_rate / (rise + 1),
        warmup_prefix=True,
        t_in_epochs=False,
    )
