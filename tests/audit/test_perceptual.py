from __future__ import annotations

import numpy as np
import pytest

from buffycoat.audit import perceptual
from buffycoat.audit.perceptual import BITS, Picture, orient, orient_hashes
from buffycoat.simulate.render import render_cell


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return render_cell("MO", np.random.default_rng(1), 144).image


def _agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((a.astype(int) @ b) / BITS)


@pytest.mark.parametrize("orientation", range(8))
def test_hashes_of_an_orientation_follow_from_one(image: np.ndarray, orientation: int) -> None:
    as_it_is = Picture.of(image)
    turned = Picture.of(np.ascontiguousarray(orient(image, orientation)))
    assert _agreement(orient_hashes(as_it_is.frame_hash, orientation), turned.frame_hash) == 1
    # The window is placed anew, to a fraction of a pixel.
    assert _agreement(orient_hashes(as_it_is.cell_hash, orientation), turned.cell_hash) > 0.95


def test_the_eight_orientations_differ_and_are_all(image: np.ndarray) -> None:
    views = {np.ascontiguousarray(orient(image, o)).tobytes() for o in range(8)}
    assert len(views) == 8
    assert np.rot90(image).tobytes() in views
    assert image[:, ::-1].tobytes() in views


def test_the_cell_hash_survives_a_crop_and_the_frame_hash_does_not(image: np.ndarray) -> None:
    whole, crop = Picture.of(image), Picture.of(image[6:129, 14:137])
    assert _agreement(whole.cell_hash, crop.cell_hash) > 0.6
    assert _agreement(whole.frame_hash, crop.frame_hash) < 0.6


def test_strangers_share_few_signs() -> None:
    pictures = [
        Picture.of(render_cell("LY", np.random.default_rng(seed), 96).image) for seed in range(12)
    ]
    likest = max(
        _agreement(pictures[i].frame_hash, orient_hashes(pictures[j].frame_hash, o))
        for i in range(12)
        for j in range(i)
        for o in range(8)
    )
    assert likest < 0.65


def test_the_cell_is_found_where_it_is(image: np.ndarray) -> None:
    place = perceptual.locate(Picture.of(image).gray)
    moved = perceptual.locate(Picture.of(np.roll(image, 14, axis=1)).gray)
    assert moved.x - place.x == pytest.approx(14 / 144, abs=0.03)
    assert moved.y == pytest.approx(place.y, abs=0.03)


def test_a_blank_image_has_a_hash() -> None:
    picture = Picture.of(np.full((40, 60, 3), 200, np.uint8))
    assert set(np.unique(picture.frame_hash)) <= {-1, 1}
    assert np.isfinite([picture.place.x, picture.place.y, picture.place.radius]).all()
