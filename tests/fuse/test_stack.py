from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.errors import ConfigError, ShapeError
from buffycoat.fuse.calibrate import log_softmax
from buffycoat.fuse.stack import Stack, base_only, fit_stack

COUNTS = (120, 60, 30)


@pytest.fixture(scope="module")
def targets() -> np.ndarray:
    return np.repeat(np.arange(3), COUNTS)


@pytest.fixture(scope="module")
def folds() -> np.ndarray:
    return np.arange(sum(COUNTS)) % 3


def _member(targets: np.ndarray, signal: float, seed: int) -> np.ndarray:
    """Log-probabilities that know the class as well as `signal` is strong."""
    noise = np.random.default_rng(seed).normal(size=(len(targets), 3))
    return log_softmax(signal * (signal * np.eye(3)[targets] + noise))


def _three(targets: np.ndarray) -> dict[str, np.ndarray]:
    """Members that each know more than the one before."""
    return {
        name: _member(targets, signal, seed)
        for seed, (name, signal) in enumerate((("ensemble", 1.0), ("head", 1.3), ("third", 1.6)))
    }


def test_a_member_that_knows_more_is_kept(targets: np.ndarray, folds: np.ndarray) -> None:
    members = {"ensemble": _member(targets, 1.2, 0), "head": _member(targets, 1.6, 1)}
    stack = fit_stack(members, targets, folds)
    base, head = stack.table()
    assert base["member"] == "ensemble"
    assert head["is_kept"]
    assert head["gain"] > 0
    assert stack.weights["head"] > 0
    probs = stack.apply(members)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0)
    assert (probs.argmax(1) == targets).mean() > (members["ensemble"].argmax(1) == targets).mean()


def test_noise_is_left_out_and_the_table_says_why(targets: np.ndarray, folds: np.ndarray) -> None:
    members = {"ensemble": _member(targets, 2.0, 0), "noise": _member(targets, 0.0, 1)}
    stack = fit_stack(members, targets, folds)
    row = stack.table()[1]
    assert not row["is_kept"]
    assert row["weight"] == stack.weights["noise"] == 0.0
    assert row["reason"].startswith("left out")
    np.testing.assert_allclose(stack.apply(members), np.exp(members["ensemble"]), rtol=1e-9)
    np.testing.assert_allclose(
        stack.apply({"ensemble": members["ensemble"]}), np.exp(members["ensemble"]), rtol=1e-9
    )


def test_weights_of_several_members_are_the_mix_that_was_tried(
    targets: np.ndarray, folds: np.ndarray
) -> None:
    members = _three(targets)
    stack = fit_stack(members, targets, folds)
    assert all(row["is_kept"] for row in stack.table())
    one = fit_stack({name: members[name] for name in ("ensemble", "head")}, targets, folds)
    before = log_softmax(np.log(one.apply(members)))
    share = stack.weights["third"]
    expected = np.exp(
        log_softmax(((1 - share) * before + share * members["third"]) / stack.temperature)
    )
    np.testing.assert_allclose(stack.apply(members), expected, rtol=1e-6)


def test_with_a_member_is_the_mix_of_those_offered_no_later(
    targets: np.ndarray, folds: np.ndarray
) -> None:
    members = _three(targets)
    stack = fit_stack(members, targets, folds)
    assert stack.weights["head"] > 0
    assert np.array_equal(stack.with_member("third", members), stack.apply(members))
    without = {name: members[name] for name in ("ensemble", "head")}
    one = fit_stack(without, targets, folds)
    np.testing.assert_allclose(stack.with_member("head", without), one.apply(without), rtol=1e-9)


def test_it_survives_a_round_trip_through_json(targets: np.ndarray, folds: np.ndarray) -> None:
    members = {"ensemble": _member(targets, 1.2, 0), "head": _member(targets, 1.6, 1)}
    stack = fit_stack(members, targets, folds)
    again = Stack.from_dict(json.loads(json.dumps(stack.to_dict())))
    assert again == stack
    assert np.array_equal(again.apply(members), stack.apply(members))


def test_a_class_absent_from_a_fold_is_no_obstacle(targets: np.ndarray) -> None:
    folds = np.where(targets == 2, 0, np.arange(len(targets)) % 3)
    members = {"ensemble": _member(targets, 1.2, 0), "head": _member(targets, 1.6, 1)}
    row = fit_stack(members, targets, folds).table()[1]
    assert np.isfinite([row["gain"], row["low"], row["high"]]).all()


def test_with_one_fold_nothing_is_tried_and_the_base_stays_alone(targets: np.ndarray) -> None:
    members = {"ensemble": _member(targets, 1.2, 0), "head": _member(targets, 1.6, 1)}
    stack = fit_stack(members, targets, np.zeros(len(targets), int))
    assert stack.weights == {"ensemble": 1.0, "head": 0.0}
    assert "one fold" in stack.table()[1]["reason"]


def test_members_that_are_missing_or_differ_in_shape_are_refused(
    targets: np.ndarray, folds: np.ndarray
) -> None:
    base = _member(targets, 1.0, 0)
    with pytest.raises(ConfigError, match="ensemble"):
        fit_stack({"head": base}, targets, folds)
    with pytest.raises(ShapeError, match="shape"):
        fit_stack({"ensemble": base, "head": base[:-1]}, targets, folds)
    with pytest.raises(ConfigError, match="ensemble"):
        base_only().apply({"head": base})
