"""Losses on labels that leave several classes open."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from buffycoat.losses.registry import build_loss

RNG = np.random.default_rng(1)
LOGITS = RNG.normal(size=(10, 4)) * 3
CLASSES = RNG.integers(0, 4, 10)
ALLOWED = np.eye(4, dtype=bool)[CLASSES]
ALLOWED[:4] = [[1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]
WEIGHTS = np.array([0.5, 1.0, 2.0, 4.0])
COUNTS = np.array([70, 20, 10, 0])
LOSSES = ("cross_entropy", "focal", "logit_adjustment", "balanced_softmax")


def _reference(name: str, smooth: float, weights: np.ndarray | None) -> float:
    """Row by row, class by class, as the docstrings have it."""
    counts = np.where(COUNTS > 0, COUNTS, 0.5)
    shift = np.log(counts / counts.sum()) if name in LOSSES[2:] else np.zeros(4)
    w = np.ones(4) if weights is None else weights
    terms, row_weights = [], []
    for row, allowed in zip(LOGITS, ALLOWED, strict=True):
        p = np.exp(row + shift)
        p = p / p.sum()
        together = sum(p[c] for c in range(4) if allowed[c])
        weight = sum(w[c] * p[c] / together for c in range(4) if allowed[c])
        if name == "focal":
            spread = -np.mean(np.log(p))
            nll = -(1 - smooth) * np.log(together) + smooth * spread
            terms.append(weight * (1 - together) ** 2 * nll)
            row_weights.append(1.0)
            continue
        spread = -sum(w[c] * np.log(p[c]) for c in range(4)) / 4
        terms.append(-(1 - smooth) * weight * np.log(together) + smooth * spread)
        row_weights.append(weight)
    return sum(terms) / sum(row_weights)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("smooth", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_a_coarse_label_counts_by_the_sum_over_its_classes(
    name: str, smooth: float, weights: np.ndarray | None
) -> None:
    loss = build_loss(name, COUNTS, class_weights=weights, label_smoothing=smooth)
    got = loss(torch.tensor(LOGITS), torch.tensor(ALLOWED)).item()
    assert got == pytest.approx(_reference(name, smooth, weights), rel=1e-5)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("smooth", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_a_label_of_one_class_counts_as_that_class(
    name: str, smooth: float, weights: np.ndarray | None
) -> None:
    loss = build_loss(name, COUNTS, class_weights=weights, label_smoothing=smooth)
    one_class = torch.tensor(np.eye(4, dtype=bool)[CLASSES])
    results = []
    for targets in (torch.tensor(CLASSES), one_class):
        logits = torch.tensor(LOGITS, requires_grad=True)
        value = loss(logits, targets)
        value.backward()
        results.append((value.item(), logits.grad))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    assert torch.allclose(results[0][1], results[1][1], atol=1e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_coarse_labels_are_those_of_finite_differences(name: str) -> None:
    loss = build_loss(name, COUNTS).double()
    logits = torch.tensor(LOGITS, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor(ALLOWED)), (logits,))


def test_a_row_that_allows_every_class_teaches_nothing() -> None:
    logits = torch.tensor(LOGITS, requires_grad=True)
    every = torch.ones(len(LOGITS), 4, dtype=torch.bool)
    build_loss("logit_adjustment", COUNTS)(logits, every).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-12


def test_a_surely_right_coarse_row_has_a_finite_gradient() -> None:
    logits = torch.tensor([[200.0, 190.0, 0.0, -200.0]], requires_grad=True)
    allowed = torch.tensor([[True, True, False, False]])
    build_loss("focal", COUNTS, gamma=0.5)(logits, allowed).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
