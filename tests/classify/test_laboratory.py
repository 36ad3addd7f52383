"""Simulated laboratories: all photographs of one alike, no two laboratories the same."""

from __future__ import annotations

import numpy as np

from buffycoat.classify.laboratory import Laboratory
from buffycoat.classify.vary import restain, restain_by
from buffycoat.simulate.render import render_cell
from buffycoat.sites.colour import measure


def _cells(n: int) -> list[np.ndarray]:
    return [render_cell("LY", np.random.default_rng(i), 96).image for i in range(n)]


def test_a_laboratory_treats_all_its_photographs_alike() -> None:
    cells = _cells(2)
    for number in range(4):
        laboratory = Laboratory.draw(number)
        assert laboratory == Laboratory.draw(number)
        first = laboratory.photograph(cells[0])
        assert first.shape == cells[0].shape
        assert first.dtype == np.uint8
        laboratory.photograph(cells[1])
        assert np.array_equal(first, laboratory.photograph(cells[0]))


def test_laboratories_differ_more_than_their_cells() -> None:
    cells = _cells(6)
    white = np.array(
        [
            measure(np.stack([Laboratory.draw(n).photograph(cell) for cell in cells])).white
            for n in range(6)
        ]
    )  # laboratory, cell, channel
    within = white.std(axis=1).mean()
    assert white.mean(axis=1).std(axis=0).mean() > 3 * within


def test_training_still_draws_the_same_pictures() -> None:
    (cell,) = _cells(1)
    rng = np.random.default_rng(3)
    stain, light = 0.8 * rng.random(), 0.6 * rng.random()
    expected = restain_by(cell, rng, stain, light)
    assert np.array_equal(restain(cell, np.random.default_rng(3), 0.8, 0.6), expected)
