from __future__ import annotations

import numpy as np
import pytest

from buffycoat.errors import ConfigError
from buffycoat.training.samplers import class_share, class_weights, draw_epoch

TARGETS = np.repeat([0, 1, 2], [900, 90, 10])
COUNTS = np.bincount(TARGETS)


def test_instance_shows_each_cell_once():
    order = draw_epoch(TARGETS, "instance", np.random.default_rng(0))
    assert sorted(order) == list(range(len(TARGETS)))


@pytest.mark.parametrize("kind", ["square_root", "inverse_log", "balanced"])
def test_drawn_shares_are_those_promised(kind):
    rng = np.random.default_rng(0)
    drawn = np.concatenate([TARGETS[draw_epoch(TARGETS, kind, rng)] for _ in range(50)])
    assert np.bincount(drawn) / len(drawn) == pytest.approx(class_share(COUNTS, kind), abs=0.01)


def test_balanced_shares_are_equal_and_leave_absent_classes_out():
    assert class_share(np.array([5, 0, 20]), "balanced") == pytest.approx([0.5, 0, 0.5])


def test_inverse_log_draws_each_cell_as_the_paper_weighs_it():
    share = class_share(COUNTS, "inverse_log")
    expected = COUNTS / np.log1p(COUNTS)
    assert share == pytest.approx(expected / expected.sum())


def test_class_weights_have_mean_one_and_give_absent_classes_none():
    weights = class_weights(np.array([100, 10, 0]), "inverse_log")
    assert weights is not None
    assert weights[:2].mean() == pytest.approx(1)
    assert weights[0] / weights[1] == pytest.approx(np.log(11) / np.log(101))
    assert weights[2] == 0


def test_class_balanced_weights_go_with_the_effective_number():
    weights = class_weights(np.array([1000, 10]), "effective_number")
    assert weights is not None
    effective = [(1 - 0.999**n) / (1 - 0.999) for n in (1000, 10)]
    assert weights[1] / weights[0] == pytest.approx(effective[0] / effective[1])


def test_unknown_class_weights_name_the_options():
    with pytest.raises(ConfigError, match="inverse_log"):
        class_weights(np.array([3, 4]), "inverse")


def test_unknown_sampler_names_the_options():
    with pytest.raises(ConfigError, match="balanced"):
        draw_epoch(TARGETS, "balancd", np.random.default_rng(0))
