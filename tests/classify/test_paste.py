"""A rare cell on another's background: what is covered, what is kept, and how often."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.classify.paste import RIM_SHARE, donor_shares, paste

SIDE = 100


def _cell(radius_px: int, colour: tuple[int, int, int], light: float) -> tuple[np.ndarray, ...]:
    """A round cell on a background of 200 times `light`, and its mask."""
    y, x = np.indices((SIDE, SIDE)) - SIDE // 2
    mask = x**2 + y**2 <= radius_px**2
    image = np.full((SIDE, SIDE, 3), 200.0)
    image[mask] = colour
    return np.rint(image * light).astype(np.uint8), mask


HOST = _cell(20, (80, 160, 80), 1.0)
DONOR = _cell(30, (90, 40, 140), 0.8)


def test_the_rare_cell_covers_the_other_and_takes_its_light() -> None:
    pasted = paste(*HOST, *DONOR)
    far = ~HOST[1] & (np.hypot(*(np.indices((SIDE, SIDE)) - SIDE // 2)) > 30 + 6 * RIM_SHARE * SIDE)
    assert np.array_equal(pasted[far], HOST[0][far])
    assert pasted[SIDE // 2, SIDE // 2] == pytest.approx((90, 40, 140), abs=2)
    inner = np.hypot(*(np.indices((SIDE, SIDE)) - SIDE // 2)) < 26
    assert np.ptp(pasted[inner].reshape(-1, 3).astype(int), axis=0).max() <= 2


def test_a_cell_that_would_stick_out_leaves_the_rare_one_alone() -> None:
    assert np.array_equal(paste(*DONOR, *HOST), HOST[0])


@pytest.mark.parametrize("empty", [0, 1])
def test_without_a_mask_the_rare_cell_is_shown_alone(empty: int) -> None:
    masks = [HOST[1], DONOR[1]]
    masks[empty] = np.zeros_like(masks[empty])
    assert np.array_equal(paste(HOST[0], masks[0], DONOR[0], masks[1]), DONOR[0])


def test_a_mask_of_everything_is_no_division_by_nothing() -> None:
    whole = np.ones((SIDE, SIDE), dtype=bool)
    assert np.isfinite(paste(HOST[0], whole, DONOR[0], whole)).all()


def test_classes_give_cells_in_inverse_proportion() -> None:
    assert donor_shares(np.array([30, 10, 0])) == pytest.approx([0.25, 0.75, 0])


def test_light_is_rounded_and_not_cut_off() -> None:
    """A donor of 101 under 200/160 of its light is 126.25, one of 103 is 128.75."""
    for level, expected in ((101, 126), (103, 129)):
        host, donor = _cell(20, (80, 160, 80), 1.0), _cell(30, (level, level, level), 1.0)
        donor[0][~donor[1]] = 160
        assert (paste(*host, *donor)[SIDE // 2, SIDE // 2] == expected).all()
