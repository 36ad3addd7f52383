from __future__ import annotations

import numpy as np
import pytest

from buffycoat.audit.predictable_groups import find_predictable_groups, to_words


def test_the_rule_is_the_total_variation_distance() -> None:
    groups = ["a"] * 40 + ["b"] * 60
    values = ["x"] * 30 + ["y"] * 10 + ["x"] * 6 + ["y"] * 54
    one, other = find_predictable_groups(values, groups)
    assert {one.group, other.group} == {"a", "b"}
    told = one if one.group == "a" else other
    assert told.values == ("x",)
    assert told.sensitivity == pytest.approx(30 / 40)
    assert told.false_alarms == pytest.approx(6 / 60)
    assert told.gain == pytest.approx(other.gain)
    assert told.rows.tolist() == list(range(30))


@pytest.mark.parametrize("n_values", [2, 5, 300])
def test_chance_is_let_off(n_values: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, n_values, 300).astype(str)
    groups = rng.choice(["a", "b", "c"], 300, p=[0.9, 0.05, 0.05])
    assert find_predictable_groups(values, groups) == []


def test_what_the_stratum_explains_is_not_held_against_the_group() -> None:
    labels = np.array(["big"] * 60 + ["small"] * 60)
    values = np.where(labels == "big", "200 px", "100 px")
    splits = np.array(["train"] * 50 + ["eval"] * 10 + ["train"] * 10 + ["eval"] * 50)
    assert find_predictable_groups(values, splits)
    assert find_predictable_groups(values, splits, labels) == []


def test_one_value_or_one_group_tells_nothing() -> None:
    assert find_predictable_groups(["x"] * 30, ["a", "b"] * 15) == []
    assert find_predictable_groups(["x", "y"] * 15, ["a"] * 30) == []


def test_many_numbers_are_binned_and_few_are_not() -> None:
    assert to_words([1.0, 2.5, 2.5], " px") == ["1 px", "2.5 px", "2.5 px"]
    words = to_words(np.arange(100.0))
    counts = [words.count(word) for word in dict.fromkeys(words)]
    assert len(counts) == 8
    assert max(counts) - min(counts) <= 1
