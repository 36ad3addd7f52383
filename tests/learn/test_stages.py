"""How the probabilities of several models become one."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import load
from buffycoat.errors import ConfigError
from buffycoat.fuse.prior import prior_of
from buffycoat.learn.fit_classifier import log_prior
from buffycoat.predict.stages import MEANS


def _logs(*rows: tuple[float, ...]) -> list[np.ndarray]:
    return [np.log(np.array([row])) for row in rows]


@pytest.mark.parametrize("name", MEANS)
def test_models_of_one_mind_are_quoted_as_they_are(name):
    same = _logs((0.7, 0.2, 0.1), (0.7, 0.2, 0.1))
    np.testing.assert_allclose(np.exp(MEANS[name](same)), [[0.7, 0.2, 0.1]], atol=1e-9)


def test_the_means_are_what_they_are_called():
    logs = _logs((0.8, 0.2), (0.2, 0.8), (0.9, 0.1))
    arithmetic, geometric = (np.exp(MEANS[name](logs))[0] for name in ("arithmetic", "geometric"))
    np.testing.assert_allclose(arithmetic, [1.9 / 3, 1.1 / 3])
    roots = np.cbrt([0.8 * 0.2 * 0.9, 0.2 * 0.8 * 0.1])
    np.testing.assert_allclose(geometric, roots / roots.sum())


def test_the_published_recipe_keeps_its_mean():
    assert load("paper").fuse.average == "arithmetic"
    assert load("cpu").fuse.average == "geometric"


def test_an_unknown_prior_is_refused():
    with pytest.raises(ConfigError, match="'train'"):
        prior_of("trian", np.array([3, 1]))


def _learned(*counts: int) -> TrainingCells:
    targets = np.repeat(np.arange(len(counts)), counts)
    images = np.zeros((len(targets), 4, 4, 3), np.uint8)
    return TrainingCells(images, np.arange(len(targets)), targets, len(counts))


def _log_prior(cells: TrainingCells, *settings: str) -> np.ndarray:
    found = log_prior(cells, load("cpu", [f"classify.{setting}" for setting in settings]).classify)
    return found - found[0]


def test_logits_carry_the_mix_that_was_drawn_and_weighed():
    cells = _learned(80, 20)
    assert _log_prior(cells, "loss=cross_entropy")[1] == pytest.approx(np.log(1 / 4))
    assert _log_prior(cells, "loss=focal", "sampler=balanced")[1] == pytest.approx(0)
    weighed = _log_prior(cells, "loss=cross_entropy", "class_weights=inverse_log")[1]
    assert weighed == pytest.approx(np.log(np.log1p(80) / np.log1p(20) / 4))


def test_logit_adjustment_leaves_what_tau_and_weights_leave():
    cells = _learned(80, 20)
    assert not log_prior(cells, load("cpu").classify).any()
    assert _log_prior(cells, "logit_tau=0")[1] == pytest.approx(np.log(1 / 4))
    assert _log_prior(cells, "logit_tau=0.5")[1] == pytest.approx(np.log(1 / 4) / 2)
    weighed = _log_prior(cells, "class_weights=inverse_log")[1]
    assert weighed == pytest.approx(np.log(np.log1p(80) / np.log1p(20)))


def test_a_class_without_cells_does_not_win_by_its_prior():
    assert _log_prior(_learned(50, 50, 0), "loss=cross_entropy")[2] == pytest.approx(np.log(0.01))


def test_a_class_without_training_cells_is_never_predicted() -> None:
    from buffycoat.predict.bracket import of_known_classes

    probs = of_known_classes(np.array([[0.5, 0.2, 0.3], [0.0, 1.0, 0.0]]), np.array([0.0, 3, 1]))
    np.testing.assert_allclose(probs, [[0, 0.4, 0.6], [0, 1, 0]])
