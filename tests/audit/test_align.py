from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffycoat.audit import perceptual, search, warp
from buffycoat.audit.align import align
from buffycoat.audit.perceptual import Picture, orient
from buffycoat.simulate.render import render_cell


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return render_cell("SNE", np.random.default_rng(4), 144).image


@pytest.mark.parametrize("orientation", range(8))
def test_a_turned_copy_lies_over_the_original(image: np.ndarray, orientation: int) -> None:
    turned = np.ascontiguousarray(orient(image, orientation))
    found = align(Picture.of(turned), Picture.of(image))
    assert found is not None
    assert found.orientation == orientation
    assert found.is_same_frame
    assert found.correlation > 0.999
    gray = Picture.of(image).gray.astype(np.float32)
    laid, covered = warp.lay_over(gray, found.warp)
    assert covered.all()
    np.testing.assert_allclose(laid, orient(gray, orientation), atol=0.5)


@pytest.mark.parametrize("orientation", [0, 3, 5, 6])
def test_a_crop_is_found_in_the_original_and_the_other_way_round(
    image: np.ndarray, orientation: int
) -> None:
    crop = np.ascontiguousarray(orient(image[4:126, 18:140], orientation))
    for first, second in ((image, crop), (crop, image)):
        found = align(Picture.of(first), Picture.of(second))
        assert found is not None
        assert found.correlation > 0.95
        assert not found.is_same_frame
        assert min(found.scale, 1 / found.scale) == pytest.approx(122 / 144, abs=0.01)


@pytest.mark.parametrize("corner", [(0, 0), (0, 42), (42, 0), (42, 42)])
def test_a_crop_with_the_cell_off_its_centre_is_looked_for_at_any_place(corner) -> None:
    """The eccentric nucleus of a plasma cell, cut off its centre, misleads the guess."""
    image = render_cell("PC", np.random.default_rng(3), 144).image
    top, left = corner
    crop = orient(image[top : top + 102, left : left + 102], 5)
    found = align(Picture.of(image), Picture.of(np.ascontiguousarray(crop)))
    assert found is not None
    assert found.is_same
    assert found.scale == pytest.approx(144 / 102, abs=0.02)


def test_strangers_are_given_up() -> None:
    pictures = [
        Picture.of(render_cell("LY", np.random.default_rng(seed), 96).image) for seed in range(10)
    ]
    pairs = [(a, b) for i, a in enumerate(pictures) for b in pictures[:i]]
    found = [align(a, b) for a, b in pairs]
    assert not any(alignment is not None and alignment.is_same for alignment in found)


def test_blank_pictures_agree_with_nothing(image: np.ndarray) -> None:
    blank = Picture.of(np.full((80, 80, 3), 180, np.uint8))
    other = Picture.of(np.full((80, 80, 3), 90, np.uint8))
    assert align(blank, other) is None
    assert align(blank, Picture.of(image)) is None


@pytest.mark.parametrize("orientation", range(8))
def test_the_search_needs_no_cell_in_the_centre(image: np.ndarray, orientation: int) -> None:
    first = cv2.resize(Picture.of(image).gray.astype(np.float32), (48, 48))
    second = orient(first, orientation)[2:38, 9:45]
    size = (48, 48)
    guesses = search.search(first, cv2.resize(np.ascontiguousarray(second), size))
    backwards = search.search(cv2.resize(np.ascontiguousarray(second), size), first)
    corners = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    true = warp.of_window(0, 9 / 48, 2 / 48, 36 / 48)[:, :2] @ _unturn(orientation)
    for found, expected in ((guesses[0], true), (backwards[1], np.linalg.inv(true))):
        np.testing.assert_allclose(found[1][:, :2], expected, atol=0.1)
        assert np.isfinite(corners @ found[1].T).all()


def _unturn(orientation: int) -> np.ndarray:
    """Linear part from the picture as it is to the turned one."""
    return np.linalg.inv(warp.of_orientation(orientation)[:, :2])


@given(st.integers(0, 7), st.floats(0, 0.3), st.floats(0, 0.3), st.floats(0.65, 1))
def test_warps_invert_and_go_to_pixels_and_back(o: int, x: float, y: float, side: float) -> None:
    found = warp.of_window(o, x, y, side)
    assert warp.scale_of(found) == pytest.approx(1 / side)
    np.testing.assert_allclose(warp.invert(warp.invert(found)), found, atol=1e-9)
    np.testing.assert_allclose(warp.from_pixels(warp.to_pixels(found, 96), 96), found, atol=1e-9)
    assert warp.corner_shift(found, found) == 0
    assert warp.tilt_of(found) == 0


@given(st.integers(0, 7), st.floats(-0.4, 0.4), st.floats(0.7, 1.4))
def test_the_tilt_is_the_sine_of_the_turn(orientation: int, angle: float, scale: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = warp.of_orientation(orientation)[:, :2] @ turn
    tilted = np.column_stack([linear, [0.0, 0.0]])
    assert warp.tilt_of(tilted) == pytest.approx(abs(np.sin(angle)), abs=1e-9)


@pytest.mark.parametrize("orientation", range(8))
def test_an_orientation_and_its_inverse_cancel(orientation: int) -> None:
    gray = np.arange(25).reshape(5, 5)
    back = orient(orient(gray, orientation), search._inverse(orientation))
    np.testing.assert_array_equal(back, gray)
    assert perceptual.BITS == 143
