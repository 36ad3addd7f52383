"""The gate: cleaner, and the same cell, or the original stands."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.restore.gate import (
    HIGHEST,
    LOWEST,
    STEPS,
    GateLimits,
    GateNumbers,
    Look,
    accept,
    broken,
    fit_gate,
    known_good,
    measure_change,
)

LOW = {
    "severity_gain": 0.2,
    "change_size": 8.5,
    "quality_before": 0.4,
    "quality_after": 0.5,
    "nucleus_overlap": 0.8,
    "granule_change": -0.5,
    "granule_match": 0.6,
}
HIGH = {
    "unfounded_light": 0.0,
    "nucleus_change": 0.18,
    "ratio_change": 0.2,
    "hue_shift": 8.0,
    "granule_change": 0.4,
    "granule_match": 1.3,
    "local_change": 9.0,
    "embedding_change": 0.3,
}
LIMITS = GateLimits(
    {name: (value,) * STEPS for name, value in LOW.items()},
    {name: (value,) * STEPS for name, value in HIGH.items()},
    (100,) * STEPS,
)
GOOD = {
    "severity_before": 2.9,
    "severity_after": 0.6,
    "quality_before": 0.7,
    "quality_after": 0.9,
    "nucleus_change": 0.04,
    "ratio_change": 0.05,
    "nucleus_overlap": 0.93,
    "hue_shift": 2.0,
    "granule_change": -0.1,
    "granule_match": 1.0,
    "local_change": 5.0,
    "embedding_change": 0.1,
    "change_size": 25.0,
    "unfounded_light": 0.0,
}


@dataclass(frozen=True)
class DrawnMasks:
    cell: np.ndarray
    nucleus: np.ndarray
    quality: float = 0.9


def _numbers(**changed: float) -> GateNumbers:
    return GateNumbers(**{name: np.array([value]) for name, value in (GOOD | changed).items()})


def _many(n: int, seed: int = 0, **changed: np.ndarray) -> GateNumbers:
    """Right restorations of severity 3, each number spread around its middle."""
    rng = np.random.default_rng(seed)
    drawn = {name: value * rng.uniform(0.9, 1.1, n) for name, value in GOOD.items()}
    return GateNumbers(**(drawn | {"severity_before": np.full(n, 2.9)} | changed))


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


def _compare(
    before: tuple[np.ndarray, DrawnMasks], after: list[tuple[np.ndarray, DrawnMasks]]
) -> GateNumbers:
    n = len(after)
    return measure_change(
        Look(np.stack([before[0]] * n), [before[1]] * n, np.full(n, 2.0), np.ones((n, 1))),
        Look(
            np.stack([image for image, _ in after]),
            [masks for _, masks in after],
            np.full(n, 1.0),
            np.ones((n, 1)),
        ),
        np.full(n, False),
    )


def test_a_cleaner_image_of_the_same_cell_passes_and_says_why() -> None:
    accepted, reasons = accept(_numbers(), LIMITS)
    assert accepted.tolist() == [True]
    assert reasons == [
        "restored: severity 2.9 to 0.6, nucleus area changed by 4%, within all 15 limits"
    ]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"severity_before": 0.1}, "near pristine (severity 0.10 < 0.50): not touched"),
        ({"severity_before": 0.499}, "near pristine (severity 0.499 < 0.500): not touched"),
        ({"severity_before": np.nan}, "severity could not be estimated: not touched"),
        ({"severity_after": 2.8}, "severity fell by 0.10 < 0.20"),
        ({"severity_after": 3.4}, "not clearly cleaner"),
        ({"severity_after": np.nan}, "not clearly cleaner"),
        ({"quality_before": 0.1}, "mask of the original unreliable: quality 0.10 < 0.40"),
        ({"quality_after": 0.0}, "mask after restoration unreliable: quality 0.00 < 0.50"),
        ({"nucleus_change": 0.31}, "nucleus area changed by 31% > 18%"),
        ({"nucleus_change": 0.183}, "nucleus area changed by 18.3% > 18.0%"),
        ({"nucleus_change": np.inf}, "nucleus area changed by inf% > 18%"),
        ({"ratio_change": 0.4}, "N:C ratio changed by 40% > 20%"),
        ({"nucleus_overlap": 0.5}, "nucleus moved: overlap 0.50 < 0.80"),
        ({"hue_shift": 14.0}, "hue shifted by 14.0 > 8.0 degrees"),
        ({"hue_shift": np.nan}, "hue shifted"),
        ({"granule_change": -0.9}, "cytoplasm smoothed"),
        ({"granule_change": 0.6}, "granules added"),
        ({"granule_match": 1.7}, "granules lost"),
        ({"granule_match": 0.2}, "other granules"),
        ({"local_change": 12.0}, "local change 12.0 > 9.0 times usual"),
        ({"embedding_change": 0.5}, "embedding moved by 0.50 > 0.30"),
        ({"change_size": 4.0}, "the restorer's own error: 4.0 < 8.5 gray levels"),
        ({"unfounded_light": 12.0}, "no fault of light was found: 12.0 > 0.0 gray levels"),
    ],
)
def test_any_doubt_keeps_the_original(changed: dict[str, float], reason: str) -> None:
    accepted, reasons = accept(_numbers(**changed), LIMITS)
    assert accepted.tolist() == [False]
    assert reason in reasons[0]


@pytest.mark.parametrize("name", sorted(LOWEST.keys() | HIGHEST.keys()))
def test_what_is_no_number_breaks_its_limit(name: str) -> None:
    name = "severity_after" if name == "severity_gain" else name
    assert not accept(_numbers(**{name: np.nan}), LIMITS)[0].any()
    assert name not in _numbers(**{name: np.nan}).row(0)
    assert len(_numbers().row(0)) == len(GOOD)


def test_without_a_gate_only_pristine_cells_are_kept() -> None:
    assert accept(_numbers(nucleus_overlap=0.0), None)[0].tolist() == [True]
    assert accept(_numbers(severity_before=1.0), None, restore_above=1.5)[0].tolist() == [False]


def test_limits_are_those_of_the_cell_s_own_severity() -> None:
    strict = dict(LIMITS.highest) | {"local_change": (3.0, 9.0, 9.0, 9.0)}
    limits = replace(LIMITS, highest=strict)
    light = _numbers(severity_before=0.9)
    assert not accept(light, limits)[0].any()
    assert accept(light, LIMITS)[0].all()
    assert accept(_numbers(severity_before=1.1), limits)[0].all()


def test_light_cancels_and_a_changed_nucleus_does_not() -> None:
    whole = _cell(14)
    larger = _cell(17)
    pink = whole[0].copy()
    pink[whole[1].cell & ~whole[1].nucleus] = (215, 170, 175)
    numbers = _compare(whole, [whole, _cell(14, light=0.6), larger, (pink, whole[1])])
    ratio = larger[1].nucleus.sum() / whole[1].nucleus.sum()
    assert numbers.nucleus_change == pytest.approx([0, 0, ratio - 1, 0])
    assert numbers.ratio_change == pytest.approx([0, 0, ratio - 1, 0])
    assert numbers.nucleus_overlap == pytest.approx([1, 1, 1 / ratio, 1])
    assert numbers.hue_shift[1] < 1  # darkening the whole frame cancels
    assert numbers.hue_shift[3] > 10
    assert numbers.local_change[1] < numbers.local_change[2]


def test_a_missing_nucleus_is_never_the_same_cell() -> None:
    none = DrawnMasks(np.zeros((64, 64), bool), np.zeros((64, 64), bool), 0.0)
    image, masks = _cell(14)
    numbers = _compare((image, masks), [(image, none)])
    assert not accept(numbers, LIMITS)[0].any()
    assert np.isinf(numbers.nucleus_change[0])
    assert numbers.nucleus_overlap[0] == 0
    blank = np.zeros_like(image)
    assert not accept(_compare((blank, none), [(blank, none)]), LIMITS)[0].any()


def test_a_cell_s_numbers_do_not_depend_on_the_cells_beside_it() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    restored = rng.integers(0, 256, images.shape, dtype=np.uint8)
    embeddings = rng.normal(size=(2, 5, 7))
    masks = [_cell(10 + row)[1] for row in range(5)]

    def measured(rows: slice) -> GateNumbers:
        few = masks[rows]
        ones = np.ones(len(few))
        vectors = [part[rows] for part in embeddings]
        return measure_change(
            Look(images[rows], few, ones, vectors[0]),
            Look(restored[rows], few, ones, vectors[1]),
            np.full(len(few), False),
        )

    together = measured(slice(0, 5))
    for row in range(5):
        assert measured(slice(row, row + 1)).row(0) == together.row(row)


def test_unequal_numbers_of_cells_are_refused() -> None:
    image, masks = _cell(14)
    look = Look(image[None], [masks], np.zeros(1), np.ones((1, 1)))
    for wrong, has_fault in ((replace(look, masks=[]), [False]), (look, [False, True])):
        with pytest.raises(ShapeError, match="of the same cells"):
            measure_change(look, wrong, np.array(has_fault))


def test_limits_let_nine_in_ten_right_restorations_through() -> None:
    numbers = _many(400)
    limits = fit_gate(numbers)
    assert limits.pairs == (400,) * STEPS  # one severity alone: every step borrows its pairs
    assert 0.9 <= accept(numbers, limits)[0].mean() < 0.94
    assert 0.8 < accept(_many(400, seed=1), limits)[0].mean() < 0.97
    assert limits.lowest["quality_before"] == (0.5,) * STEPS
    wrong = np.arange(400) < 200
    spoilt = replace(numbers, nucleus_change=np.where(wrong, 5.0, numbers.nucleus_change))
    assert max(fit_gate(spoilt, is_good=~wrong).highest["nucleus_change"]) < 0.05
    stored = json.loads(json.dumps(limits.to_dict(), allow_nan=False))
    assert GateLimits.from_dict(stored) == limits


def test_each_severity_has_its_own_limits_or_its_neighbours() -> None:
    n = 400
    severity = np.repeat([0.5, 1.5, 2.5, 3.5], [190, 100, 10, 100])
    numbers = _many(n, severity_before=severity, severity_after=severity - 0.4)
    moved = replace(numbers, local_change=severity * np.linspace(1, 1.1, n))
    limits = fit_gate(moved)
    assert limits.pairs == (190, 100, 210, 100)
    highest = limits.highest["local_change"]
    assert highest[0] < highest[1] < highest[2] <= highest[3]
    assert min(limits.lowest["severity_gain"]) > 0


def test_too_few_pairs_let_nothing_through() -> None:
    few = _many(5)
    limits = fit_gate(few)
    accepted, reasons = accept(few, limits)
    assert not accepted.any()
    assert "no limits are estimable from 5 pairs (< 20)" in reasons[0]
    assert all(values.all() for values in broken(few, limits).values())


def test_known_good_wants_a_closer_image_and_the_same_nucleus() -> None:
    clean, masks = _cell(14)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 30, clean.shape), 0, 255)
    noisy = noisy.astype(np.uint8)
    _, other = _cell(9)
    good = known_good(
        np.stack([clean] * 5),
        np.stack([noisy, noisy, noisy, clean, clean]),
        np.stack([clean, noisy, clean, clean, noisy]),
        [masks] * 5,
        [masks, masks, other, masks, masks],
    )
    assert good.tolist() == [True, False, False, True, False]
