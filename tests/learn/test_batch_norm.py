"""Batch-norm statistics of a site mixed into a classifier's."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.bundle import files
from buffycoat.classify.ensemble import FoldModel
from buffycoat.errors import ConfigError, NotEstimableError
from buffycoat.learn.batch_norm import reestimate


@pytest.fixture(scope="module")
def model(tiny_bundle: object) -> FoldModel:
    return files.read(str(tiny_bundle)).models[0]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)


def _statistics(model: FoldModel) -> dict[str, np.ndarray]:
    return {name: value for name, value in model.state.items() if "running_" in name}


def test_only_statistics_change_and_the_old_model_stays(
    model: FoldModel, images: np.ndarray
) -> None:
    before = {name: value.copy() for name, value in model.state.items()}
    changed = reestimate(model, images)
    for name, value in before.items():
        assert np.array_equal(model.state[name], value)
        if "running_" not in name:
            assert np.array_equal(changed.state[name], value)
    moved = [not np.array_equal(changed.state[n], v) for n, v in _statistics(model).items()]
    assert all(moved)


def test_no_share_changes_nothing(model: FoldModel, images: np.ndarray) -> None:
    for name, value in _statistics(reestimate(model, images, share=0.0)).items():
        np.testing.assert_allclose(value, model.state[name], rtol=1e-5, atol=1e-6)


def test_the_first_layer_gets_the_stated_share_of_the_cells_own(
    model: FoldModel, images: np.ndarray
) -> None:
    first = "bn1.running_mean"  # behind the stem, whose input no statistic changes
    old, half, whole = (reestimate(model, images, share).state[first] for share in (0, 0.5, 1))
    np.testing.assert_allclose(half, (old + whole) / 2, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_done_is_refused(model: FoldModel, images: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        reestimate(model, images, share=1.5)
    with pytest.raises(NotEstimableError, match="at least 2"):
        reestimate(model, images[:1])
