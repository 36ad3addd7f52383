"""Training cells of which some are labelled coarser than a class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells, batches
from buffycoat.config import ClassifyConfig, load
from buffycoat.errors import ConfigError
from buffycoat.learn.fit_classifier import check, log_prior
from buffycoat.training.samplers import class_share, draw_epoch

K, GROUP = 3, 3
TARGETS = np.repeat([0, 1, 2, GROUP], [20, 10, 30, 40])
"""Class 0 and 1 are a group; forty cells are known only so."""
CELLS = TrainingCells(
    np.random.default_rng(0).integers(0, 255, (100, 40, 40, 3), dtype=np.uint8),
    np.arange(100),
    TARGETS,
    K,
    groups=np.array([[True, True, False]]),
)
RECIPE = ClassifyConfig(
    backbone="test_resnet", weights="random", input_px=32, epochs=2, batch_size=10, precision="fp32"
)


def test_coarse_cells_count_towards_the_classes_they_are_expected_to_be_of() -> None:
    assert CELLS.counts.tolist() == [20, 10, 30]
    assert CELLS.expected_counts == pytest.approx([20 + 40 * 2 / 3, 10 + 40 / 3, 30])
    assert CELLS.drawn_counts(RECIPE, "instance") == pytest.approx(CELLS.expected_counts)
    tau = RECIPE.model_copy(update={"logit_tau": 0.5})
    shares = CELLS.expected_counts / 100
    assert log_prior(CELLS, tau) == pytest.approx(0.5 * np.log(shares))


@pytest.mark.parametrize("kind", ["square_root", "inverse_log", "balanced"])
def test_a_sampler_draws_the_shares_that_the_loss_takes_out(kind: str) -> None:
    rng = np.random.default_rng(0)
    drawn = np.concatenate(
        [TARGETS[draw_epoch(TARGETS, kind, rng, CELLS.shares)] for _ in range(200)]
    )
    expected = np.bincount(drawn, minlength=4) @ CELLS.shares / len(drawn)
    stated = CELLS.drawn_counts(RECIPE, kind)
    assert expected == pytest.approx(stated / stated.sum(), abs=0.01)


def test_without_coarse_cells_draws_are_those_of_the_classes() -> None:
    plain = TARGETS[TARGETS < K]
    for kind in ("instance", "balanced"):
        one, other = (
            draw_epoch(plain, kind, np.random.default_rng(3), shares)
            for shares in (None, np.eye(K))
        )
        assert one.tolist() == other.tolist()
    cells = replace(CELLS, rows=np.arange(60), targets=plain, groups=None)
    drawn = cells.drawn_counts(RECIPE, "square_root")
    assert drawn / drawn.sum() == pytest.approx(class_share(np.array([20, 10, 30]), "square_root"))


def test_an_epoch_is_picked_on_cells_of_known_class_and_the_parts_stay_apart() -> None:
    patients = np.array([f"p{row % 10}" for row in range(100)])
    learned, validation = replace(CELLS, patients=patients).split_inside(0)
    assert validation.is_fine.all()
    assert not learned.is_fine.all()
    assert not set(learned.patients) & set(validation.patients)


def test_batches_hold_coarse_labels_and_a_model_learns_from_them() -> None:
    seen = np.concatenate([labels for _, labels in batches(CELLS, RECIPE, 10, 0, 0)])
    assert np.bincount(seen).tolist() == [20, 10, 30, 40]
    model, history = fit_fold(CELLS, RECIPE.model_copy(update={"mix": "mixup"}), 0, None)
    assert model.get_classifier().out_features == K
    assert np.isfinite([row["loss"] for row in history]).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["classify.loss=ldam", "classify.head=cosine"], "ldam"),
        (["classify.maturation_smoothing=0.1"], "maturation_smoothing"),
    ],
)
def test_a_loss_without_a_sum_is_refused_before_training(changes: list[str], reason: str) -> None:
    config = load("demo", changes)
    check(config, 3)
    with pytest.raises(ConfigError, match=rf"{reason}.*--leave-out NE"):
        check(config, 3, ["NE"])
