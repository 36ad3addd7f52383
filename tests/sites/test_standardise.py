"""White balance and stain strength: what cancels, what is left alone, and what is said of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.simulate.render import render_cell
from buffycoat.sites.colour import Colour, measure
from buffycoat.sites.standardise import GAINS, ColourReference, standardise


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.stack([render_cell(code, rng, 96).image for code in ("SNE", "LY", "EO", "MO")])


@pytest.fixture(scope="module")
def home(cells: np.ndarray) -> ColourReference:
    return ColourReference.of(measure(cells))


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def test_a_cast_is_taken_out(cells: np.ndarray, home: ColourReference) -> None:
    cast = (cells * np.array([0.6, 0.8, 0.7])).astype(np.uint8)
    before, after = (standardise(images, home) for images in (cells, cast))
    assert _difference(after.images, before.images) < 3
    assert _difference(cast, cells) > 20
    assert after.reasons == ("",) * 4


def test_a_gamma_is_taken_out(cells: np.ndarray, home: ColourReference) -> None:
    bent = np.round(255 * (cells / 255) ** 0.5).astype(np.uint8)
    before, after = (standardise(images, home).images for images in (cells, bent))
    assert _difference(after, before) < 4
    assert _difference(bent, cells) > 20


def test_the_result_has_the_references_white_and_strength(
    cells: np.ndarray, home: ColourReference
) -> None:
    wanted = ColourReference((200.0, 210.0, 220.0), home.strength)
    found = ColourReference.of(measure(standardise(cells // 2, wanted).images))
    np.testing.assert_allclose(found.white, wanted.white, atol=3)
    np.testing.assert_allclose(found.strength, wanted.strength, rtol=0.15)


def test_a_cell_does_not_depend_on_the_cells_beside_it(
    cells: np.ndarray, home: ColourReference
) -> None:
    together = standardise(cells, home).images
    alone = np.concatenate([standardise(cell[None], home).images for cell in cells])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("level", [0, 10])
def test_a_frame_without_light_is_left_and_says_so(home: ColourReference, level: int) -> None:
    dark = np.full((1, 32, 32, 3), level, np.uint8)
    found = standardise(dark, home)
    assert np.array_equal(found.images, dark)
    assert found.reasons == (f"background level {level} < 32; left as it is",)


def test_what_is_said_of_a_background_shows_that_it_is_too_small(
    home: ColourReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Colour(np.full((1, 3), 200.0), np.array([0.0398]), np.full((1, 3), 0.3))
    monkeypatch.setattr("buffycoat.sites.standardise.measure", lambda _: found)
    (reason,) = standardise(np.full((1, 32, 32, 3), 200, np.uint8), home).reasons
    assert reason == "background 3.98 % of the frame < 4.00 %; left as it is"


def test_the_sites_white_stands_in_where_a_frame_shows_none(home: ColourReference) -> None:
    rng = np.random.default_rng(0)
    dark = rng.integers(0, 30, (1, 32, 32, 3), dtype=np.uint8)
    site = ColourReference((120.0, 110.0, 130.0), home.strength)
    found = standardise(dark, home, site)
    assert "site's white taken" in found.reasons[0]
    assert not np.array_equal(found.images, dark)


def test_a_blank_is_white_balanced_only(home: ColourReference) -> None:
    blank = np.full((1, 32, 32, 3), (100, 120, 140), np.uint8)
    found = standardise(blank, home)
    assert "nothing stained" in found.reasons[0]
    np.testing.assert_allclose(found.images[0, 0, 0], home.white, atol=1)


def test_a_pale_frame_is_raised_up_to_the_limit_and_says_so(home: ColourReference) -> None:
    rng = np.random.default_rng(0)
    pale = np.full((64, 64, 3), 200.0)
    pale[20:40, 20:40] -= 25 + rng.normal(0, 1, (20, 20, 3))
    found = standardise(pale.astype(np.uint8)[None], home)
    assert found.reasons[0].startswith("stain strength off by a factor of")
    ratio = measure(found.images).strength / measure(pale.astype(np.uint8)[None]).strength
    assert ratio.max() <= GAINS[1] * 1.1


def test_nothing_and_garbage(home: ColourReference) -> None:
    assert standardise(np.empty((0, 8, 8, 3), np.uint8), home).images.shape == (0, 8, 8, 3)
    with pytest.raises(ShapeError, match="expected images"):
        standardise(np.zeros((8, 8, 3), np.uint8), home)
    with pytest.raises(ShapeError, match="at least one photograph"):
        ColourReference.of(measure(np.empty((0, 8, 8, 3), np.uint8)))


def test_a_reference_survives_json(home: ColourReference) -> None:
    assert ColourReference.from_dict(json.loads(json.dumps(home.to_dict()))) == home
