from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.refine.features import (
    FEATURES,
    NAMES,
    PUBLISHED,
    in_micrometres,
    is_in_pixels,
    measure,
    measure_all,
)


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
    assert np.array_equal(table[0], measure(*drawn), equal_nan=True)
    assert np.isnan(table[1]).all()
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(ShapeError, match="got 1"):
        measure_all(np.stack([image, image]), [Pair(cell, nucleus)])
    with pytest.raises(ShapeError):
        measure(image[:10], cell, nucleus)


def test_the_page_has_every_feature_word_for_word() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "morphology.md"
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    assert rows == [f"| `{f.name}` | {f.unit} | {f.definition} |" for f in FEATURES]


EARLIER = """
cell_area mean_intensity sd_intensity red_blue_ratio nc_ratio nucleus_offset cytoplasm_intensity
spikiness cell_solidity cell_eccentricity nucleus_solidity nucleus_eccentricity nucleus_lobes
chromatin_sd granularity
""".split()


def test_features_of_earlier_bundles_keep_name_and_place() -> None:
    """Rules and ranges of bundles in use were fitted on these: a new feature goes to the end."""
    assert list(NAMES[: len(EARLIER)]) == EARLIER


def test_published_ones_equal_plain_numpy(drawn) -> None:
    """Moments and masked means against whole arrays; the cell lies at the border, too."""
    rng = np.random.default_rng(0)
    image, cell, nucleus = drawn
    image = np.clip(image.astype(int) + rng.integers(-40, 40, image.shape), 0, 255).astype(np.uint8)
    for shift in (0, -60):
        image, cell, nucleus = (np.roll(part, shift, axis=1) for part in (image, cell, nucleus))
        cell, nucleus = cell.copy(), nucleus.copy()
        cell[:, 150:] = nucleus[:, 150:] = False
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        gap = np.argwhere(nucleus).mean(axis=0) - np.argwhere(cell).mean(axis=0)
        expected = [
            cell.mean(),
            gray[cell].mean(),
            gray[cell].std(),
            image[..., 0][cell].mean() / image[..., 2][cell].mean(),
            nucleus.sum() / cell.sum(),
            np.linalg.norm(gap) / np.sqrt(cell.sum() / np.pi),
            gray[cell & ~nucleus].mean(),
        ]
        assert measure(image, cell, nucleus)[:7] == pytest.approx(expected, rel=1e-9)


def test_pixels_become_micrometres() -> None:
    assert in_micrometres("cell_area_px") == ("cell_area_um2", 2)
    assert in_micrometres("nucleus_diameter_px") == ("nucleus_diameter_um", 1)
    assert [name for name in NAMES if is_in_pixels(name)] == [
        "cell_area_px",
        "nucleus_area_px",
        "cell_diameter_px",
        "nucleus_diameter_px",
    ]
