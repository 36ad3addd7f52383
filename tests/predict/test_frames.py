"""Whole photographs: scales, pixels that stay, and agreement with `predict`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import buffycoat
from buffycoat.bundle.fitted import Fitted
from buffycoat.images import to_work
from buffycoat.predict import cleaning, frames
from buffycoat.predict.explain import explain
from buffycoat.predict.frames import restore_frames, scale, unscale
from buffycoat.refine.features import NAMES
from buffycoat.restore.classical import FlatField
from buffycoat.restore.graded import GROUPS
from buffycoat.restore.severity import Degradation
from buffycoat.segment.masks import CellMasks
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import render_cell


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    """Clean and degraded cells of different sizes."""
    rng = np.random.default_rng(0)
    clean = [render_cell(code, rng, 110).image for code in ("SNE", "LY", "MO", "EO")]
    sizes = ((110, 96), (90, 110), (101, 101), (40, 50))
    cut = [cell[: size[0], : size[1]] for cell, size in zip(clean, sizes, strict=True)]
    worse = [degrade(np.ascontiguousarray(c), 4, rng, ["uneven_light", "noise"]) for c in cut]
    return [*map(np.ascontiguousarray, cut), *worse]


@pytest.fixture(scope="module")
def fitted(tiny_bundle: Path) -> Fitted:
    """A bundle that restores by flat field, crops three quarters, and has no gate."""
    whole = buffycoat.load(tiny_bundle).fitted
    images = whole.config.images.model_copy(update={"frame_fraction": 0.75})
    config = whole.config.model_copy(update={"images": images})
    above = whole.config.restore.model_copy(update={"restore_above": 1.5})
    restoration = replace(whole.restoration, restorer=FlatField(), gate=None, config=above)
    return replace(whole, config=config, restoration=restoration)


@pytest.mark.parametrize("shape", [(360, 363), (97, 200), (51, 40), (300, 16), (224, 224)])
@pytest.mark.parametrize("fraction", [1.0, 0.75, 0.5])
def test_the_crop_of_a_scaled_frame_is_the_working_image(
    shape: tuple[int, int], fraction: float
) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    scaled = scale(noise, 64, fraction)
    assert np.array_equal(scaled.image[scaled.crop], to_work(noise, 64, fraction))
    assert unscale(scaled.image, scaled).shape == noise.shape


@pytest.mark.parametrize("side_px", [48, 150])
def test_nothing_moves_on_the_way_there_and_back(side_px: int) -> None:
    y, x = np.mgrid[0 : 1 : side_px * 1j, 0 : 1 : (side_px + 7) * 1j]
    smooth = np.stack([220 * x, 220 * y, 110 * (x + y)], axis=-1) + 15
    soft = np.rint(smooth).astype(np.uint8)
    cv2.circle(soft, (side_px // 2, side_px // 3), side_px // 8, (120, 20, 90), thickness=-1)
    soft = cv2.GaussianBlur(soft, (0, 0), 3.0)
    scaled = scale(soft, 96, 0.75)
    back = unscale(scaled.image, scaled)
    off = np.abs(back.astype(int) - soft)
    assert off[2:-2, 2:-2].max() <= 4
    assert off.mean() < 0.7


def test_sizes_stay_and_untouched_pixels_are_the_same(
    fitted: Fitted, photographs: list[np.ndarray]
) -> None:
    given = [photograph.copy() for photograph in photographs]
    results = restore_frames(photographs, fitted)
    assert {result.is_restored for result in results} == {True, False}
    for before, photograph, result in zip(given, photographs, results, strict=True):
        assert np.array_equal(before, photograph)
        assert result.image.shape == photograph.shape
        assert result.is_restored != np.array_equal(result.image, photograph)
        assert bool(result.change) == result.is_restored  # without a gate all that is tried stands
        assert result.is_restored == (result.severity >= 1.5)
        assert bool(result.degradation) <= result.is_restored
    assert not np.array_equal(results[-2].image, photographs[-2])


def test_a_verdict_agrees_with_predict_s(fitted: Fitted, photographs: list[np.ndarray]) -> None:
    settings = fitted.config.images
    work = np.stack([to_work(p, settings.work_px, settings.frame_fraction) for p in photographs])
    cleaned = cleaning.clean(work, fitted.restoration)
    results = restore_frames(photographs, fitted)
    assert [result.severity for result in results] == cleaned.severity.tolist()
    assert [result.degradation for result in results] == cleaned.degradation
    assert [result.is_restored for result in results] == cleaned.is_restored.tolist()
    kept = [row for row, result in enumerate(results) if not result.is_restored]
    assert [results[row].reason for row in kept] == [cleaned.reasons[row] for row in kept]


def test_a_refused_cell_keeps_its_pixels(fitted: Fitted, photographs: list[np.ndarray]) -> None:
    class Eraser(FlatField):
        def correct(self, image: np.ndarray) -> np.ndarray:
            return np.full_like(image, 230)

    whole = fitted.restoration
    strict = replace(whole, restorer=Eraser(), gate=_gate(fitted))
    results = restore_frames(photographs, replace(fitted, restoration=strict))
    tried = [row for row, result in enumerate(results) if result.change]
    assert tried
    for row in tried:
        assert not results[row].is_restored
        assert results[row].reason.startswith("original kept: ")
        assert np.array_equal(results[row].image, photographs[row])


def _gate(fitted: Fitted):
    from buffycoat.restore.gate import fit_gate

    none = np.zeros((0, 64, 64, 3), np.uint8)
    found = Degradation(np.zeros((0, 5)), np.zeros((0, len(GROUPS))), 0.5)
    numbers = cleaning.check_restored(none, none, [], found, fitted.restoration).numbers
    return fit_gate(numbers)  # of no pairs: lets nothing through


def test_a_frame_s_result_does_not_depend_on_the_others(
    fitted: Fitted, photographs: list[np.ndarray]
) -> None:
    together = restore_frames(photographs, fitted)
    for photograph, among in zip(photographs, together, strict=True):
        alone = restore_frames([photograph], fitted)[0]
        assert np.array_equal(alone.image, among.image)
        assert replace(alone, image=among.image) == among
    assert restore_frames([], fitted) == []


def test_identity_says_that_restoration_is_off(
    fitted: Fitted, photographs: list[np.ndarray]
) -> None:
    from buffycoat.restore.apply import Identity

    off = replace(fitted, restoration=replace(fitted.restoration, restorer=Identity()))
    results = restore_frames(photographs, off)
    assert {result.reason for result in results} == {frames.OFF}
    assert all(np.array_equal(r.image, p) for r, p in zip(results, photographs, strict=True))


def test_every_stage_sees_the_masks_of_the_bundles_own_segmenter(
    photographs: list[np.ndarray], fitted: Fitted
) -> None:
    """Prediction, explanation and restoration; none falls back to another one."""
    seen: list[int] = []

    def nothing(images: np.ndarray) -> list[CellMasks]:
        seen.append(len(images))
        return [CellMasks.none(*image.shape[:2]) for image in images]

    blind = replace(fitted, restoration=replace(fitted.restoration, segment=nothing))
    shown = cleaning.clean(np.stack([to_work(p, 64, 0.75) for p in photographs]), blind.restoration)
    assert not shown.mask_quality.any()
    assert np.isnan(shown.features[:, NAMES.index("nc_ratio")]).all()
    explanation, said = explain(photographs[0], "cell", blind)
    assert said.is_abstained
    assert not explanation.cell_mask.any()
    before = len(seen)
    restore_frames(photographs, blind)
    assert len(seen) > before
