from __future__ import annotations

import cv2
import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.restore import classical
from buffycoat.restore.apply import RESTORERS, from_tensors
from buffycoat.restore.classical import CLASSICAL, FlatField, NonLocalMeans, Wiener
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import render_cell

SIDE_PX = 128


def _psnr(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """Six clean rendered cells of different classes, under PBC's white."""
    codes = ("SNE", "LY", "MO", "EO", "BA", "ERB")
    cells = [
        render_cell(code, np.random.default_rng(row), SIDE_PX).image.astype(np.float64)
        for row, code in enumerate(codes)
    ]
    white = np.array(classical.WHITES[0])
    return np.stack(
        [np.clip(c / np.percentile(c, 95, axis=(0, 1)) * white, 0, 255) for c in cells]
    ).astype(np.uint8)


def _degraded(cells: np.ndarray, *kinds: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.stack([degrade(cell, 3, rng, kinds) for cell in cells])


@pytest.mark.parametrize(
    ("name", "kind", "gain_db"),
    [
        ("non_local_means", "noise", 4.0),
        ("non_local_means", "salt_and_pepper", 8.0),
        ("flat_field", "uneven_light", 3.0),
        ("flat_field", "colour_cast", 3.0),
        ("flat_field", "gamma", 3.0),
        ("wiener", "gaussian_blur", 0.3),
        ("wiener", "defocus", 0.3),
    ],
)
def test_each_undoes_its_kind_of_fault(
    name: str, kind: str, gain_db: float, cells: np.ndarray
) -> None:
    degraded = _degraded(cells, kind)
    restored = from_tensors({"name": name}, {}).restore(degraded)
    pairs = zip(cells, degraded, restored, strict=True)
    gains = [_psnr(clean, after) - _psnr(clean, before) for clean, before, after in pairs]
    assert np.mean(gains) > gain_db


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_clean_cell_is_left_almost_as_it_is(name: str, cells: np.ndarray) -> None:
    restored = from_tensors({"name": name}, {}).restore(cells)
    assert min(_psnr(*pair) for pair in zip(cells, restored, strict=True)) > 30


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_batch_gives_what_single_images_give(name: str, cells: np.ndarray) -> None:
    degraded = _degraded(cells, "noise", "defocus", "colour_cast")
    given = degraded.copy()
    restorer = from_tensors({"name": name}, {})
    together = restorer.restore(degraded)
    alone = np.concatenate([restorer.restore(degraded[row : row + 1]) for row in range(len(cells))])
    assert np.array_equal(together, alone)
    assert np.array_equal(restorer.restore(degraded[::-1])[::-1], together)
    assert np.array_equal(degraded, given)
    assert not np.array_equal(together, given)


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("shape", [(16, 16), (17, 40), (33, 21), (96, 250)])
def test_any_size_is_taken(name: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1, *shape, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(noise[0], (0, 0), 3.0)[None]
    for image in (noise, soft, np.zeros_like(noise), np.full_like(noise, 255)):
        restored = from_tensors({"name": name}, {}).restore(image)
        assert restored.shape == image.shape
        assert restored.dtype == np.uint8


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_stored_one_is_the_same(name: str, cells: np.ndarray) -> None:
    degraded = _degraded(cells[:2], "gamma", "noise")
    first = RESTORERS[name]({"name": name}, {})
    second = from_tensors(first.to_dict(), first.to_tensors())
    assert first.name == second.name == name
    assert np.array_equal(first.restore(degraded), second.restore(degraded))


def test_progress_and_refusal(cells: np.ndarray) -> None:
    seen: list[tuple[int, int]] = []
    NonLocalMeans().restore(cells[:2], lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(ShapeError, match="uint8"):
        Wiener().restore(cells.astype(np.float32))


def test_noise_is_measured() -> None:
    rng = np.random.default_rng(0)
    sigmas = np.array([4.0, 9.0, 16.0])
    image = np.clip(np.rint(128 + rng.normal(0, sigmas, (96, 96, 3))), 0, 255).astype(np.uint8)
    assert classical.noise_sigma(image) == pytest.approx(sigmas, rel=0.08)


@pytest.mark.parametrize("blur_px", [1.5, 2.5, 4.0])
def test_blur_is_measured(blur_px: float) -> None:
    step = np.full((96, 96, 3), 220, np.uint8)
    cv2.circle(step, (48, 48), 28, (90, 60, 140), thickness=-1)
    blurred = cv2.GaussianBlur(step, (0, 0), blur_px)
    assert classical.edge_blur_px(blurred) == pytest.approx(blur_px, rel=0.2)


def test_a_cell_does_not_count_as_shade() -> None:
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    light = (1 - 0.4 * ((x - 0.3) ** 2 + y**2) / 3)[..., None] * np.array([250.0, 225.0, 200.0])
    image = light.copy()
    image[30:66, 30:66] *= 0.4
    found = classical.background(np.rint(image).astype(np.uint8))
    error = np.abs(found / light - 1)
    assert error[30:66, 30:66].max() < 0.06
    assert error.mean() < 0.05


def test_another_laboratory_s_white_may_be_given(cells: np.ndarray) -> None:
    dark = np.rint(cells[:1] * 0.6).astype(np.uint8)
    restored = FlatField([(235.0, 235.0, 235.0)]).restore(dark)
    assert np.percentile(restored[0], 92, axis=(0, 1)) == pytest.approx(235, abs=8)
