"""The gate: cleaner, and the same cell, or the original stands."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.restore.gate import (
    GateLimits,
    GateNumbers,
    decide,
    fit_gate,
    known_good,
    measure_change,
)

LIMITS = GateLimits(
    min_gain=0.2,
    min_quality_before=0.4,
    min_quality_after=0.5,
    max_nucleus_change=0.18,
    max_cell_change=0.25,
    min_nucleus_overlap=0.8,
    max_stain_shift=0.3,
    n_pairs=100,
)
GOOD = {
    "severity_before": 2.9,
    "severity_after": 0.6,
    "quality_before": 0.7,
    "quality_after": 0.9,
    "nucleus_change": 0.04,
    "cell_change": 0.05,
    "nucleus_overlap": 0.93,
    "stain_shift": 0.1,
}


@dataclass(frozen=True)
class DrawnMasks:
    cell: np.ndarray
    nucleus: np.ndarray
    quality: float = 0.9


def _numbers(**changed: float) -> GateNumbers:
    return GateNumbers(**{name: np.array([value]) for name, value in (GOOD | changed).items()})


def _disk(radius: int, side_px: int = 64) -> np.ndarray:
    mask = np.zeros((side_px, side_px), np.uint8)
    cv2.circle(mask, (side_px // 2, side_px // 2), radius, 1, -1)
    return mask > 0


def _cell(nucleus_radius: int, light: float = 1.0) -> tuple[np.ndarray, DrawnMasks]:
    masks = DrawnMasks(_disk(24), _disk(nucleus_radius))
    image = np.full((64, 64, 3), 220.0)
    image[masks.cell] = (180, 180, 210)
    image[masks.nucleus] = (100, 60, 140)
    return (image * light).astype(np.uint8), masks


def test_a_cleaner_image_of_the_same_cell_passes_and_says_why() -> None:
    accepted, reasons = decide(_numbers(), LIMITS)
    assert accepted.tolist() == [True]
    assert reasons == ["restored: severity 2.9 to 0.6, nucleus area changed by 4 % <= 18 %"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"severity_before": 0.1}, "pristine (severity 0.1 < 0.5): not touched"),
        ({"severity_before": np.nan}, "severity could not be estimated: not touched"),
        ({"severity_after": 2.8}, "severity 2.9 to 2.8, needs a fall of 0.20"),
        ({"severity_after": 3.4}, "not clearly cleaner"),
        ({"severity_after": np.nan}, "not clearly cleaner"),
        ({"quality_before": 0.1}, "mask of the original unreliable: quality 0.10 < 0.40"),
        ({"quality_after": 0.0}, "mask after restoration unreliable: quality 0.00 < 0.50"),
        ({"nucleus_change": 0.31}, "nucleus area changed by 31 % > 18 %"),
        ({"nucleus_change": np.inf}, "nucleus area changed by inf % > 18 %"),
        ({"cell_change": 0.4}, "cell area changed by 40 % > 25 %"),
        ({"nucleus_overlap": 0.5}, "nucleus moved: overlap 0.50 < 0.80"),
        ({"stain_shift": 0.44}, "stain of the nucleus shifted by 0.44 > 0.30"),
        ({"stain_shift": np.nan}, "stain of the nucleus shifted"),
    ],
)
def test_any_doubt_keeps_the_original(changed: dict[str, float], reason: str) -> None:
    accepted, reasons = decide(_numbers(**changed), LIMITS)
    assert accepted.tolist() == [False]
    assert reason in reasons[0]


def test_without_a_gate_only_pristine_cells_are_kept() -> None:
    assert decide(_numbers(nucleus_overlap=0.0), None)[0].tolist() == [True]
    assert decide(_numbers(severity_before=1.0), None, restore_above=1.5)[0].tolist() == [False]


def test_change_is_measured_against_the_background() -> None:
    image, masks = _cell(14)
    darker, _ = _cell(14, light=0.6)
    larger, larger_masks = _cell(17)
    paler = image.copy()
    paler[masks.nucleus] = (150, 120, 180)
    n = 4
    numbers = measure_change(
        np.stack([image, darker, image, image]),
        np.stack([image, image, larger, paler]),
        [masks] * n,
        [masks, masks, larger_masks, masks],
        np.full(n, 2.0),
        np.full(n, 1.0),
    )
    ratio = larger_masks.nucleus.sum() / masks.nucleus.sum()
    assert numbers.nucleus_change == pytest.approx([0, 0, ratio - 1, 0])
    assert numbers.nucleus_overlap == pytest.approx([1, 1, 1 / ratio, 1])
    assert numbers.stain_shift[1] < 0.02  # darkening the whole frame cancels
    assert numbers.stain_shift[3] > 0.5


def test_a_missing_nucleus_is_never_the_same_cell() -> None:
    image, masks = _cell(14)
    none = DrawnMasks(np.zeros((64, 64), bool), np.zeros((64, 64), bool), 0.0)
    numbers = measure_change(
        image[None], image[None], [masks], [none], np.array([3.0]), np.array([0.0])
    )
    assert not decide(numbers, LIMITS)[0].any()
    assert np.isinf(numbers.nucleus_change[0])
    assert numbers.nucleus_overlap[0] == 0


def test_unequal_numbers_of_cells_are_refused() -> None:
    image, masks = _cell(14)
    with pytest.raises(ShapeError, match="of the same cells"):
        measure_change(image[None], image[None], [masks], [], np.zeros(1), np.zeros(1))


def test_limits_are_quantiles_of_the_right_restorations() -> None:
    rng = np.random.default_rng(0)
    n = 400
    numbers = GateNumbers(
        severity_before=np.full(n, 3.0),
        severity_after=rng.uniform(0, 1, n),
        quality_before=rng.uniform(0.5, 1, n),
        quality_after=rng.uniform(0.6, 1, n),
        nucleus_change=rng.uniform(0, 0.2, n),
        cell_change=rng.uniform(0, 0.2, n),
        nucleus_overlap=rng.uniform(0.8, 1, n),
        stain_shift=rng.uniform(0, 0.3, n),
    )
    limits = fit_gate(numbers)
    assert limits.max_nucleus_change == pytest.approx(0.19, abs=0.005)
    assert limits.min_nucleus_overlap == pytest.approx(0.81, abs=0.005)
    assert limits.min_gain == pytest.approx(2.05, abs=0.03)
    assert limits.min_quality_before == limits.min_quality_after == 0.5
    assert limits.n_pairs == n
    assert 0.6 < decide(numbers, limits)[0].mean() < 0.9
    wrong = np.arange(n) < 200
    spoilt = replace(numbers, nucleus_change=np.where(wrong, 5.0, numbers.nucleus_change))
    assert fit_gate(spoilt, is_good=~wrong).max_nucleus_change < 0.2
    assert GateLimits.from_dict(json.loads(json.dumps(limits.to_dict()))) == limits


def test_too_few_pairs_let_nothing_through() -> None:
    few = GateNumbers(**{name: np.full(5, value) for name, value in GOOD.items()})
    limits = fit_gate(few)
    accepted, reasons = decide(few, limits)
    assert not accepted.any()
    assert "not estimable from 5 pairs (< 20)" in reasons[0]


def test_known_good_wants_a_closer_image_and_the_same_nucleus() -> None:
    clean, masks = _cell(14)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 30, clean.shape), 0, 255)
    noisy = noisy.astype(np.uint8)
    _, other = _cell(9)
    good = known_good(
        np.stack([clean] * 3),
        np.stack([noisy] * 3),
        np.stack([clean, noisy, clean]),
        [masks] * 3,
        [masks, masks, other],
    )
    assert good.tolist() == [True, False, False]
