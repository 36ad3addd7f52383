"""Crops of other sites' cells, and the figures of recipes on them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import boxed_cells, travel


def test_a_cut_at_the_edge_is_mirrored_and_centred() -> None:
    field = np.zeros((40, 60, 3), np.uint8)
    field[5, 3] = 255
    crop = boxed_cells.cut(field, (3, 5), 20)
    assert crop.shape == (20, 20, 3)
    assert crop[10, 10].tolist() == [255, 255, 255]


def test_a_cell_at_another_exposure_is_a_copy_and_another_cell_is_none() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 200, (48, 48, 3), dtype=np.uint8) for _ in range(2))
    darker = (one * 0.6 + 20).astype(np.uint8)
    assert len(set(boxed_cells.copies(np.stack([one, darker, other])))) == 2


def test_five_types_are_forced_without_the_immature() -> None:
    probs = np.zeros((1, 10))
    probs[0, [0, 1, 3, 5]] = (0.2, 0.1, 0.5, 0.2)  # SNE, BNE, MY, LY
    assert travel.forced(probs)[0] == pytest.approx([0.6, 0.4, 0, 0, 0])


def test_copies_widen_the_interval() -> None:
    right = np.repeat([1.0, 0.0], 50)
    alone = travel.interval(right, np.arange(100))
    in_tens = travel.interval(right, np.arange(100) // 10)
    assert in_tens[0] < alone[0] < 0.5 < alone[1] < in_tens[1]
