"""Training: it learns, it follows from its seed, and a kill does not change the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from buffycoat.config import RestoreConfig
from buffycoat.errors import ShapeError, TrainingError
from buffycoat.restore import train
from buffycoat.restore.train import Trainee, fit_restorer
from buffycoat.simulate.degrade import degrade

TINY = RestoreConfig(
    method="pix2pix",
    base_channels=4,
    depth=3,
    dropout=0.2,
    discriminator_channels=4,
    discriminator_layers=2,
    discriminator_norm="batch",
    gan_weight=1.0,
    ssim_weight=0.0,
    train_px=32,
    steps=6,
    batch_size=2,
)
OURS = TINY.model_copy(
    update={
        "method": "residual",
        "depth": 2,
        "discriminator_norm": "spectral",
        "feature_weight": 5.0,
        "ema_decay": 0.5,
    }
)
RECIPES = pytest.mark.parametrize("config", [TINY, OURS], ids=["pix2pix", "residual"])


def _halves(images: torch.Tensor) -> list[torch.Tensor]:
    """What a frozen network would say, in a line."""
    return [functional.avg_pool2d(images, 2)]


def _fit(images: np.ndarray, config: RestoreConfig, seed: int, *rest: Any) -> train.Restorer:
    return fit_restorer(images, config, seed, *rest, features=_halves)


def _weights(restorer: train.Restorer) -> dict[str, np.ndarray]:
    return restorer.to_tensors()


def test_it_learns_to_remove_noise(
    drawn_cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return degrade(image, 3, rng, kinds=["noise"])

    monkeypatch.setitem(train.NOISE_MODELS, "all", noisy)
    config = TINY.model_copy(
        update={
            "method": "residual",
            "base_channels": 8,
            "depth": 2,
            "steps": 120,
            "learning_rate": 4e-3,
            "batch_size": 4,
        }
    )
    restorer = fit_restorer(drawn_cells[:40], config, seed=0)
    clean = drawn_cells[40:].astype(float)
    rng = np.random.default_rng(5)
    degraded = np.stack([noisy(image, rng) for image in drawn_cells[40:]])
    was_off = np.abs(degraded - clean).mean()
    is_off = np.abs(restorer.restore(degraded) - clean).mean()
    assert is_off < 0.7 * was_off


@RECIPES
def test_equal_seeds_equal_weights(config: RestoreConfig, drawn_cells: np.ndarray) -> None:
    first, again, other = (_weights(_fit(drawn_cells, config, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert any(not np.array_equal(first[key], other[key]) for key in first)


class _KilledError(Exception):
    pass


@RECIPES
def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(
    config: RestoreConfig,
    drawn_cells: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "STEPS_PER_EPOCH", 2)
    unbroken = _weights(_fit(drawn_cells, config, 3))
    checkpoint = tmp_path / "restorer.safetensors"

    def kill(done: int, total: int) -> None:
        assert total == config.steps
        if done == 5:
            raise _KilledError

    with pytest.raises(_KilledError):
        _fit(drawn_cells, config, 3, checkpoint, kill)
    done: list[int] = []
    resumed = _weights(
        _fit(drawn_cells, config, 3, checkpoint, lambda count, _: done.append(count))
    )
    assert done == [5, 6]
    assert all(np.array_equal(unbroken[key], resumed[key]) for key in unbroken)


def test_the_number_of_steps_is_kept_and_the_rate_rises_and_falls_to_nothing(
    drawn_cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "STEPS_PER_EPOCH", 4)
    monkeypatch.setattr(train, "WARMUP_STEPS", 2)
    rates: list[float] = []
    step = Trainee.step

    def watched(self: Trainee, batch: tuple[np.ndarray, np.ndarray]) -> dict:
        metrics = step(self, batch)
        rates.append(self.optimisers["generator"].param_groups[0]["lr"])
        return metrics

    monkeypatch.setattr(Trainee, "step", watched)
    _fit(drawn_cells, TINY, 0)
    assert rates == pytest.approx([2e-4 * share for share in (1 / 2, 1, 1, 1, 2 / 3, 1 / 3)])


def test_a_training_that_diverged_is_not_kept(
    drawn_cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainee.step

    def lost(self: Trainee, batch: tuple[np.ndarray, np.ndarray]) -> dict:
        return step(self, batch) | {"l1": torch.tensor(float("nan"))}

    monkeypatch.setattr(Trainee, "step", lost)
    with pytest.raises(TrainingError, match=r"diverged.*Lower restore.learning_rate"):
        _fit(drawn_cells, TINY, 0)


@RECIPES
def test_one_step_trains_both_networks_and_leaves_their_gradients_on(
    config: RestoreConfig, drawn_cells: np.ndarray
) -> None:
    trainee = Trainee(config.model_copy(update={"precision": "bf16"}), 0, 32, _halves)
    before = [p.clone() for p in _parameters(trainee)]
    batch = drawn_cells[:2, :32, :32]
    for _ in range(2):  # the first step of a residual network moves its last layers alone
        metrics = trainee.step((batch // 2, batch))
    wanted = {"l1", "gan", "discriminator"} | ({"features"} if config.feature_weight else set())
    assert metrics.keys() == wanted
    assert all(torch.isfinite(value) for value in metrics.values())
    pairs = zip(before, _parameters(trainee), strict=True)
    moved = [not torch.equal(old, new) for old, new in pairs]
    assert sum(moved) / len(moved) > 0.9
    assert all(p.requires_grad for p in trainee.generator.parameters())


def _parameters(trainee: Trainee) -> list[torch.Tensor]:
    return [p for net in (trainee.generator, trainee.discriminator) for p in net.parameters()]


def test_the_averaged_weights_are_the_result_and_lag_behind(drawn_cells: np.ndarray) -> None:
    trainee = Trainee(OURS, 0, 32, _halves)
    assert trainee.result is not trainee.generator
    batch = drawn_cells[:2, :32, :32]
    for _ in range(3):
        trainee.step((batch // 2, batch))
    last, mean = (net.state_dict()["leave.weight"] for net in (trainee.generator, trainee.result))
    assert 0 < mean.abs().sum() < last.abs().sum()


def test_without_a_gan_the_discriminator_is_left_alone(drawn_cells: np.ndarray) -> None:
    trainee = Trainee(OURS.model_copy(update={"gan_weight": 0.0}), 0, 32, _halves)
    before = [p.clone() for p in trainee.discriminator.parameters()]
    metrics = trainee.step((drawn_cells[:2, :32, :32] // 2, drawn_cells[:2, :32, :32]))
    assert metrics.keys() == {"l1", "features"}
    pairs = zip(before, trainee.discriminator.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in pairs)


def test_pairs_are_turned_alike_and_match_pixel_by_pixel(drawn_cells: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        degraded, clean = train._draw_pair(drawn_cells, lambda image, _: image // 2, 32, rng)
        assert degraded.shape == clean.shape == (32, 32, 3)
        assert np.array_equal(degraded, clean // 2)


def test_the_papers_noise_model_and_size_can_be_built(drawn_cells: np.ndarray) -> None:
    config = TINY.model_copy(update={"noise_model": "paper", "batch_size": 1, "steps": 1})
    assert fit_restorer(drawn_cells, config, 0).restore(drawn_cells[:1]).shape == (1, 64, 64, 3)


def test_no_images_is_an_error() -> None:
    with pytest.raises(ShapeError, match="at least one clean image"):
        fit_restorer(np.empty((0, 64, 64, 3), np.uint8), TINY, 0)
    with pytest.raises(ShapeError, match=r"\(n, h, w, 3\) uint8"):
        fit_restorer(np.zeros((2, 64, 64, 3)), TINY, 0)


def test_identity_needs_no_training(drawn_cells: np.ndarray) -> None:
    restorer = fit_restorer(drawn_cells, TINY.model_copy(update={"method": "identity"}), 0)
    assert restorer.name == "identity"


def test_a_crop_larger_than_the_image_is_the_image(drawn_cells: np.ndarray) -> None:
    config = TINY.model_copy(update={"train_px": 500, "steps": 1})
    assert fit_restorer(drawn_cells, config, 0).restore(drawn_cells[:1]).shape == (1, 64, 64, 3)
