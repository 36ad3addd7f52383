"""Masks become polygons that other tools accept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from buffycoat.exchange.outlines import area_of, outline_of

shapely = pytest.importorskip("shapely", reason="needs the extra 'fields'")


def _painted(rings: tuple, shape: tuple[int, int]) -> np.ndarray:
    polygons = shapely.union_all([shapely.polygons(ring) for ring in rings])
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return shapely.contains_xy(polygons, columns + 0.5, rows + 0.5)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=7)))
def test_rings_are_valid_and_hold_the_mask(mask: np.ndarray) -> None:
    rings = outline_of(mask).rings
    assert all(shapely.polygons(ring).is_valid for ring in rings)
    painted = _painted(rings, mask.shape) if rings else np.zeros_like(mask)
    assert painted[mask].all()  # holes are filled, nothing else is added
    assert sum(area_of(ring) for ring in rings) == painted.sum()


def test_lobes_that_touch_at_a_corner_are_rings_of_their_own() -> None:
    mask = np.zeros((4, 4), bool)
    mask[:2, :2] = mask[2:, 2:] = True
    assert len(outline_of(mask).rings) == 2


def test_a_square_has_four_corners_at_its_place_in_the_field() -> None:
    (ring,) = outline_of(np.ones((3, 5), bool), left=10, top=20).rings
    assert sorted(ring) == [(10, 20), (10, 23), (15, 20), (15, 23)]


def test_a_hole_is_filled_with_what_lies_in_it() -> None:
    mask = np.ones((7, 7), bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    assert [area_of(ring) for ring in outline_of(mask).rings] == [49]


@given(st.integers(0, 3))
def test_an_empty_mask_has_no_outline(side: int) -> None:
    assert outline_of(np.zeros((side, side), bool)).rings == ()
