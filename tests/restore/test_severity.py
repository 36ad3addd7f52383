"""The severity estimator: on cells that it has not seen, degraded by known amounts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.errors import BundleError, ShapeError
from buffycoat.restore.graded import GROUPS
from buffycoat.restore.severity import (
    UNFITTED_RESTORE_ABOVE,
    Degradation,
    SeverityEstimator,
    fit_severity,
    limit_for,
    select_pristine,
)
from buffycoat.restore.symptoms import FEATURES, measure
from buffycoat.simulate.degrade import degrade, degrade_labelled


@pytest.fixture(scope="module")
def estimator(drawn_cells: np.ndarray) -> SeverityEstimator:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("buffycoat.restore.severity.MIN_CLEAN_CELLS", 50)
        patch.setattr("buffycoat.restore.severity.EPOCHS", 60)
        return fit_severity(drawn_cells[:50], seed=0)


@pytest.fixture(scope="module")
def graded(drawn_cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Held-out cells at every severity, the severities, and the groups drawn."""
    rng = np.random.default_rng(9)
    pairs = [(image, s) for image in drawn_cells[50:] for s in range(5) for _ in range(2)]
    drawn = [degrade_labelled(image, s, rng) for image, s in pairs]
    groups = np.array([[name in names for name in GROUPS] for _, names in drawn])
    return np.stack([image for image, _ in drawn]), np.array([s for _, s in pairs]), groups


def area_under_curve(scores: np.ndarray, is_positive: np.ndarray) -> float:
    return float((scores[is_positive][:, None] > scores[~is_positive]).mean())


