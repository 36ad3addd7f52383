"""Which cells at the border of a field count."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.fields.counting import is_counted
from buffycoat.fields.find import FoundCell


def _cell(*box: int, is_cut: bool = True, kind: str = "cell") -> FoundCell:
    left, top, width, height = box
    return FoundCell((left, top, width, height), np.zeros((3, 2)), is_cut, 2.0, 1.0, 9.0, kind)


@pytest.mark.parametrize(
    ("box", "counts"),
    [
        ((0, 30, 20, 20), True),
        ((30, 0, 20, 20), True),
        ((80, 30, 20, 20), False),
        ((30, 60, 20, 20), False),
        ((0, 60, 20, 20), False),  # a corner belongs to the side that does not count
        ((80, 0, 20, 20), False),
        ((10, 10, 10, 10), True),  # at the rim of a round field
        ((70, 55, 10, 10), False),
    ],
)
def test_of_cells_that_a_border_cuts_those_at_two_sides_count(box, counts: bool) -> None:
    assert is_counted(_cell(*box), 100, 80) is counts


def test_whole_cells_count_and_smudges_do_not() -> None:
    assert is_counted(_cell(70, 55, 10, 10, is_cut=False), 100, 80)
    assert not is_counted(_cell(30, 30, 10, 10, is_cut=False, kind="smudge"), 100, 80)


def test_the_mix_of_sizes_is_that_of_the_smear() -> None:
    """Of large and small cells strewn over a plane, the share that counts is the true one."""
    rng = np.random.default_rng(0)
    n, side = 40_000, 200
    large = rng.random(n) < 0.3
    size = np.where(large, 60, 20)
    corners = rng.uniform(-100, side + 100, (n, 2))
    low, high = np.maximum(corners, 0), np.minimum(corners + size[:, None], side)
    is_seen = (high - low > 1).all(axis=1)
    is_cut = (corners < 0).any(axis=1) | (corners + size[:, None] > side).any(axis=1)
    boxes = np.hstack([np.floor(low), np.ceil(high) - np.floor(low)])[is_seen].astype(int)
    cells = [_cell(*box, is_cut=bool(cut)) for box, cut in zip(boxes, is_cut[is_seen], strict=True)]
    counted = np.array([is_counted(cell, side, side) for cell in cells])
    share = large[is_seen][counted].mean()
    assert share == pytest.approx(0.3, abs=0.02)
    assert large[is_seen].mean() > 0.35  # all that are seen
    assert large[is_seen & ~is_cut].mean() < 0.23  # none that is cut
