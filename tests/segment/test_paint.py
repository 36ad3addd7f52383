from __future__ import annotations

import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.segment.paint import paint_background


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (60, 80, 3), dtype=np.uint8)


def test_only_the_cell_is_left_and_is_centred(image: np.ndarray) -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:30, 60:70] = True
    painted = paint_background(image, mask, 20)
    assert painted.shape == (20, 20, 3)
    assert np.array_equal(painted[:, 5:15], image[10:30, 60:70])
    assert (painted[:, :5] == 255).all()
    assert (painted[:, 15:] == 255).all()


def test_cell_at_the_corner_is_kept_whole(image: np.ndarray) -> None:
    mask = np.zeros((60, 80), bool)
    mask[0:8, 70:80] = True
    painted = paint_background(image, mask, 10)
    assert np.array_equal(painted[1:9], image[0:8, 70:80])


def test_one_pixel_mask(image: np.ndarray) -> None:
    mask = np.zeros((60, 80), bool)
    mask[5, 5] = True
    assert (paint_background(image, mask, 16) == image[5, 5]).all()


def test_empty_mask_leaves_the_image(image: np.ndarray) -> None:
    square = image[:, :60]
    painted = paint_background(square, np.zeros((60, 60), bool), 60)
    assert np.array_equal(painted, square)
    assert painted is not square


def test_mismatch_is_an_error(image: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="got"):
        paint_background(image, np.zeros((3, 3), bool), 10)
