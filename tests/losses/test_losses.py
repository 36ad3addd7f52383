from __future__ import annotations

import numpy as np
import pytest
import torch

from buffycoat.errors import ConfigError
from buffycoat.losses.registry import LOSSES, build_loss
from buffycoat.losses.supcon import SupCon, has_positive

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(12, 4)) * 3
TARGETS = RNG.integers(0, 4, 12)
WEIGHTS = np.array([0.5, 1.0, 2.0, 4.0])
COUNTS = np.array([70, 20, 10, 0])


def _log_softmax(row: np.ndarray) -> np.ndarray:
    return row - row.max() - np.log(np.exp(row - row.max()).sum())


def _loss(name: str, **options: object) -> float:
    loss = build_loss(name, class_counts=COUNTS, **options)  # type: ignore[arg-type]
    return loss(torch.tensor(LOGITS), torch.tensor(TARGETS)).item()


def test_cross_entropy_is_the_weighted_mean() -> None:
    terms = [-WEIGHTS[y] * _log_softmax(row)[y] for row, y in zip(LOGITS, TARGETS, strict=True)]
    expected = sum(terms) / WEIGHTS[TARGETS].sum()
    assert _loss("cross_entropy", class_weights=WEIGHTS) == pytest.approx(expected, rel=1e-6)


def test_label_smoothing_gives_every_class_its_share() -> None:
    smooth = 0.1
    terms = [
        -(1 - smooth) * _log_softmax(row)[y] - smooth * _log_softmax(row).mean()
        for row, y in zip(LOGITS, TARGETS, strict=True)
    ]
    got = _loss("cross_entropy", label_smoothing=smooth)
    assert got == pytest.approx(np.mean(terms), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_is_the_formula_of_the_paper(gamma: float) -> None:
    terms = []
    for row, y in zip(LOGITS, TARGETS, strict=True):
        p = np.exp(_log_softmax(row)[y])
        terms.append(-WEIGHTS[y] * (1 - p) ** gamma * np.log(p))
    got = _loss("focal", gamma=gamma, class_weights=WEIGHTS)
    assert got == pytest.approx(np.mean(terms), rel=1e-5)


def test_focal_with_gamma_zero_is_cross_entropy() -> None:
    assert _loss("focal", gamma=0.0) == pytest.approx(_loss("cross_entropy"), rel=1e-6)


def test_focal_has_a_finite_gradient_where_a_row_is_surely_right() -> None:
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    build_loss("focal", np.array([1, 1]), gamma=0.5)(logits, torch.tensor([0])).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_logit_adjustment_adds_the_log_shares(tau: float) -> None:
    counts = np.where(COUNTS > 0, COUNTS, 0.5)
    shifted = LOGITS + tau * np.log(counts / counts.sum())
    terms = [-_log_softmax(row)[y] for row, y in zip(shifted, TARGETS, strict=True)]
    assert _loss("logit_adjustment", tau=tau) == pytest.approx(np.mean(terms), rel=1e-6)


def test_balanced_softmax_is_the_formula_of_its_paper() -> None:
    counts = np.where(COUNTS > 0, COUNTS, 0.5)
    terms = []
    for row, y in zip(LOGITS, TARGETS, strict=True):
        terms.append(-np.log(counts[y] * np.exp(row[y]) / (counts * np.exp(row)).sum()))
    assert _loss("balanced_softmax", tau=0.3) == pytest.approx(np.mean(terms), rel=1e-6)


def test_ldam_is_the_formula_of_its_paper() -> None:
    n = np.where(COUNTS > 0, COUNTS, 0.5)
    margin = 0.5 * n**-0.25 / (n**-0.25).max()
    terms = []
    for row, y in zip(LOGITS, TARGETS, strict=True):
        true = np.exp(row[y] - 30 * margin[y])
        others = sum(np.exp(row[j]) for j in range(4) if j != y)
        terms.append(-WEIGHTS[y] * np.log(true / (true + others)))
    expected = sum(terms) / WEIGHTS[TARGETS].sum()
    assert _loss("ldam", class_weights=WEIGHTS) == pytest.approx(expected, rel=1e-5)


def test_a_loss_says_how_much_of_the_prior_logits_carry() -> None:
    left = {name: build_loss(name, COUNTS, tau=0.25).prior_left for name in LOSSES}
    assert left.pop("logit_adjustment") == 0.75
    assert left.pop("balanced_softmax") == 0
    assert set(left.values()) == {1}


def test_an_unknown_loss_says_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'focal'"):
        build_loss("focl", COUNTS)


def _supcon(rows: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """Written as the paper's L_out is, anchor by anchor."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    losses = []
    for i in range(len(unit)):
        positives = [p for p in range(len(unit)) if p != i and targets[p] == targets[i]]
        if not positives:
            continue
        others = sum(np.exp(unit[i] @ unit[a] / temperature) for a in range(len(unit)) if a != i)
        terms = [np.log(np.exp(unit[i] @ unit[p] / temperature) / others) for p in positives]
        losses.append(-np.mean(terms))
    return float(np.mean(losses))


@pytest.mark.parametrize("targets", [[0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 0, 4]])
def test_supcon_is_the_formula_of_the_paper(targets: list[int]) -> None:
    rows = RNG.normal(size=(6, 5))
    got = SupCon(0.2)(torch.tensor(rows), torch.tensor(targets)).item()
    assert got == pytest.approx(_supcon(rows, np.array(targets), 0.2), rel=1e-6)


def test_supcon_without_any_positive_is_zero_with_zero_gradients() -> None:
    rows = torch.randn(3, 4, requires_grad=True)
    targets = torch.tensor([0, 1, 2])
    loss = SupCon()(rows, targets)
    loss.backward()
    assert loss.item() == 0.0
    assert rows.grad is not None
    assert torch.equal(rows.grad, torch.zeros_like(rows))
    assert not has_positive(targets).any()


def test_supcon_of_a_single_row_is_zero() -> None:
    assert SupCon()(torch.randn(1, 4), torch.tensor([0])).item() == 0.0


def test_anchors_without_positives_are_counted_and_leave_gradients_finite() -> None:
    rows = torch.randn(4, 4, requires_grad=True)
    targets = torch.tensor([0, 0, 1, 2])
    SupCon()(rows, targets).backward()
    assert has_positive(targets).tolist() == [True, True, False, False]
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()


def test_logit_adjustment_takes_out_what_the_sampler_draws() -> None:
    drawn = np.array([4.0, 3.0, 2.0, 1.0])
    shifted = LOGITS + np.log(drawn / 10)
    terms = [-_log_softmax(row)[y] for row, y in zip(shifted, TARGETS, strict=True)]
    got = _loss("logit_adjustment", drawn_counts=drawn)
    assert got == pytest.approx(np.mean(terms), rel=1e-6)


@pytest.mark.parametrize("name", ["cross_entropy", "logit_adjustment", "balanced_softmax"])
def test_shared_targets_weigh_the_classes(name: str) -> None:
    hard = torch.nn.functional.one_hot(torch.tensor(TARGETS), 4).double()
    loss = build_loss(name, class_counts=COUNTS)
    logits = torch.tensor(LOGITS)
    assert loss(logits, hard).item() == pytest.approx(loss(logits, torch.tensor(TARGETS)).item())
    even = torch.full((12, 4), 0.25, dtype=torch.float64)
    each = [loss(logits, torch.full((12,), c)).item() for c in range(4)]
    assert loss(logits, even).item() == pytest.approx(np.mean(each))
