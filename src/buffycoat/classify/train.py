"""Training one fold's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.optim import param_groups_layer_decay  # pyright: ignore[reportPrivateImportUsage]

from buffycoat.backbones.build import BuiltBackbone, build
from buffycoat.backbones.cosine import CosineClassifier
from buffycoat.backbones.depthwise import speed_up_gradients
from buffycoat.classify.mix import Mixed
from buffycoat.classify.selection import BestEpoch
from buffycoat.classify.training_cells import TrainingCells, batches
from buffycoat.config import ClassifyConfig
from buffycoat.errors import ConfigError
from buffycoat.losses.registry import build_loss
from buffycoat.training.devices import keep_freed_memory, make_fabric
from buffycoat.training.ema import Average
from buffycoat.training.loop import Progress, fit
from buffycoat.training.samplers import class_weights


class _Classifier:
    """The trainee: backbone, loss, AdamW with warm-up and cosine."""

    def __init__(
        self,
        backbone: BuiltBackbone,
        config: ClassifyConfig,
        cells: TrainingCells,
        steps: int,
        judged: TrainingCells | None = None,
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

        self.best = None if judged is None else BestEpoch(judged, config, self.mean, self.std)
        # A phase in which only the last layer learns: the frozen batch norms keep their statistics.
        self.is_frozen = not all(p.requires_grad for p in self.net.parameters())

    @property
    def current(self) -> torch.nn.Module:
        """The model as it would be kept now."""
        return self.average.model if self.average else self.net

    def result(self) -> torch.nn.Module:
        """The model that is kept, in evaluation mode."""
        if self.best is not None:
            self.current.load_state_dict(self.best.state)
        return self.current.eval()

    def judge(self) -> dict[str, float]:
        """Offer the epoch that has ended, where one is to be picked."""
        return {} if self.best is None else {"judged": self.best.offer(self.current)}

    def step(self, batch: tuple[Mixed, np.ndarray]) -> dict[str, torch.Tensor]:
        self.model.train(not self.is_frozen)
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
        if self.best is not None:
            state["best"] = self.best.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average:
            self.average.model.load_state_dict(state["average"])
            self.average.steps = state["average_steps"]
        if self.best is not None:
            self.best.load_state_dict(state["best"])


def fit_fold(
    cells: TrainingCells,
    config: ClassifyConfig,
    seed: int,
    checkpoint: Path | None,
    on_progress: Progress | None = None,
    initial: dict[str, torch.Tensor] | None = None,
) -> tuple[torch.nn.Module, list[dict[str, float]]]:
    """Train one model on the cells that it may see.

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

    Raises:
        ConfigError: An epoch is to be picked, and there are no cells to pick it on.
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
    cells, judged = _set_aside(cells, config, seed)
    phases = [config, config.last_phase] if config.retrain_head_epochs else [config]
    total = sum(phase.epochs for phase in phases) * _steps(cells, config)
    history: list[dict[str, float]] = []
    model: Any = backbone.model
    for number, phase in enumerate(phases):
        path = checkpoint
        if number:
            _freeze_all_but_a_new_head(model, seed)
            path = None if checkpoint is None else checkpoint.with_suffix(f".{number}.safetensors")
        before = len(history) * _steps(cells, config)
        report = None
        if on_progress is not None:
            report = lambda done, _, before=before: on_progress(before + done, total)  # noqa: E731
        model, epochs = _fit_phase(cells, judged, phase, seed + number, backbone, path, report)
        judged = None
        history += epochs
        if number and path is not None:
            path.unlink(missing_ok=True)
    if config.head_norm:
        _normalise_head(model, config.head_norm)
    return model, history


def _fit_phase(
    cells: TrainingCells,
    judged: TrainingCells | None,
    config: ClassifyConfig,
    seed: int,
    backbone: BuiltBackbone,
    checkpoint: Path | None,
    on_progress: Progress | None,
) -> tuple[torch.nn.Module, list[dict[str, float]]]:
    steps, batch_size = _steps(cells, config), min(config.batch_size, len(cells.rows))
    trainee = _Classifier(backbone, config, cells, steps * config.epochs, judged)
    history = fit(
        trainee,
        lambda epoch: batches(cells, config, batch_size, seed, epoch),
        config.epochs,
        steps,
        checkpoint,
        seed,
        on_progress,
        trainee.judge,
    )
    return trainee.result(), history


def _steps(cells: TrainingCells, config: ClassifyConfig) -> int:
    """Batches in an epoch."""
    return len(cells.rows) // min(config.batch_size, len(cells.rows))


def _set_aside(
    cells: TrainingCells, config: ClassifyConfig, seed: int
) -> tuple[TrainingCells, TrainingCells | None]:
    """Cells to learn from, and those to pick an epoch on."""
    if config.keep_epoch == "last":
        return cells, None
    learned, judged = cells, cells.reported
    if config.keep_epoch == "inner":
        learned, judged = cells.split_inside(seed)
    if judged is None or not len(judged.rows):
        raise ConfigError(
            f"keep_epoch={config.keep_epoch!r}: there are no cells to pick an epoch on. "
            "Set classify.keep_epoch=last"
        )
    return learned, judged


def _freeze_all_but_a_new_head(model: Any, seed: int) -> None:
    """Decoupling (cRT: Kang et al., arXiv 1910.09217): features stay, the head starts anew."""
    torch.manual_seed(seed)
    model.requires_grad_(False)
    head = model.get_classifier()
    head.requires_grad_(True)
    if isinstance(head, CosineClassifier):
        torch.nn.init.normal_(head.weight)
    else:
        head.reset_parameters()


@torch.no_grad()
def _normalise_head(model: Any, tau: float) -> None:
    """Class weights over their length to the power of tau, without bias (arXiv 1910.09217).

    The length grows with the number of cells; their mean length stays, and with it the scale of
    the logits.
    """
    head = model.get_classifier()
    length = head.weight.norm(dim=1, keepdim=True)
    head.weight.copy_(head.weight / length**tau * (length**tau).mean())
    if getattr(head, "bias", None) is not None:
        head.bias.zero_()


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
