"""Training one fold's model, on one device or several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from buffycoat.backbones.build import BuiltBackbone, build
from buffycoat.backbones.cosine import CosineClassifier
from buffycoat.backbones.frozen import freeze
from buffycoat.backbones.memory import keep_freed_memory
from buffycoat.classify.processes import launch
from buffycoat.classify.trainee import Classifier
from buffycoat.classify.training_cells import TrainingCells, batches
from buffycoat.config import ClassifyConfig
from buffycoat.errors import ConfigError
from buffycoat.progress import Progress
from buffycoat.training.devices import make_fabric
from buffycoat.training.loop import fit

State = dict[str, torch.Tensor]
History = list[dict[str, float]]


def fit_fold(
    cells: TrainingCells,
    config: ClassifyConfig,
    seed: int,
    checkpoint: Path | None,
    on_progress: Progress | None = None,
    initial: State | None = None,
) -> tuple[torch.nn.Module, History]:
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
        ConfigError: An epoch is to be picked, and there are no cells to pick it on; or a batch
            cannot be shared by the devices evenly.
    """
    _check_batches(cells, config)
    fabric = make_fabric(config.precision, config.devices)
    if config.devices == 1:
        return _train(fabric, cells, config, seed, checkpoint, on_progress, initial)
    found = launch(fabric, _train_in_process, on_progress, cells, config, seed, checkpoint, initial)
    model = _build(cells, config).model
    model.load_state_dict(found["model"])
    return make_fabric(config.precision).to_device(model).eval(), found["history"]


def _train_in_process(
    fabric: Any,
    on_progress: Progress | None,
    cells: TrainingCells,
    config: ClassifyConfig,
    seed: int,
    checkpoint: Path | None,
    initial: State | None,
) -> dict[str, Any]:
    model, history = _train(fabric, cells, config, seed, checkpoint, on_progress, initial)
    return {"model": model.state_dict(), "history": history}


def _train(
    fabric: Any,
    cells: TrainingCells,
    config: ClassifyConfig,
    seed: int,
    checkpoint: Path | None,
    on_progress: Progress | None,
    initial: State | None,
) -> tuple[torch.nn.Module, History]:
    """Both phases of a recipe, in this process."""
    keep_freed_memory()
    torch.manual_seed(seed)
    backbone = _build(cells, config)
    if initial is not None:
        backbone.model.load_state_dict(initial)
    freeze(backbone.model, config.frozen_parts)
    cells, validation = _set_aside(cells, config, seed)
    phases = [config, config.last_phase] if config.retrain_head_epochs else [config]
    total = sum(phase.epochs for phase in phases) * _steps(cells, config)
    history: History = []
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
        model, epochs = _fit_phase(
            fabric, cells, validation, phase, seed + number, backbone, path, report
        )
        backbone = replace(backbone, model=model)  # with ema_decay the average is what is kept
        validation = None
        history += epochs
        if number and path is not None and fabric.is_global_zero:
            path.unlink(missing_ok=True)
    if config.head_norm:
        _normalise_head(model, config.head_norm)
    return model, history


def _fit_phase(
    fabric: Any,
    cells: TrainingCells,
    validation: TrainingCells | None,
    config: ClassifyConfig,
    seed: int,
    backbone: BuiltBackbone,
    checkpoint: Path | None,
    on_progress: Progress | None,
) -> tuple[torch.nn.Module, History]:
    steps, batch_size = _steps(cells, config), min(config.batch_size, len(cells.rows))
    trainee = Classifier(fabric, backbone, config, cells, steps * config.epochs, validation)
    part = (fabric.global_rank, fabric.world_size)
    history = fit(
        trainee,
        lambda epoch: batches(cells, config, batch_size, seed, epoch, part),
        config.epochs,
        steps,
        checkpoint,
        seed,
        on_progress if fabric.is_global_zero else None,
        trainee.validate,
        fabric.is_global_zero,
    )
    return trainee.result(), history


def _build(cells: TrainingCells, config: ClassifyConfig) -> BuiltBackbone:
    return build(
        config.backbone,
        config.weights,
        cells.n_classes,
        config.input_px,
        config.dropout,
        config.head,
    )


def check_training(cells: TrainingCells, config: ClassifyConfig, seed: int) -> None:
    """What `fit_fold` would refuse, without training; arguments as there.

    Raises:
        ConfigError: As `fit_fold` does.
    """
    learned, _ = _set_aside(cells, config, seed)
    _check_batches(learned, config)


def _check_batches(cells: TrainingCells, config: ClassifyConfig) -> None:
    batch_size = min(config.batch_size, len(cells.rows))
    if batch_size % config.devices:
        raise ConfigError(
            f"batches of {batch_size} cells cannot be shared by {config.devices} devices evenly; "
            "set classify.batch_size to a multiple of them"
        )


def _steps(cells: TrainingCells, config: ClassifyConfig) -> int:
    """Batches in an epoch."""
    return len(cells.rows) // min(config.batch_size, len(cells.rows))


def _set_aside(
    cells: TrainingCells, config: ClassifyConfig, seed: int
) -> tuple[TrainingCells, TrainingCells | None]:
    """Cells to learn from, and those to pick an epoch on."""
    if config.keep_epoch == "last":
        return cells, None
    learned, validation = cells, cells.reported
    if config.keep_epoch == "inner":
        learned, validation = cells.split_inside(seed)
    if validation is None or not len(validation.rows):
        raise ConfigError(
            f"keep_epoch={config.keep_epoch!r}: there are no cells to pick an epoch on. "
            "Set classify.keep_epoch=last"
        )
    return learned, validation


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
