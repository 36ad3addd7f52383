"""The white behind a cell, against a surface that is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from buffycoat import white

SIDE = 60
PLACES = (2 * np.arange(SIDE) + 1) / SIDE - 1


def lit(fall: float) -> np.ndarray:
    """A bright field whose light falls off to one side and the corners, shape (60, 60, 3)."""
    down, across = np.meshgrid(PLACES, PLACES, indexing="ij")
    light = 1 - fall * (0.4 * across + 0.3 * down**2)
    return (np.array([215, 205, 190]) * light[..., None]).round().astype(np.uint8)


def fitted(image: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Gray levels of the white that is found."""
    powers = white.powers(PLACES)
    factors = white.fit(cv2.LUT(image, white.LOGS), free, powers, powers, share=0.85)
    return np.exp(white.surface(factors, powers, powers)) - white.DARK_OFFSET


@pytest.mark.parametrize("fall", [0.0, 0.3])
def test_finds_the_light_under_cells(fall: float) -> None:
    image = lit(fall)
    stained = image.copy()
    cv2.circle(stained, (22, 26), 12, (90, 60, 130), -1)
    cv2.circle(stained, (45, 45), 9, (200, 150, 150), -1)
    found = fitted(stained, np.ones((SIDE, SIDE), dtype=bool))
    assert np.abs(found - image).max() < 8
    assert np.abs(found - image).mean() < 2


def test_what_is_not_free_is_not_looked_at() -> None:
    image = lit(0.2)
    free = np.ones((SIDE, SIDE), dtype=bool)
    free[:, 40:] = False
    spoiled = image.copy()
    spoiled[:, 40:] = 255
    assert np.allclose(fitted(spoiled, free), fitted(image, free))


def test_nothing_free_gives_full_white() -> None:
    found = fitted(lit(0.2), np.zeros((SIDE, SIDE), dtype=bool))
    assert np.allclose(found, 255, atol=1e-3)


def test_a_surface_is_its_factors_times_the_terms() -> None:
    factors = np.random.default_rng(0).normal(size=(6, 3))
    down, across = PLACES[:4], PLACES[:7]
    found = white.surface(factors, white.powers(down), white.powers(across))
    for row, y in enumerate(down):
        for column, x in enumerate(across):
            terms = np.array([1, y, x, y * y, x * x, y * x])
            assert found[row, column] == pytest.approx(terms @ factors, abs=1e-5)
