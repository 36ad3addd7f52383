"""Training of the restorer: Pix2Pix on pairs that are degraded as they are needed.

Isola et al., arXiv 1611.07004: one step of the discriminator, then one of the generator, which
minimises the GAN loss + `l1_weight` x L1. The learning rate falls linearly to zero over the second
half, as in the authors' implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from buffycoat.config import RestoreConfig
from buffycoat.errors import ShapeError
from buffycoat.optional import choose
from buffycoat.restore.apply import Identity, Pix2Pix, Progress, Restorer, check_images, to_network
from buffycoat.restore.patchgan import PatchGAN
from buffycoat.restore.unet import UNet
from buffycoat.simulate.degrade import paper_noise, random_degrade
from buffycoat.training import devices, loop

STEPS_PER_EPOCH = 100
"""Steps between two checkpoints."""
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
) -> Restorer:
    """Learn to undo degradation.

    Args:
        images: Clean targets, shape (n, h, w, 3), uint8, RGB; may be a memory map. Nothing else
            may be in it: the network learns to make images like these.
        config: Method, sizes and steps.
        seed: Everything random follows from it.
        checkpoint: File to resume from and to write every `STEPS_PER_EPOCH` steps; None for none.
        on_progress: Called with (steps done, steps in all).

    Returns:
        The restorer, ready to use.

    Raises:
        ShapeError: No images, or not of that shape.
        ConfigError: Unknown noise model or norm.
    """
    if config.method == "identity":
        return Identity()
    check_images(images)
    if len(images) == 0:
        raise ShapeError("the restorer needs at least one clean image to learn from, got none")
    degrade = choose(NOISE_MODELS, config.noise_model, "noise model")
    trainee = Pix2PixTrainee(config, seed)

    def make_batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng((seed, epoch))
        for _ in range(min(STEPS_PER_EPOCH, config.steps - epoch * STEPS_PER_EPOCH)):
            pairs = [
                _draw_pair(images, degrade, config.train_px, rng) for _ in range(config.batch_size)
            ]
            yield np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])

    def report(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(done, config.steps)

    epochs = -(-config.steps // STEPS_PER_EPOCH)
    loop.fit(trainee, make_batches, epochs, STEPS_PER_EPOCH, checkpoint, seed, report)
    return Pix2Pix(trainee.generator, trainee.settings)


class Pix2PixTrainee:
    """Generator, discriminator and their optimisers, as `training.loop` trains them.

    Args:
        config: Sizes, rates and the number of steps over which the rate falls.
        seed: Of the starting weights.
    """

    def __init__(self, config: RestoreConfig, seed: int) -> None:
        self.config = config
        self.settings: dict[str, Any] = {
            "base_channels": config.base_channels,
            "depth": config.depth,
            "dropout": config.dropout,
            "norm": config.norm,
            "residual": config.residual,
        }
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            generator = UNet(**self.settings)
            judge = PatchGAN(config.discriminator_channels, config.discriminator_layers)
        self.device = devices.device()
        self.generator = generator.to(self.device)
        self.discriminator = judge.to(self.device)
        self.optimisers = {
            "generator": self._adam(self.generator),
            "discriminator": self._adam(self.discriminator),
        }
        self.steps_done = 0

    def _adam(self, model: nn.Module) -> torch.optim.Adam:
        betas = (self.config.beta1, 0.999)
        return torch.optim.Adam(model.parameters(), lr=self.config.learning_rate, betas=betas)

    def step(self, batch: tuple[np.ndarray, np.ndarray]) -> dict[str, Tensor]:
        """Train the discriminator, then the generator, on one batch.

        Args:
            batch: Degraded and clean crops, each (n, h, w, 3), uint8.

        Returns:
            "l1" (in gray levels / 127.5), "gan" and "discriminator" losses.
        """
        degraded, clean = (to_network(crops).to(self.device) for crops in batch)
        self._set_rate()
        with devices.autocast(self.config.precision):
            fake = self.generator(degraded)
        self._train_discriminator(True)
        with devices.autocast(self.config.precision):
            on_true = self.discriminator(degraded, clean)
            on_fake = self.discriminator(degraded, fake.detach())
        judged = (_bce(on_true, 1.0) + _bce(on_fake, 0.0)) / 2
        self._descend("discriminator", judged)
        self._train_discriminator(False)
        with devices.autocast(self.config.precision):
            on_fake = self.discriminator(degraded, fake)
        gan = _bce(on_fake, 1.0)
        l1 = functional.l1_loss(fake.float(), clean)
        self._descend("generator", gan + self.config.l1_weight * l1)
        self.steps_done += 1
        return {"l1": l1, "gan": gan, "discriminator": judged}

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimisers and the step, as `load_state_dict` takes them."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()},
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.steps_done = state["steps_done"]

    def _set_rate(self) -> None:
        half = self.config.steps / 2
        rate = self.config.learning_rate * min(1.0, (self.config.steps - self.steps_done) / half)
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate

    def _train_discriminator(self, is_trained: bool) -> None:
        self.discriminator.requires_grad_(is_trained)

    def _descend(self, name: str, loss: Tensor) -> None:
        self.optimisers[name].zero_grad()
        loss.backward()
        self.optimisers[name].step()


def _bce(logits: Tensor, target: float) -> Tensor:
    logits = logits.float()
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def _draw_pair(
    images: np.ndarray,
    degrade: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    side_px: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """A degraded crop and its clean twin, turned and mirrored alike.

    The whole image is degraded before the crop, since uneven light and the length of a blur
    belong to the frame. No crop is larger than the image.
    """
    clean = np.ascontiguousarray(images[rng.integers(len(images))])
    degraded = degrade(clean, rng)
    height, width = clean.shape[:2]
    side_px = min(side_px, height, width)
    top, left = rng.integers(height - side_px + 1), rng.integers(width - side_px + 1)
    turns, is_mirrored = int(rng.integers(4)), rng.random() < 0.5
    crops = []
    for image in (degraded, clean):
        crop = np.rot90(image[top : top + side_px, left : left + side_px], turns)
        crops.append(crop[:, ::-1] if is_mirrored else crop)
    return crops[0], crops[1]
