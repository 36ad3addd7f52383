from __future__ import annotations

import itertools
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffycoat.refine import contour


def spiky(
    radius: float = 60,
    spikes: int = 7,
    height: float = 0.3,
    turn: float = 0.0,
    centre: tuple[float, float] = (160.0, 160.0),
    side: int = 320,
) -> np.ndarray:
    """A disc with blebs, as a mask."""
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    length = radius * (1 + height * np.maximum(0, np.cos(spikes * angle)) ** 4)
    points = np.stack(
        [centre[0] + length * np.cos(angle + turn), centre[1] + length * np.sin(angle + turn)], 1
    )
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask > 0


def reference(height: float) -> float:
    """The same curve, 20,000 points of it, the median weighted by arc length."""
    angle = np.linspace(0, 2 * np.pi, 20_000)
    length = 1 + height * np.maximum(0, np.cos(7 * angle)) ** 4
    points = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=1)
    arc = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    even = np.interp(np.linspace(0, arc[-1], 20_000), arc, length)
    return float(length.max() / np.median(even))


@pytest.mark.parametrize("height", [0.0, 0.1, 0.2, 0.5])
def test_blebs_raise_it_as_the_curve_says(height: float) -> None:
    assert contour.spikiness(spiky(height=height)) == pytest.approx(reference(height), abs=0.03)


def test_square_has_its_known_spikiness() -> None:
    mask = np.zeros((300, 300), bool)
    mask[50:251, 50:251] = True
    half_diagonal, median = np.sqrt(2), np.sqrt(1 + 0.25)
    assert contour.spikiness(mask) == pytest.approx(half_diagonal / median, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(
    turn=st.floats(0, 6.28),
    x=st.floats(-40, 40),
    y=st.floats(-40, 40),
    scale=st.floats(0.6, 1.4),
)
def test_rotation_translation_and_scale_change_nothing(
    turn: float, x: float, y: float, scale: float
) -> None:
    moved = spiky(radius=60 * scale, turn=turn, centre=(160 + x, 160 + y))
    assert contour.spikiness(moved) == pytest.approx(contour.spikiness(spiky()), rel=0.03)
    assert contour.solidity(moved) == pytest.approx(contour.solidity(spiky()), rel=0.03)


SHAPES: dict[str, Callable[[np.ndarray], float]] = {
    "spikiness": contour.spikiness,
    "solidity": contour.solidity,
    "circularity": contour.circularity,
    "eccentricity": contour.eccentricity,
    "lobes": contour.lobes,
    "notches": lambda mask: contour.notches(mask)[0],
    "notch depth": lambda mask: contour.notches(mask)[1],
    "roughness": lambda mask: radial(mask).roughness(contour.FINE_HARMONICS),
    "waviness": lambda mask: radial(mask).roughness(contour.COARSE_HARMONICS),
    "blebs": lambda mask: radial(mask).blebs(),
}


def radial(mask: np.ndarray) -> contour.Profile:
    found = contour.profile(mask)
    assert found is not None
    return found


@settings(max_examples=15, deadline=None)
@given(
    turn=st.floats(0, 6.28),
    height=st.floats(0.05, 0.5),
    quarters=st.integers(0, 3),
    is_mirrored=st.booleans(),
    right=st.integers(-40, 40),
    down=st.integers(-40, 40),
)
def test_exact_under_quarter_turns_mirrors_and_shifts(
    turn: float, height: float, quarters: int, is_mirrored: bool, right: int, down: int
) -> None:
    mask = spiky(radius=55, turn=turn, height=height)
    other = np.rot90(mask[:, ::-1] if is_mirrored else mask, quarters)
    other = np.roll(other, (down, right), (0, 1))
    for name, shape in SHAPES.items():
        assert shape(other) == pytest.approx(shape(mask), rel=1e-9), name


@settings(max_examples=15, deadline=None)
@given(turn=st.floats(0, 90), side_px=st.floats(30, 150))
def test_circularity_and_solidity_of_squares_and_discs(turn: float, side_px: float) -> None:
    """Whichever way they lie, and at any size: the grid's steps must not count as edge."""
    square, disc = np.zeros((2, 240, 240), np.uint8)
    corners = cv2.boxPoints(((120.0, 120.0), (side_px, side_px), turn))
    cv2.fillPoly(square, [np.round(corners).astype(np.int32)], 1)
    cv2.circle(disc, (120, 120), round(side_px / 2), 1, -1)
    assert contour.circularity(square > 0) == pytest.approx(np.pi / 4, rel=0.06)
    assert contour.circularity(disc > 0) == pytest.approx(1, abs=0.03)
    assert contour.solidity(square > 0) == pytest.approx(1, abs=0.04)


def test_solidity_counts_the_pixels_of_the_hull() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:25, 5:25] = True
    assert contour.solidity(mask) == 1
    mask[15:25, 15:25] = False  # leaves an L; its hull has 45 pixels of the corner
    assert contour.solidity(mask) == pytest.approx(300 / 345)


@pytest.mark.parametrize("pixels", [0, 1, 4])
def test_too_small_is_nan(pixels: int) -> None:
    mask = np.zeros((20, 20), bool)
    mask[10, 5 : 5 + pixels] = True
    for shape in (contour.spikiness, contour.solidity, contour.eccentricity, contour.lobes):
        assert np.isnan(shape(mask))


def test_one_pixel_line_does_not_fail() -> None:
    mask = np.zeros((60, 60), bool)
    mask[30, 5:55] = True
    assert np.isnan(contour.spikiness(mask))
    assert contour.eccentricity(mask) == pytest.approx(1.0)


def test_mask_at_the_border_and_dust_are_handled() -> None:
    mask = np.ones((50, 50), bool)
    assert contour.spikiness(mask) > 1.2
    disc = spiky(height=0.0)
    value = contour.spikiness(disc)
    disc[2:5, 2:5] = True
    assert contour.spikiness(disc) == value


def test_eccentricity_and_solidity_of_an_ellipse() -> None:
    mask = np.zeros((200, 200), np.uint8)
    cv2.ellipse(mask, (100, 100), (80, 40), 30, 0, 360, 1, -1)
    assert contour.eccentricity(mask > 0) == pytest.approx(np.sqrt(0.75), abs=0.01)
    assert contour.solidity(mask > 0) > 0.97


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("joined", [False, True])
def test_lobes_are_counted(count: int, joined: bool) -> None:
    mask = np.zeros((200, 200), np.uint8)
    centres = [(40 + 40 * i, 80 + 30 * (i % 2)) for i in range(count)]
    for centre in centres:
        cv2.circle(mask, centre, 17, 1, -1)
    if joined:
        for start, end in itertools.pairwise(centres):
            cv2.line(mask, start, end, 1, 7)
    assert contour.lobes(mask > 0) == count
