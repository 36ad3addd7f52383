"""What training without labels can aim at: each method prefers what it should."""

from __future__ import annotations

import torch
from benchmarks.pretrain_methods import HIDDEN, masked, self_distillation, variance

ROWS, WIDTH = 32, 8
ANY = torch.zeros(2 * ROWS, dtype=torch.long)


def test_variance_prefers_spread_features_to_collapsed_ones():
    spread = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(0))
    loss = variance(WIDTH).loss
    alike = loss(torch.cat([spread, spread]), ANY)
    assert alike < loss(torch.zeros(2 * ROWS, WIDTH), ANY)
    assert alike < loss(torch.cat([spread, spread.flip(0)]), ANY)  # of other cells


def test_self_distillation_has_no_gradient_through_what_is_predicted():
    projected = torch.randn(2 * ROWS, WIDTH, requires_grad=True)
    predicted = torch.randn(2 * ROWS, WIDTH, requires_grad=True)
    self_distillation(WIDTH).loss(torch.cat([projected, predicted], dim=1), ANY).backward()
    assert projected.grad is not None
    assert not projected.grad.any()
    assert predicted.grad is not None
    assert predicted.grad.any()


def test_masked_hides_squares_of_the_second_view_only():
    torch.manual_seed(0)
    aim = masked(variance(WIDTH))
    assert aim.mask is not None
    views = torch.ones(2 * ROWS, 3, 2 * HIDDEN + 5, 2 * HIDDEN + 5)
    shown = aim.mask(views)
    assert (shown[:ROWS] == 1).all()
    hidden = shown[ROWS:, :, :HIDDEN, :HIDDEN].flatten(1)
    assert {*hidden.mean(dim=1).tolist()} == {0.0, 1.0}  # a square is seen or not, in each channel
