"""Training: it learns, it follows from its seed, and a kill does not change the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from buffycoat.config import RestoreConfig
from buffycoat.errors import ShapeError
from buffycoat.restore import train
from buffycoat.restore.train import Pix2PixTrainee, fit_restorer
from buffycoat.simulate.degrade import degrade

TINY = RestoreConfig(
    base_channels=4,
    depth=3,
    dropout=0.2,
    discriminator_channels=4,
    discriminator_layers=2,
    train_px=32,
    steps=6,
    batch_size=2,
)


def _weights(restorer: train.Restorer) -> dict[str, torch.Tensor]:
    return restorer.to_tensors()


def test_it_learns_to_remove_noise(
    drawn_cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return degrade(image, 3, rng, kinds=["noise"])

    monkeypatch.setitem(train.NOISE_MODELS, "all", noisy)
    config = TINY.model_copy(
        update={
            "base_channels": 8,
            "steps": 120,
            "residual": True,
            "learning_rate": 4e-3,
            "batch_size": 4,
            "dropout": 0.0,
        }
    )
    restorer = fit_restorer(drawn_cells[:40], config, seed=0)
    clean = drawn_cells[40:].astype(float)
    rng = np.random.default_rng(5)
    degraded = np.stack([noisy(image, rng) for image in drawn_cells[40:]])
    was_off = np.abs(degraded - clean).mean()
    is_off = np.abs(restorer.restore(degraded) - clean).mean()
    assert is_off < 0.7 * was_off


def test_equal_seeds_equal_weights(drawn_cells: np.ndarray) -> None:
    first, again, other = (_weights(fit_restorer(drawn_cells, TINY, seed)) for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


class _KilledError(Exception):
    pass


def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(
    drawn_cells: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "STEPS_PER_EPOCH", 2)
    unbroken = _weights(fit_restorer(drawn_cells, TINY, 3))
    checkpoint = tmp_path / "restorer.safetensors"

    def kill(done: int, total: int) -> None:
        assert total == TINY.steps
        if done == 5:
            raise _KilledError

    with pytest.raises(_KilledError):
        fit_restorer(drawn_cells, TINY, 3, checkpoint, kill)
    done: list[int] = []
    resumed = _weights(
        fit_restorer(drawn_cells, TINY, 3, checkpoint, lambda count, _: done.append(count))
    )
    assert done == [5, 6]
    assert all(torch.equal(unbroken[key], resumed[key]) for key in unbroken)


def test_the_number_of_steps_is_kept_and_the_rate_falls_to_nothing(
    drawn_cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "STEPS_PER_EPOCH", 4)
    rates: list[float] = []
    step = Pix2PixTrainee.step

    def watched(self: Pix2PixTrainee, batch: tuple[np.ndarray, np.ndarray]) -> dict:
        metrics = step(self, batch)
        rates.append(self.optimisers["generator"].param_groups[0]["lr"])
        return metrics

    monkeypatch.setattr(Pix2PixTrainee, "step", watched)
    fit_restorer(drawn_cells, TINY, 0)
    thirds = [2e-4 * share / 3 for share in (3, 3, 3, 3, 2, 1)]
    assert rates == pytest.approx(thirds)


def test_one_step_trains_both_networks_and_leaves_their_gradients_on(
    drawn_cells: np.ndarray,
) -> None:
    trainee = Pix2PixTrainee(TINY.model_copy(update={"precision": "bf16"}), 0)
    before = [
        p.clone() for net in (trainee.generator, trainee.discriminator) for p in net.parameters()
    ]
    batch = drawn_cells[:2, :32, :32]
    metrics = trainee.step((batch, batch))
    after = [p for net in (trainee.generator, trainee.discriminator) for p in net.parameters()]
    assert all(torch.isfinite(value) for value in metrics.values())
    moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
    assert sum(moved) / len(moved) > 0.9


def test_pairs_are_turned_alike_and_match_pixel_by_pixel(drawn_cells: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        degraded, clean = train._draw_pair(drawn_cells, lambda image, _: image // 2, 32, rng)
        assert degraded.shape == clean.shape == (32, 32, 3)
        assert np.array_equal(degraded, clean // 2)
    whole, _ = train._draw_pair(drawn_cells, lambda image, _: image, 500, rng)
    assert whole.shape == (64, 64, 3)


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
