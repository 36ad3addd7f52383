"""Training one fold's model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.optim import param_groups_layer_decay  # pyright: ignore[reportPrivateImportUsage]

from buffycoat.backbones.build import BuiltBackbone, build
from buffycoat.backbones.depthwise import speed_up_gradients
from buffycoat.classify.augment import augment, severity_weights
from buffycoat.classify.mix import Mixed, mix
from buffycoat.classify.paste import donor_shares, paste
from buffycoat.config import ClassifyConfig
from buffycoat.errors import ShapeError
from buffycoat.losses.registry import build_loss
from buffycoat.training.devices import keep_freed_memory, make_fabric
from buffycoat.training.ema import Average
from buffycoat.training.loop import Progress, fit
from buffycoat.training.samplers import class_share, class_weights, draw_epoch


@dataclass(frozen=True)
class TrainingCells:
    """The cells that a fold's model learns from.

    Attributes:
        images: Working images of all cells, shape (n, w, w, 3), uint8; may be memory-mapped.
        rows: Positions in `images` that this model may see, shape (m,).
        targets: Class of each of those rows, shape (m,).
        n_classes: k.
        neighbours: Shape (k, k), bool: classes next to each other on a maturation line; None
            where there is no such line.
        masks: Cell of each image of `images`, shape (n, w, w), bool; None where nothing is pasted.
    """

    images: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    n_classes: int
    neighbours: np.ndarray | None = None
    masks: np.ndarray | None = None

    @property
    def counts(self) -> np.ndarray:
        """Cells of each class, shape (k,)."""
        return np.bincount(self.targets, minlength=self.n_classes)

    def shared_targets(self, share: float) -> np.ndarray:
        """What a cell of each class counts as, shape (k, k), rows sum to 1.

        The neighbours of a class on its maturation line get `share` together, since a cell may
        stand between two stages; a class without neighbours keeps all.
        """
        table = np.eye(self.n_classes)
        if share and self.neighbours is not None:
            has_any = self.neighbours.any(axis=1)
            beside = self.neighbours[has_any] / self.neighbours[has_any].sum(axis=1, keepdims=True)
            table[has_any] = (1 - share) * table[has_any] + share * beside
        return table

    def drawn_counts(self, config: ClassifyConfig, sampler: str) -> np.ndarray:
        """Cells of each class that an epoch shows, pasted ones and shared targets included."""
        drawn = class_share(self.counts, sampler)
        chance = config.paste_probability
        drawn = (1 - chance) * drawn + chance * donor_shares(self.counts)
        return len(self.targets) * drawn @ self.shared_targets(config.maturation_smoothing)


class _Classifier:
    """The trainee: backbone, loss, AdamW with warm-up and cosine."""

    def __init__(
        self, backbone: BuiltBackbone, config: ClassifyConfig, cells: TrainingCells, steps: int
    ) -> None:
        self.fabric = make_fabric(config.precision)
        self.loss = _build_loss(config, cells, config.class_weights, config.sampler)
        self.early_loss = _build_loss(config, cells, "none", "instance")
        self.shared = None
        if config.maturation_smoothing:
            shared = torch.from_numpy(cells.shared_targets(config.maturation_smoothing)).float()
            self.shared = shared.to(self.fabric.device)
        for loss in (self.loss, self.early_loss):
            loss.to(self.fabric.device)
        self.early_steps = config.early_epochs * steps // config.epochs
        self.backbone = backbone
        optimiser = torch.optim.AdamW(_groups(backbone.model, config), lr=config.learning_rate)
        self.micro_batch = config.micro_batch
        speed_up_gradients(backbone.model)
        self.net = backbone.model.to(memory_format=torch.channels_last)
        self.model, self.optimiser = self.fabric.setup(self.net, optimiser)
        self.schedule = _warmup_cosine(self.optimiser, config, steps)
        self.average = Average(self.net, config.ema_decay) if config.ema_decay else None
        self.mean = torch.tensor(backbone.mean, device=self.fabric.device).view(1, 3, 1, 1)
        self.std = torch.tensor(backbone.std, device=self.fabric.device).view(1, 3, 1, 1)

    @property
    def result(self) -> torch.nn.Module:
        return (self.average.model if self.average else self.net).eval()

    def step(self, batch: tuple[Mixed, np.ndarray]) -> dict[str, torch.Tensor]:
        self.model.train()
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
        self.schedule.step()
        if self.average:
            self.average.update(self.net)
        return {name: torch.stack([one[name] for one in found]).sum() for name in found[0]}

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
        is_early = self.schedule.last_epoch < self.early_steps  # it counts steps
        criterion = self.early_loss if is_early else self.loss
        loss = criterion(logits.float(), self._expected(targets))
        if share < 1:
            loss = share * loss + (1 - share) * criterion(logits.float(), self._expected(seconds))
        loss = weight * loss
        self.fabric.backward(loss)
        right = (logits.argmax(1) == targets).float().mean()
        return {"loss": loss.detach(), "accuracy": weight * right}

    def _expected(self, targets: torch.Tensor) -> torch.Tensor:
        return targets if self.shared is None else self.shared[targets]

    def state_dict(self) -> dict[str, Any]:
        state = {
            "model": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        if self.average:
            state["average"] = self.average.model.state_dict()
            state["average_steps"] = self.average.steps
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average:
            self.average.model.load_state_dict(state["average"])
            self.average.steps = state["average_steps"]


def fit_fold(
    cells: TrainingCells,
    config: ClassifyConfig,
    seed: int,
    checkpoint: Path | None,
    on_progress: Progress | None = None,
    initial: dict[str, torch.Tensor] | None = None,
) -> tuple[torch.nn.Module, list[dict[str, float]]]:
    """Train one model on the cells that it may see.

    The last epoch's weights are kept: no epoch is picked on the fold that is reported.

    Args:
        cells: What it may see.
        config: The recipe.
        seed: Of initial weights, order and augmentation.
        checkpoint: File to resume from and write to after each epoch; None for none.
        on_progress: Called with (steps done, steps in all).
        initial: State to start from; None for the weights that the recipe names.

    Returns:
        The model in evaluation mode, in fp32 on the training device, and each epoch's mean
        loss and accuracy.
    """
    keep_freed_memory()
    torch.manual_seed(seed)
    backbone = build(
        config.backbone,
        config.weights,
        cells.n_classes,
        config.input_px,
        config.dropout,
        config.head,
    )
    if initial is not None:
        backbone.model.load_state_dict(initial)
    # The last incomplete batch is left out: batch norm is fragile on one or two cells.
    batch_size = min(config.batch_size, len(cells.rows))
    steps = len(cells.rows) // batch_size
    trainee = _Classifier(backbone, config, cells, steps * config.epochs)
    history = fit(
        trainee,
        lambda epoch: _batches(cells, config, steps, batch_size, seed, epoch),
        config.epochs,
        steps,
        checkpoint,
        seed,
        on_progress,
    )
    return trainee.result, history


def _batches(
    cells: TrainingCells, config: ClassifyConfig, steps: int, batch_size: int, seed: int, epoch: int
) -> Iterator[tuple[Mixed, np.ndarray]]:
    rng = np.random.default_rng((seed, epoch))
    is_early = epoch < config.early_epochs
    order = draw_epoch(cells.targets, "instance" if is_early else config.sampler, rng)
    severities = severity_weights(epoch / config.epochs, config.degrade_ramp)
    for step in range(steps):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        shown = [_show(cells, config, int(row), rng) for row in chosen]
        pixels = np.stack([augment(image, rng, config, severities) for image, _ in shown])
        mixed = mix(pixels, config.mix, config.mix_probability, config.mix_alpha, rng)
        yield mixed, np.array([target for _, target in shown])


def _show(
    cells: TrainingCells, config: ClassifyConfig, row: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """A cell's working image and class, or a rare cell's in its place."""
    image, target = cells.images[cells.rows[row]], int(cells.targets[row])
    if not config.paste_probability or rng.random() >= config.paste_probability:
        return image, target
    if cells.masks is None:
        raise ShapeError("paste_probability > 0 needs the masks of the cells; got none")
    target = int(rng.choice(cells.n_classes, p=donor_shares(cells.counts)))
    donor = cells.rows[rng.choice(np.flatnonzero(cells.targets == target))]
    host = cells.rows[row]
    return paste(image, cells.masks[host], cells.images[donor], cells.masks[donor]), target


def _build_loss(
    config: ClassifyConfig, cells: TrainingCells, weighting: str, sampler: str
) -> torch.nn.Module:
    return build_loss(
        config.loss,
        class_counts=cells.counts,
        gamma=config.focal_gamma,
        tau=config.logit_tau,
        class_weights=class_weights(cells.counts, weighting),
        label_smoothing=config.label_smoothing,
        drawn_counts=cells.drawn_counts(config, sampler),
    )


def _groups(model: torch.nn.Module, config: ClassifyConfig) -> list[dict[str, Any]]:
    """Weights by decay and, with layer-wise decay of the rate (arXiv 1801.06146), by depth."""
    if config.layer_decay == 1:
        return _decayed_groups(model, config.weight_decay)
    groups = param_groups_layer_decay(model, config.weight_decay, layer_decay=config.layer_decay)
    return [
        {
            "params": group["params"],
            "weight_decay": group["weight_decay"],
            "lr": config.learning_rate * group["lr_scale"],
        }
        for group in groups
    ]


def _decayed_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Norms and biases are not decayed."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _warmup_cosine(
    optimiser: torch.optim.Optimizer, config: ClassifyConfig, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    warmup = max(1, round(config.warmup_epochs * steps / config.epochs))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, steps - warmup)
        return 0.5 * (1 + float(np.cos(np.pi * min(progress, 1.0))))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
