"""The loop: epochs of batches, a checkpoint after each, and the same weights after a kill.

Everything random in an epoch follows from the seed and the epoch's number, so a run that is
killed and resumed at the last finished epoch ends with the weights of an unbroken run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import torch

from buffycoat.backbones.prefetch import prefetch
from buffycoat.progress import Progress
from buffycoat.training import checkpoint as checkpoints


class Trainee(Protocol):
    """What is trained: its models, optimisers and one step."""

    def step(self, batch: Any) -> dict[str, torch.Tensor]:
        """Take one optimisation step on a batch; returns scalar metrics."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Models, optimisers, schedules and averages, as `load_state_dict` takes them."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        ...


def fit(
    trainee: Trainee,
    make_batches: Callable[[int], Iterable[Any]],
    epochs: int,
    steps_per_epoch: int,
    checkpoint: Path | None,
    seed: int,
    on_progress: Progress | None = None,
    after_epoch: Callable[[], dict[str, float]] | None = None,
    is_writer: bool = True,
) -> list[dict[str, float]]:
    """Train for a number of epochs, resuming where an earlier run was killed.

    Args:
        trainee: Trained in place.
        make_batches: Epoch -> its batches; everything random in them follows from the epoch.
        epochs: In all, those of an earlier run included.
        steps_per_epoch: Batches in an epoch, for progress.
        checkpoint: File that is written after each epoch and read at the start; None for none.
        seed: Of dropout and whatever else a step draws.
        on_progress: Called with (steps done, steps in all).
        after_epoch: Called before an epoch's checkpoint is written; returns further metrics.
        is_writer: Whether this process writes the checkpoint; all of them read it.

    Returns:
        Mean metrics of each epoch.
    """
    history: list[dict[str, float]] = []
    if checkpoint is not None and checkpoint.exists():
        state = checkpoints.load(checkpoint)
        trainee.load_state_dict(state["trainee"])
        history = state["history"]
    total = epochs * steps_per_epoch
    for epoch in range(len(history), epochs):
        torch.manual_seed(seed * 1_000_003 + epoch)
        done = epoch * steps_per_epoch
        metrics = _run_epoch(trainee, make_batches(epoch), done, total, on_progress)
        history.append(metrics | after_epoch() if after_epoch else metrics)
        if checkpoint is not None and is_writer:
            checkpoints.save(checkpoint, {"trainee": trainee.state_dict(), "history": history})
    return history


def _run_epoch(
    trainee: Trainee,
    batches: Iterable[Any],
    done: int,
    total: int,
    on_progress: Progress | None,
) -> dict[str, float]:
    sums: dict[str, torch.Tensor] = {}
    count = 0
    for count, batch in enumerate(prefetch(batches), start=1):
        for name, value in trainee.step(batch).items():
            sums[name] = sums.get(name, torch.zeros(())) + value.detach().float().cpu()
        if on_progress is not None:
            on_progress(done + count, total)
    return {name: float(value) / count for name, value in sums.items()}
