"""About how much memory, disk and time a training takes, before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from torch.nn import Module

from buffycoat.backbones.build import untrained
from buffycoat.backbones.cost import NetworkCost, cost_of, flops_a_second
from buffycoat.backbones.devices import device
from buffycoat.classify.views import VIEWS
from buffycoat.config import Config
from buffycoat.embed.checkpoint import tower_of
from buffycoat.restore.apply import TRAINED
from buffycoat.restore.network import GENERATORS
from buffycoat.restore.patchgan import PatchGAN
from buffycoat.restore.train import generator_settings

PROCESS_BYTES = 1.0 * 2**30
"""Of a process that has loaded torch, timm and scikit-learn."""
REACHED = {"bf16": 0.25, "fp32": 0.8}
"""Share of the speed of a matrix product that networks reach on a CPU: Swin-S 115 of 451 GFLOP/s in
bf16, the U-Net 94 of 105 in fp32 (benchmarks/results/paper)."""
BACKWARD = 1.2
"""Memory of a step over what it keeps for the backward pass, which makes gradients of the same
shapes: Swin-S with 48 cells took 7.5 GiB (benchmarks/results/paper)."""
OF_TRAINING = 4
"""Copies of each weight in a training step: itself, its gradient, two of Adam's averages."""
FORWARD_AND_BACKWARD = 3
FLOAT_BYTES = 4
CLASSES = 13
"""A classifier's last layer is small: any number will do."""


@dataclass(frozen=True)
class StageEstimate:
    """What a stage takes, about.

    Attributes:
        stage: Section of the settings.
        memory_bytes: Beside what the whole run holds.
        seconds: On this machine.
        disk_bytes: That stay in the run's folder.
    """

    stage: str
    memory_bytes: float
    seconds: float
    disk_bytes: float


@dataclass(frozen=True)
class Estimate:
    """What a training takes, about; what is not known is left out and named.

    Attributes:
        cells: That it learns from.
        held_bytes: Memory that the whole run holds: the process and the encoder.
        stages: In order.
        unknown: Stages of which nothing is known yet.
        device: "cpu" or "cuda": whose memory and speed that is.
    """

    cells: int
    held_bytes: float
    stages: tuple[StageEstimate, ...]
    unknown: tuple[str, ...]
    device: str

    @property
    def memory_bytes(self) -> float:
        """The peak."""
        return self.held_bytes + max(stage.memory_bytes for stage in self.stages)

    @property
    def disk_bytes(self) -> float:
        """Of the run's folder at its end."""
        return sum(stage.disk_bytes for stage in self.stages)

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(stage.seconds for stage in self.stages)


def estimate(config: Config, cells: int) -> Estimate:
    """What a training takes here, about.

    Counted on shapes: operations over the speed that this machine's matrix products reach, weights
    and activations. The image work (masks, features, degradation) is not in it: some 20 ms a cell.

    Args:
        config: The settings.
        cells: That it is to learn from.
    """
    stages, unknown = [], []
    picture = 3 * config.images.work_px**2
    # Decoded cells and their degraded twins, each as it is and restored.
    stages.append(StageEstimate("images", 0.0, 0.0, 4.0 * cells * picture))
    if config.restore.method in TRAINED and not config.restore.take_from:
        stages.append(_restorer(config, cells))
    stages += _classifier(config, cells)
    encoder = _encoder(config)
    if encoder is None:
        unknown.append("embed")
    else:
        stages.append(StageEstimate("embed", 0.0, 2 * cells * encoder.flops / _speed("fp32"), 0.0))
    held = PROCESS_BYTES + (FLOAT_BYTES * encoder.parameters if encoder else 0)
    return Estimate(cells, held, tuple(stages), tuple(unknown), device().type)


def _restorer(config: Config, cells: int) -> StageEstimate:
    """Its training, and all cells and twins through it."""
    recipe = config.restore
    px = min(recipe.train_px, config.images.work_px)
    side = (3, px, px)
    generator = cost_of(
        lambda: GENERATORS[recipe.method](**generator_settings(recipe)),
        side,
        precision=recipe.precision,
    )
    weights, flops = generator.parameters, FORWARD_AND_BACKWARD * generator.flops
    kept, once = generator.kept_bytes, generator.kept_once_bytes
    if recipe.gan_weight:
        discriminator = cost_of(
            lambda: PatchGAN(
                recipe.discriminator_channels,
                recipe.discriminator_layers,
                recipe.discriminator_norm,
            ),
            side,
            side,
            precision=recipe.precision,
        )
        weights += discriminator.parameters
        flops += 3 * FORWARD_AND_BACKWARD * discriminator.flops  # true, restored, to deceive it
        kept, once = kept + 3 * discriminator.kept_bytes, once + discriminator.kept_once_bytes
    copies = OF_TRAINING + (recipe.ema_decay > 0)
    training = recipe.steps * recipe.batch_size * flops / _speed(recipe.precision)
    applied = 2 * cells * generator.flops / _speed("fp32")
    memory = copies * FLOAT_BYTES * weights + once + BACKWARD * recipe.batch_size * kept
    # All restored pictures, once more while they are put together.
    memory = max(memory, 2.0 * cells * 3 * config.images.work_px**2)
    return StageEstimate("restore", memory, training + applied, 2.0 * FLOAT_BYTES * weights)


def _classifier(config: Config, cells: int) -> list[StageEstimate]:
    """Training of all models, and each cell and twin scored by the one that has not seen it."""
    recipe, more = config.classify, config.refit
    side = (3, recipe.input_px, recipe.input_px)
    make = _backbone(recipe.backbone, CLASSES, recipe.input_px)
    network = cost_of(make, side, precision=recipe.precision)
    size = FLOAT_BYTES * network.parameters
    copies = OF_TRAINING + (recipe.keep_epoch != "last") + (recipe.ema_decay > 0)
    at_once = min(recipe.micro_batch or recipe.batch_size, cells)
    memory = copies * size + network.kept_once_bytes + BACKWARD * at_once * network.kept_bytes
    shown = (recipe.folds - 1) * recipe.epochs * cells
    shown += more.models * more.epochs * cells
    models = recipe.folds + (more.models if more.epochs else 0)
    speed = _speed(recipe.precision)
    views = 2 * cells * len(VIEWS[recipe.views])
    return [
        StageEstimate(
            "classify",
            memory,
            shown * FORWARD_AND_BACKWARD * network.flops / speed,
            2.0 * models * size,  # of the run and of its bundle
        ),
        StageEstimate("score", 2.0 * models * size, views * network.flops / speed, 0.0),
    ]


def _encoder(config: Config) -> NetworkCost | None:
    recipe = config.embed
    if recipe.encoder != "siglip":
        side = (3, recipe.input_px, recipe.input_px)
        return cost_of(_backbone(recipe.encoder, 0, recipe.input_px), side)
    tower = tower_of(recipe.weights)
    return None if tower is None else NetworkCost(tower.parameters, tower.flops)


def _backbone(name: str, outputs: int, input_px: int) -> Callable[[], Module]:
    return lambda: untrained(name, input_px, outputs)


@cache
def _speed(precision: str) -> float:
    return REACHED[precision] * flops_a_second(precision)