def test_it_grades_cells_that_it_has_not_seen(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    images, severity, _ = graded
    estimate = estimator.estimate(images).severity
    assert np.abs(estimate - severity).mean() < 0.8  # a constant guess is off by 1.2
    means = [estimate[severity == s].mean() for s in range(5)]
    assert means == sorted(means)
    assert area_under_curve(estimate, severity > 0) > 0.9


def test_it_tells_noise_blur_and_light_apart(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    images, severity, groups = graded
    found = estimator.estimate(images)
    assert found.kinds.shape == groups.shape == (len(images), 3)
    for column, name in enumerate(GROUPS):
        assert area_under_curve(found.kinds[:, column], groups[:, column]) > 0.85, name
    several = np.flatnonzero((severity == 4) & (groups.sum(axis=1) > 1))
    assert any(len(found.names(row)) > 1 for row in several.tolist())


@pytest.mark.parametrize(
    ("kind", "group"), [("noise", "noise"), ("defocus", "blur"), ("uneven_light", "light")]
)
def test_a_plain_fault_is_named(
    estimator: SeverityEstimator, drawn_cells: np.ndarray, kind: str, group: str
) -> None:
    rng = np.random.default_rng(3)
    images = np.stack([degrade(image, 4, rng, kinds=[kind]) for image in drawn_cells[50:]])
    found = estimator.estimate(images)
    assert np.mean([found.names(row) == (group,) for row in range(len(images))]) >= 0.7


def test_names_are_for_degraded_cells_only() -> None:
    probs = np.array([[0.9, 0.1, 0, 0, 0], [0, 0, 0, 0, 1.0]])
    found = Degradation(probs, np.array([[0.9, 0.2, 0.6], [0.5, 0.49, 1.0]]), restore_above=0.5)
    assert found.severity.tolist() == [0.1, 4.0]
    assert found.names(0) == ()
    assert found.names(0, restore_above=0.05) == ("noise", "light")
    assert found.names(1) == ("noise", "light")
    assert found.names(1, restore_above=4.5) == ()


def test_clean_cells_stay_under_restore_above(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    images, severity, _ = graded
    reaches = estimator.estimate(images).severity >= estimator.restore_above
    assert estimator.restore_above != UNFITTED_RESTORE_ABOVE
    assert reaches[severity == 0].mean() <= 0.05
    assert reaches[severity >= 3].mean() > 0.7


def test_few_clean_cells_leave_restore_above_unfitted(
    drawn_cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buffycoat.restore.severity.EPOCHS", 1)
    assert fit_severity(drawn_cells[:20], seed=0).restore_above == UNFITTED_RESTORE_ABOVE


def test_the_limit_errs_towards_leaving_cells_alone() -> None:
    clean = np.arange(10_000.0)[::-1]
    assert 80 < (clean >= limit_for(clean, 0.01)).sum() < 90
    assert (clean[:308] >= limit_for(clean[:308], 0.01)).sum() == 0
    ties = np.repeat([0.0, 1.0], [95, 5])
    assert (ties >= limit_for(ties, 0.01)).sum() == 0


def test_the_limit_holds_in_nineteen_draws_of_twenty() -> None:
    rng = np.random.default_rng(0)
    reached = np.array([1 - limit_for(rng.random(700), 0.02) for _ in range(400)])
    assert 0.93 < (reached <= 0.02).mean() < 0.99


def test_each_image_is_scored_on_its_own(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    images = graded[0][:6]
    found, alone = estimator.estimate(images), estimator.estimate(images[3:4])
    assert np.allclose(found.probs.sum(axis=1), 1)
    assert np.array_equal(found.probs[3:4], alone.probs)
    assert np.array_equal(found.kinds[3:4], alone.kinds)


def test_features_do_not_depend_on_memory() -> None:
    image = np.random.default_rng(0).integers(0, 256, (75, 61, 3), dtype=np.uint8)
    expected = measure(image)
    for offset in range(1, 40, 3):
        buffer = np.zeros(image.size + offset, dtype=np.uint8)
        moved = buffer[offset:].reshape(image.shape)
        moved[:] = image
        assert np.array_equal(measure(moved), expected)
    mirrored = np.ascontiguousarray(image[:, ::-1])[:, ::-1]
    assert np.array_equal(measure(mirrored), expected)


def test_loaded_equals_fitted(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    stored = json.loads(json.dumps(estimator.to_dict()))
    loaded = SeverityEstimator.from_dict(stored)
    expected, found = estimator.estimate(graded[0][:9]), loaded.estimate(graded[0][:9])
    assert np.array_equal(found.probs, expected.probs)
    assert np.array_equal(found.kinds, expected.kinds)
    assert loaded.restore_above == estimator.restore_above


@pytest.mark.parametrize("change", [{"features": ["another"]}, {"groups": None}])
def test_an_estimator_of_another_version_is_refused(
    estimator: SeverityEstimator, change: dict[str, list[str] | None]
) -> None:
    stored = {k: v for k, v in (estimator.to_dict() | change).items() if v is not None}
    with pytest.raises(BundleError, match="other features"):
        SeverityEstimator.from_dict(stored)


def test_clean_targets_are_the_known_ones_and_those_that_look_it(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    images, severity, _ = graded
    is_known = np.zeros(len(images), dtype=bool)
    is_known[np.flatnonzero(severity == 4)[:2]] = True
    chosen = select_pristine(images, is_known, estimator, below=0.5)
    assert chosen[is_known].all()
    assert chosen[~is_known & (severity >= 3)].mean() < 0.05
    assert chosen[severity == 0].mean() > 0.4
    assert np.array_equal(select_pristine(images, is_known, estimator, below=-1.0), is_known)
    with pytest.raises(ShapeError, match="marks of pristine"):
        select_pristine(images, is_known[:3], estimator, below=0.5)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.full((64, 64, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8),
    ],
)
def test_blank_and_strange_images_give_finite_numbers(
    estimator: SeverityEstimator, image: np.ndarray
) -> None:
    features = measure(image)
    assert features.shape == (len(FEATURES),)
    assert np.isfinite(features).all()
    assert 0 <= estimator.estimate(image[None]).severity[0] <= 4


def test_features_answer_to_what_they_are_named_after(drawn_cells: np.ndarray) -> None:
    image = drawn_cells[0]
    column = {name: place for place, name in enumerate(FEATURES)}

    def change(name: str, kind: str, severity: int = 4) -> float:
        degraded = degrade(image, severity, np.random.default_rng(1), kinds=[kind])
        return float(measure(degraded)[column[name]] - measure(image)[column[name]])

    assert change("noise_luma", "noise") > 0.5
    assert change("edge_luma", "defocus") < -0.15
    assert change("light_range", "uneven_light") > 0.1


def test_too_few_cells_are_refused(drawn_cells: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="at least 2 clean cells"):
        fit_severity(drawn_cells[:1], seed=0)
