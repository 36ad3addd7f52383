"""Teach the last stage of a classifier from a few labelled cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

from buffycoat.learn.tail import Tail
from buffycoat.losses.partial import partial_log_probs

STEPS = 80
AT_ONCE = 32
OTHERS_AT_ONCE = 16
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
NOISE = 0.1
"""Spread of the factors that channels of the maps are multiplied by, one for each cell and channel:
stands for differences between photographs that so few cells do not show."""
KEEP = 0.3
"""Weight of the site's other cells beside 1 of the labelled ones, see docs/adr/0024."""
ENOUGH = 10
"""Labelled cells from which a class is not kept as it was."""


@dataclass(frozen=True)
class Lesson:
    """What a last stage learns from.

    Attributes:
        maps: Of labelled cells from all sides, shape (m, 8, ...).
        allowed: Shape (m, k), bool: one class for a class label, several for a group.
        other_maps: Of the site's other cells, shape (n, v, ...); n may be 0.
        other_probs: What the models say of those before they learn, shape (n, k).
    """

    maps: Tensor
    allowed: np.ndarray
    other_maps: Tensor
    other_probs: np.ndarray

    def without(self, rows: np.ndarray) -> Lesson:
        """The same without some labelled cells, given as a boolean mask, shape (m,)."""
        return replace(self, maps=self.maps[~rows], allowed=self.allowed[~rows])


def learn(tail: Tail, lesson: Lesson, seed: int = 0) -> None:
    """Teach a last stage; it must be as it was trained.

    Each step draws labelled cells, each label alike, from a random side; the loss is the negative
    log of the summed probability of the classes that a label allows. Beside them it draws other
    cells of the site, for which the network shall go on to say what it said (Li and Hoiem, arXiv
    1606.09282), by `keep_weights`: so classes with few labels, or none, are not forgotten. Batch
    norms keep their statistics.

    Args:
        tail: Changed in place.
        lesson: What it learns from.
        seed: Of the draws.
    """
    parameters = tail.parameters(lesson.maps)
    optimiser = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS)
    rng = torch.Generator().manual_seed(seed)
    allowed = torch.from_numpy(lesson.allowed)
    weights = torch.from_numpy(draw_weights(lesson.allowed))
    before = torch.from_numpy(lesson.other_probs.astype(np.float32))
    kept = torch.from_numpy(keep_weights(lesson).astype(np.float32))
    for _ in range(STEPS):
        rows = torch.multinomial(weights, AT_ONCE, replacement=True, generator=rng)
        seen = [_from_a_side(lesson.maps, rows, rng)]
        if len(before):
            others = torch.randint(len(before), (OTHERS_AT_ONCE,), generator=rng)
            seen.append(_from_a_side(lesson.other_maps, others, rng))
        logits = tail(_noisy(torch.cat(seen), rng))
        loss = -partial_log_probs(logits[:AT_ONCE], allowed[rows])[0].mean()
        if len(before):
            said = logits[AT_ONCE:].log_softmax(dim=1)
            loss = loss - (kept[others] * (before[others] * said).sum(dim=1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _from_a_side(maps: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
    sides = torch.randint(maps.shape[1], (len(rows),), generator=rng)
    return maps[rows, sides].float()


def _noisy(seen: Tensor, rng: torch.Generator) -> Tensor:
    channels = (*seen.shape[:2], *(1 for _ in seen.shape[2:]))
    return seen * (1 + NOISE * torch.randn(channels, generator=rng))


def keep_weights(lesson: Lesson) -> np.ndarray:
    """How much each of the other cells shall stay as it was, shape (n,), 0 to `KEEP`.

    By how probable it is of a class with few labels or none: errors among classes with many
    labels shall not stay.
    """
    scarcity = np.clip(1 - lesson.allowed.sum(axis=0) / ENOUGH, 0, 1)
    return KEEP * (lesson.other_probs @ scarcity)


def draw_weights(allowed: np.ndarray) -> np.ndarray:
    """How often each cell is drawn, shape (n,), sum 1: each label alike.

    Args:
        allowed: Shape (n, k), bool.
    """
    _, label, counts = np.unique(allowed, axis=0, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[label.ravel()]
    return weights / weights.sum()
