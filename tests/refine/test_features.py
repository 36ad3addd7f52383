from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.refine.features import FEATURES, NAMES, PUBLISHED, measure, measure_all


@dataclass(frozen=True)
class Pair:
    cell: np.ndarray
    nucleus: np.ndarray


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cell, nucleus = np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.uint8)
    cv2.circle(cell, (100, 100), 60, 1, -1)
    cv2.circle(nucleus, (120, 100), 30, 1, -1)
    image = np.full((200, 200, 3), 250, np.uint8)
    image[cell > 0] = (180, 180, 180)
    image[nucleus > 0] = (60, 60, 120)
    return image, cell > 0, nucleus > 0


def test_known_values(drawn) -> None:
    image, cell, _nucleus = drawn
    values = dict(zip(NAMES, measure(*drawn), strict=True))
    assert values["cell_area"] == pytest.approx(np.pi * 60**2 / 200**2, rel=0.02)
    assert values["nc_ratio"] == pytest.approx(0.25, rel=0.03)
    assert values["nucleus_offset"] == pytest.approx(20 / 60, rel=0.02)
    assert values["cytoplasm_intensity"] == pytest.approx(180)
    assert values["mean_intensity"] == pytest.approx(
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[cell].mean()
    )
    red, _, blue = image[cell].mean(axis=0)
    assert values["red_blue_ratio"] == pytest.approx(red / blue)
    assert values["spikiness"] == pytest.approx(1.0, abs=0.03)
    assert values["nucleus_lobes"] == 1
    assert values["chromatin_sd"] == 0
    assert values["granularity"] == pytest.approx(0, abs=0.1)


def test_granules_raise_granularity(drawn) -> None:
    image, cell, nucleus = drawn
    grains = np.random.default_rng(0).random(cell.shape) < 0.2
    image = image.copy()
    image[cell & ~nucleus & grains] = (90, 60, 140)
    at = NAMES.index("granularity")
    assert measure(image, cell, nucleus)[at] > 10 + measure(*drawn)[at]


def test_names_are_unique_and_described() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert "spikiness" in NAMES
    assert len(PUBLISHED) == 7
    assert all(feature.unit and feature.definition for feature in FEATURES)


def test_empty_mask_is_all_nan(drawn) -> None:
    image, cell, _ = drawn
    empty = np.zeros_like(cell)
    assert np.isnan(measure(image, empty, empty)).all()


def test_one_pixel_mask_gives_intensities_but_no_shape(drawn) -> None:
    image, cell, _ = drawn
    dot = np.zeros_like(cell)
    dot[100, 100] = True
    values = dict(zip(NAMES, measure(image, dot, dot), strict=True))
    assert np.isfinite(values["mean_intensity"])
    assert values["nc_ratio"] == 1
    assert np.isnan(values["spikiness"])
    assert np.isnan(values["cytoplasm_intensity"])


def test_no_nucleus_and_black_image(drawn) -> None:
    image, cell, _ = drawn
    values = dict(zip(NAMES, measure(image * 0, cell, np.zeros_like(cell)), strict=True))
    assert values["nc_ratio"] == 0
    assert np.isnan(values["nucleus_offset"])
    assert np.isnan(values["red_blue_ratio"])


def test_batch_equals_single(drawn) -> None:
    image, cell, nucleus = drawn
    seen: list[tuple[int, int]] = []
    table = measure_all(
        np.stack([image, image]),
        [Pair(cell, nucleus), Pair(cell & False, cell & False)],
        lambda done, total: seen.append((done, total)),
    )
    assert np.array_equal(table[0], measure(*drawn))
    assert np.isnan(table[1]).all()
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(ShapeError, match="got 1"):
        measure_all(np.stack([image, image]), [Pair(cell, nucleus)])
    with pytest.raises(ShapeError):
        measure(image[:10], cell, nucleus)
