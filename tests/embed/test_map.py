"""The map of embeddings keeps neighbours together."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.embed.map import LEAST, lay_out, place


@pytest.fixture(scope="module")
def groups():
    """Three groups of 20 directions, and which group each is of."""
    rng = np.random.default_rng(0)
    centres = np.eye(3, 8).repeat(20, axis=0)
    rows = centres + 0.1 * rng.normal(size=centres.shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), np.arange(3).repeat(20)


def test_groups_stay_apart_and_the_map_is_the_same_each_time(groups):
    rows, of = groups
    places = lay_out(rows)
    assert places.min() == 0
    assert places.max() == 1
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (of[distance.argmin(axis=1)] == of).all()
    np.testing.assert_array_equal(lay_out(rows), places)


def test_a_new_cell_lies_amid_its_neighbours(groups):
    rows, of = groups
    places = lay_out(rows)
    new = place(rows[[5, 45]], rows, places)
    for at, group in zip(new, (0, 2), strict=True):
        low, high = places[of == group].min(axis=0), places[of == group].max(axis=0)
        assert (low <= at).all()
        assert (at <= high).all()


def test_too_few_cells_have_no_map():
    assert lay_out(np.eye(LEAST - 1)) is None
