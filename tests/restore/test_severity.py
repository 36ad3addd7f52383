"""The severity estimator: on cells that it has not seen, degraded by known amounts."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from buffycoat.errors import BundleError, ShapeError
from buffycoat.restore.severity import SeverityEstimator, fit_severity, select_pristine
from buffycoat.restore.symptoms import FEATURES, measure
from buffycoat.simulate.degrade import degrade


@pytest.fixture(scope="module")
def estimator(drawn_cells: np.ndarray) -> SeverityEstimator:
    return fit_severity(drawn_cells[:40], seed=0)


@pytest.fixture(scope="module")
def graded(drawn_cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Held-out cells at every severity, and the severities."""
    rng = np.random.default_rng(9)
    pairs = [(degrade(image, s, rng), s) for image in drawn_cells[40:] for s in range(5)]
    return np.stack([image for image, _ in pairs]), np.array([s for _, s in pairs])


def test_it_grades_cells_that_it_has_not_seen(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray]
) -> None:
    images, severity = graded
    estimate = estimator.estimate(images)
    assert np.abs(estimate - severity).mean() < 0.8  # a constant guess is off by 1.2
    means = [estimate[severity == s].mean() for s in range(5)]
    assert means == sorted(means)
    pristine = estimator.prob_pristine(images)
    wins = pristine[severity == 0][:, None] > pristine[severity > 0]
    assert wins.mean() > 0.9  # area under the ROC curve


def test_probabilities_and_row_independence(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray]
) -> None:
    images = graded[0][:6]
    probs = estimator.probs(images)
    assert np.allclose(probs.sum(axis=1), 1)
    assert np.array_equal(probs[3:4], estimator.probs(images[3:4]))


def test_loaded_equals_fitted(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray]
) -> None:
    stored = json.loads(json.dumps(estimator.to_dict()))
    loaded = SeverityEstimator.from_dict(stored)
    assert np.array_equal(loaded.probs(graded[0][:9]), estimator.probs(graded[0][:9]))
    stored["features"][0] = "another"
    with pytest.raises(BundleError, match="other features"):
        SeverityEstimator.from_dict(stored)


def test_clean_targets_are_the_known_ones_and_those_that_look_it(
    estimator: SeverityEstimator, graded: tuple[np.ndarray, np.ndarray]
) -> None:
    images, severity = graded
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
    assert 0 <= estimator.estimate(image[None])[0] <= 4


def test_features_answer_to_what_they_are_named_after(drawn_cells: np.ndarray) -> None:
    image = drawn_cells[0]
    column = {name: place for place, name in enumerate(FEATURES)}

    def change(name: str, kind: str, severity: int = 4) -> float:
        degraded = degrade(image, severity, np.random.default_rng(1), kinds=[kind])
        return float(measure(degraded)[column[name]] - measure(image)[column[name]])

    assert change("noise_luma", "noise") > 0.5
    assert change("edge_sharpness", "defocus") < -0.3
    assert change("light_range", "uneven_light") > 0.1


def test_one_cell_takes_milliseconds(estimator: SeverityEstimator) -> None:
    image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    start = time.process_time()
    for _ in range(5):
        measure(image)
    assert (time.process_time() - start) / 5 < 0.03  # 3 ms on an idle core; ten times that here


def test_too_few_cells_are_refused(drawn_cells: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="at least two clean cells"):
        fit_severity(drawn_cells[:1], seed=0)
