"""Training of the restorer, on pairs that are degraded as they are needed.

One step of the discriminator, then one of the generator, which minimises a weighted sum of losses
(see `restore.objective`). With GAN and L1 alone this is Pix2Pix, Isola et al., arXiv 1611.07004.
The learning rate falls linearly to zero over the second half, as in the authors' implementation;
before, it rises over `WARMUP_STEPS`, since the first averages of Adam rest on few steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from buffycoat.backbones import devices
from buffycoat.config import RestoreConfig
from buffycoat.errors import ShapeError, TrainingError
from buffycoat.optional import choose
from buffycoat.restore.apply import Trained, from_tensors
from buffycoat.restore.network import GENERATORS, to_network
from buffycoat.restore.objective import Features, Objective, binary_cross_entropy
from buffycoat.restore.one_by_one import Progress, Restorer, check_images
from buffycoat.restore.patchgan import PatchGAN
from buffycoat.simulate.degrade import paper_noise, random_degrade
from buffycoat.training import loop
from buffycoat.training.ema import follow

MIN_CELLS = 10
"""Clean cells under which restoration is off: the gate takes each twice at most, and lets nothing
through that it has fewer than 20 pairs for (`gate.MIN_PAIRS`)."""
STEPS_PER_EPOCH = 100
"""Steps between two checkpoints."""
WARMUP_STEPS = 100
DIVERGED = 1.0
"""Mean L1 loss of an epoch, in gray levels / 127.5, that no degradation explains: a black image."""
CLEAN_SHARE = 0.1
"""Share of the pairs whose input is clean too, so that the generator learns to leave it."""

NOISE_MODELS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "all": lambda image, rng: random_degrade(image, rng, 1 - CLEAN_SHARE)[0],
    "paper": paper_noise,
}
"""Name -> what makes the degraded image of a pair."""


def fit_restorer(
    images: np.ndarray,
    config: RestoreConfig,
    seed: int,
    checkpoint: Path | None = None,
    on_progress: Progress | None = None,
    features: Features | None = None,
) -> Restorer:
    """Learn to undo degradation.

    Args:
        images: Clean targets, shape (n, h, w, 3), uint8, RGB; may be a memory map. Nothing else
            may be in it: the network learns to make images like these.
        config: Method, sizes and steps.
        seed: Everything random follows from it.
        checkpoint: File to resume from and to write every `STEPS_PER_EPOCH` steps; None for none.
        on_progress: Called with (steps done, steps in all).
        features: Of a frozen network, for `feature_weight`.

    Returns:
        The restorer, ready to use.

    Raises:
        ShapeError: No images, or not of that shape.
        ConfigError: Unknown noise model or norm, or crops too small for MS-SSIM.
        TrainingError: What was learned is worse than nothing.
    """
    if config.method not in GENERATORS:
        return from_tensors({"name": config.method}, {})
    check_images(images)
    if len(images) == 0:
        raise ShapeError("the restorer needs at least one clean image to learn from, got none")
    degrade = choose(NOISE_MODELS, config.noise_model, "noise model")
    side_px = min(config.train_px, *images.shape[1:3])
    trainee = Trainee(config, seed, side_px, features)

    def make_batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng((seed, epoch))
        for _ in range(min(STEPS_PER_EPOCH, config.steps - epoch * STEPS_PER_EPOCH)):
            pairs = [_draw_pair(images, degrade, side_px, rng) for _ in range(config.batch_size)]
            yield np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])

    def report(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(done, config.steps)

    epochs = -(-config.steps // STEPS_PER_EPOCH)
    history = loop.fit(trainee, make_batches, epochs, STEPS_PER_EPOCH, checkpoint, seed, report)
    last = history[-1]["l1"]
    if not last < DIVERGED:
        raise TrainingError(
            f"the restorer's training diverged: L1 loss {last:.2f} in its last epoch, "
            f"{history[0]['l1']:.2f} in its first. Lower restore.learning_rate"
        )
    return Trained.by_torch(config.method, trainee.settings, trainee.result.state_dict())


class Trainee:
    """Generator, discriminator and their optimisers, as `training.loop` trains them.

    Args:
        config: Networks, losses, rates and the number of steps over which the rate falls.
        seed: Of the starting weights.
        side_px: Of the training crops.
        features: Of a frozen network, for `feature_weight`.
    """

    def __init__(
        self, config: RestoreConfig, seed: int, side_px: int, features: Features | None = None
    ) -> None:
        self.config = config
        self.settings = generator_settings(config)
        self.objective = Objective(config, side_px, features)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            generator = GENERATORS[config.method](**self.settings)
            discriminator = PatchGAN(
                config.discriminator_channels,
                config.discriminator_layers,
                config.discriminator_norm,
            )
        self.device = devices.device()
        self.generator = devices.place(generator)
        self.discriminator = devices.place(discriminator)
        self.average = follow(self.generator, config.ema_decay) if config.ema_decay else None
        self.optimisers = {
            "generator": self._adam(self.generator),
            "discriminator": self._adam(self.discriminator),
        }
        self.steps_done = 0

    @property
    def result(self) -> nn.Module:
        """The trained generator: averaged over steps, where the settings say so."""
        return self.average.module if self.average else self.generator

    def _adam(self, model: nn.Module) -> torch.optim.Adam:
        betas = (self.config.beta1, 0.999)
        return torch.optim.Adam(model.parameters(), lr=self.config.learning_rate, betas=betas)

    def step(self, batch: tuple[np.ndarray, np.ndarray]) -> dict[str, Tensor]:
        """Train the discriminator, then the generator, on one batch.

        Args:
            batch: Degraded and clean crops, each (n, h, w, 3), uint8.

        Returns:
            Each loss by name, unweighted; "l1" in gray levels / 127.5.
        """
        degraded, clean = (to_network(torch.from_numpy(crops)).to(self.device) for crops in batch)
        self._set_rate()
        with devices.autocast(self.config.precision):
            fake = self.generator(degraded)
        losses = self.objective(fake.float(), clean)
        metrics = {name: loss for name, (_, loss) in losses.items()}
        if self.config.gan_weight:
            metrics["discriminator"] = self._discriminate(degraded, clean, fake.detach())
            metrics["gan"] = self._deceive(degraded, fake)
            losses["gan"] = self.config.gan_weight, metrics["gan"]
        self._descend("generator", torch.stack([w * loss for w, loss in losses.values()]).sum())
        self.steps_done += 1
        if self.average:
            self.average.update(self.generator, self.steps_done)
        return metrics

    def _discriminate(self, degraded: Tensor, clean: Tensor, fake: Tensor) -> Tensor:
        """One step of the discriminator."""
        self.discriminator.requires_grad_(True)
        with devices.autocast(self.config.precision):
            on_true, on_fake = (self.discriminator(degraded, x) for x in (clean, fake))
        loss = (binary_cross_entropy(on_true, 1.0) + binary_cross_entropy(on_fake, 0.0)) / 2
        self._descend("discriminator", loss)
        self.discriminator.requires_grad_(False)
        return loss

    def _deceive(self, degraded: Tensor, fake: Tensor) -> Tensor:
        """What the generator loses where the discriminator sees through it."""
        with devices.autocast(self.config.precision):
            return binary_cross_entropy(self.discriminator(degraded, fake), 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimisers and the step, as `load_state_dict` takes them."""
        state = {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()},
            "steps_done": self.steps_done,
        }
        return state | ({"average": self.average.module.state_dict()} if self.average else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.steps_done = state["steps_done"]
        if self.average:
            self.average.module.load_state_dict(state["average"])

    def _set_rate(self) -> None:
        """Rise, stay, and fall linearly; no schedule of timm or torch stays before it falls."""
        half = self.config.steps / 2
        rise = min(1.0, (self.steps_done + 1) / WARMUP_STEPS)
        fall = min(1.0, (self.config.steps - self.steps_done) / half)
        rate = self.config.learning_rate * rise * fall
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate

    def _descend(self, name: str, loss: Tensor) -> None:
        self.optimisers[name].zero_grad()
        loss.backward()
        self.optimisers[name].step()


def generator_settings(config: RestoreConfig) -> dict[str, Any]:
    """The arguments that build the generator of these settings."""
    names = {
        "pix2pix": ("base_channels", "depth", "dropout", "norm"),
        "residual": ("base_channels", "depth", "blocks"),
    }[config.method]
    return {name: getattr(config, name) for name in names}


def _draw_pair(
    images: np.ndarray,
    degrade: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    side_px: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """A degraded crop and its clean twin, turned and mirrored alike.

    The whole image is degraded before the crop, since uneven light and the length of a blur
    belong to the frame.
    """
    clean = np.ascontiguousarray(images[rng.integers(len(images))])
    degraded = degrade(clean, rng)
    height, width = clean.shape[:2]
    top, left = rng.integers(height - side_px + 1), rng.integers(width - side_px + 1)
    turns, is_mirrored = int(rng.integers(4)), rng.random() < 0.5
    crops = []
    for image in (degraded, clean):
        crop = np.rot90(image[top : top + side_px, left : left + side_px], turns)
        crops.append(crop[:, ::-1] if is_mirrored else crop)
    return crops[0], crops[1]
