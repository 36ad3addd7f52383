"""Whether there was anything to undo: the size of a change, and a white that was moved."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from buffycoat.restore.gate import (
    MIN_PAIRS,
    OWN_ERROR,
    STEPS,
    GateLimits,
    GateNumbers,
    Look,
    accept,
    fit_gate,
    measure_change,
)
from buffycoat.restore.worth import change_size, leaves_known_white, white_shift
from buffycoat.segment.masks import CellMasks
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import render_cell


def _white(image: np.ndarray, white: tuple[int, int, int]) -> np.ndarray:
    scale = np.array(white) / np.percentile(image, 90, axis=(0, 1))
    return np.clip(np.rint(image * scale), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def lilac() -> np.ndarray:
    """A clean cell on the rarer white of PBC's photographs."""
    return _white(render_cell("LY", np.random.default_rng(0), 160).image, (240, 230, 236))


def test_the_size_of_a_change_is_its_root_mean_square() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    assert change_size(image, image) == 0
    assert change_size(image, image + np.uint8(7)) == pytest.approx(7)
    assert change_size(image, image - np.uint8(7)) == pytest.approx(7)


def test_a_background_in_another_white_is_seen(lilac: np.ndarray) -> None:
    cream = _white(lilac, (254, 229, 203))
    assert white_shift(lilac, lilac) <= 0
    assert white_shift(lilac, cream) > 20
    assert white_shift(cream, lilac) > 20


@pytest.mark.parametrize("light", [1.0, 0.8, 0.5])
def test_a_known_white_is_known_in_any_light(lilac: np.ndarray, light: float) -> None:
    dim = np.rint(lilac * light).astype(np.uint8)
    cream = _white(lilac, (254, 229, 203))
    assert leaves_known_white(dim, cream)
    assert not leaves_known_white(dim, lilac)
    assert not leaves_known_white(np.rint(cream * light).astype(np.uint8), cream)


def test_a_cast_that_no_photograph_has_may_be_taken_out(lilac: np.ndarray) -> None:
    cream = _white(lilac, (254, 229, 203))
    for cast in ((200, 229, 203), (254, 200, 203), (254, 229, 170)):
        assert not leaves_known_white(_white(cream, cast), cream)


def test_a_fault_of_light_does_not_excuse_another_white(lilac: np.ndarray) -> None:
    cream = _white(lilac, (254, 229, 203))
    yellow = _white(cream, (254, 229, 170))
    empty = CellMasks.none(*lilac.shape[:2])
    given, found = np.stack([lilac, cream, cream]), np.stack([cream, yellow, yellow])
    three = [empty] * 3, np.ones(3), np.ones((3, 1))
    has_fault = np.array([True, True, False])
    numbers = measure_change(Look(given, *three), Look(found, *three), has_fault)
    assert numbers.unfounded_light[0] > 15
    assert numbers.unfounded_light[1] == 0
    assert numbers.unfounded_light[2] > 15


@pytest.mark.parametrize("kind", ["noise", "salt_and_pepper"])
@pytest.mark.parametrize("severity", [1, 2, 3, 4])
def test_a_white_that_noise_had_hidden_is_no_other_white(
    lilac: np.ndarray, kind: str, severity: int
) -> None:
    noisy = degrade(lilac, severity, np.random.default_rng(severity), [kind])
    assert white_shift(noisy, lilac) <= 0


def test_mild_noise_does_not_hide_another_white(lilac: np.ndarray) -> None:
    noisy = degrade(lilac, 1, np.random.default_rng(0), ["noise"])
    assert white_shift(noisy, _white(lilac, (254, 229, 203))) > 5


@pytest.mark.parametrize("kind", ["defocus", "gaussian_blur", "motion_blur"])
def test_blur_moves_no_white(lilac: np.ndarray, kind: str) -> None:
    assert white_shift(degrade(lilac, 4, np.random.default_rng(0), [kind]), lilac) <= 0


def _pairs(n: int, change: np.ndarray) -> GateNumbers:
    rng = np.random.default_rng(0)
    drawn = {
        name: rng.uniform(0.9, 1.1, n)
        for name in GateNumbers.__dataclass_fields__
        if name not in ("severity_before", "severity_after", "change_size")
    }
    severity = np.full(n, 2.5)
    return GateNumbers(
        severity_before=severity,
        severity_after=severity - 1,
        change_size=change,
        **(drawn | {"unfounded_light": np.zeros(n)}),
    )


def test_the_least_change_follows_the_restorer_s_own_error() -> None:
    is_clean = np.arange(200) < 50
    change = np.where(is_clean, np.linspace(2, 10, 200), 30.0)
    limits = fit_gate(_pairs(200, change), is_clean=is_clean)
    expected = 2**0.5 * np.quantile(change[:50], 0.95)
    assert limits.lowest["change_size"] == pytest.approx((expected,) * STEPS)
    small = replace(_pairs(200, change), change_size=np.full(200, expected - 0.1))
    accepted, reasons = accept(small, limits)
    assert not accepted.any()
    assert "the restorer's own error" in reasons[0]


def test_a_small_right_change_does_not_widen_the_limits() -> None:
    small = _pairs(200, np.full(200, 1.0))
    large = _pairs(200, np.full(200, 30.0))
    for kind in ("lowest", "highest"):
        found, other = (dict(getattr(fit_gate(pairs), kind)) for pairs in (small, large))
        assert found == other


@pytest.mark.parametrize("n_clean", [0, MIN_PAIRS - 1])
def test_too_few_clean_cells_leave_the_default(n_clean: int) -> None:
    is_clean = np.arange(200) < n_clean
    limits = fit_gate(_pairs(200, np.full(200, 50.0)), is_clean=is_clean)
    assert limits.lowest["change_size"] == pytest.approx((2**0.5 * OWN_ERROR,) * STEPS)


def test_a_gate_of_an_older_bundle_asks_too() -> None:
    stored = json.loads(json.dumps(fit_gate(_pairs(200, np.full(200, 30.0))).to_dict()))
    del stored["lowest"]["change_size"], stored["highest"]["unfounded_light"]
    limits = GateLimits.from_dict(stored)
    assert limits.lowest["change_size"] == pytest.approx((2**0.5 * OWN_ERROR,) * STEPS)
    assert limits.highest["unfounded_light"] == (0.0,) * STEPS
