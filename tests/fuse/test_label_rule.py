"""Which class becomes the label, and files of costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from buffycoat.errors import BundleError, ConfigError, ShapeError
from buffycoat.fuse.costs import read_costs
from buffycoat.fuse.label_rule import PLAIN_POWER, Objective, PowerFit, rule_of
from buffycoat.fuse.prior import apply_prior, uniform

CODES = ("SNE", "LY", "PMY")
MIX = np.array([0.8, 0.19, 0.01])


def _probs(n: int = 200) -> np.ndarray:
    rows = np.random.default_rng(0).gamma(0.4, size=(n, 3)) + 1e-9
    return rows / rows.sum(axis=1, keepdims=True)


def _labels(objective: Objective, mix: np.ndarray = MIX, fit: PowerFit | None = None):
    rule = rule_of(objective, mix, fit)
    assert rule is not None
    return rule.values(_probs()).argmax(axis=1)


def test_accuracy_and_balanced_recall_are_the_bayes_rules() -> None:
    probs = _probs()
    at_mix = apply_prior(probs, uniform(3), MIX).argmax(axis=1)
    assert np.array_equal(_labels(Objective("accuracy")), at_mix)
    assert np.array_equal(_labels(Objective("balanced-recall")), probs.argmax(axis=1))
    assert (at_mix != probs.argmax(axis=1)).any()


def test_macro_f1_takes_the_fitted_power_or_one_that_won_elsewhere() -> None:
    logs = np.log(_probs())
    expected = (logs + PLAIN_POWER * np.log(MIX)).argmax(axis=1)
    assert np.array_equal(_labels(Objective("macro-f1")), expected)
    fit = PowerFit(0.6, (0.0, 0.0, 0.4), True)
    expected = (logs + 0.6 * np.log(MIX) + [0, 0, 0.4]).argmax(axis=1)
    assert np.array_equal(_labels(Objective("macro-f1"), fit=fit), expected)
    plain, fitted = (rule_of(Objective("macro-f1"), MIX, of) for of in (None, fit))
    assert plain is not None
    assert "nothing is fitted" in plain.origin
    assert fitted is not None
    assert fitted.origin.startswith("0.6 of the prior is given back, fitted out of fold")
    even = rule_of(Objective("macro-f1", "uniform"), uniform(3), PowerFit(0.6, (0.0,) * 3, True))
    assert even is not None
    assert np.array_equal(even.values(_probs()).argmax(axis=1), _probs().argmax(axis=1))


def test_costs_give_the_decision_of_least_expected_cost() -> None:
    costs = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (50.0, 20.0, 0.0))
    posterior = apply_prior(_probs(), uniform(3), MIX)
    expected = np.array([[row @ np.array(costs)[:, d] for d in range(3)] for row in posterior])
    found = _labels(Objective("cost", costs=costs))
    assert np.array_equal(found, expected.argmin(axis=1))
    equal = tuple(map(tuple, 1.0 - np.eye(3)))
    assert np.array_equal(_labels(Objective("cost", costs=equal)), _labels(Objective("accuracy")))


def test_the_most_probable_class_has_no_rule() -> None:
    assert rule_of(Objective("none"), MIX, PowerFit(0.5, (0.0,) * 3, True)) is None


@pytest.mark.parametrize("score", ["balanced-recall", "macro-f1", "accuracy"])
def test_a_class_that_cannot_occur_is_never_the_label(score: str) -> None:
    found = _labels(Objective(score, "SNE=1,LY=1,PMY=0"), np.array([0.5, 0.5, 0.0]))
    assert 2 not in found


def test_values_refuse_another_number_of_classes() -> None:
    rule = rule_of(Objective("accuracy"), MIX, None)
    assert rule is not None
    with pytest.raises(ShapeError, match=r"\(n, 3\)"):
        rule.values(np.ones((2, 4)) / 4)


def test_a_fit_comes_back_from_json() -> None:
    fit = PowerFit(0.35, (0.0, 0.1, -0.2), True, {"rows": 9, "gain": 0.1, "low": None}, "why")
    assert PowerFit.from_dict(json.loads(json.dumps(fit.to_dict()))) == fit
    with pytest.raises(BundleError, match="incomplete"):
        PowerFit.from_dict({"power": 0.2})


def test_an_unknown_score_names_the_options() -> None:
    with pytest.raises(ConfigError, match="macro-f1"):
        Objective.of("macro-f2", "train", CODES)
    assert Objective.of("accuracy", "uniform", CODES) == Objective("accuracy", "uniform")


def test_costs_from_a_table_and_from_differences(tmp_path: Path) -> None:
    csv, toml = tmp_path / "costs.csv", tmp_path / "costs.toml"
    csv.write_text("truth;SNE;LY;PMY\nPMY;20;1;0\nSNE;0;1;0,5\nLY;1;0;1\n")
    toml.write_text("[PMY]\nSNE = 20\n[SNE]\nPMY = 0.5\n")
    expected = ((0.0, 1.0, 0.5), (1.0, 0.0, 1.0), (20.0, 1.0, 0.0))
    assert read_costs(csv, CODES) == read_costs(toml, CODES) == expected
    toml.write_text("default = 2\n[PMY]\nSNE = 20\nPMY = 0.5\n")
    assert read_costs(toml, CODES) == ((0.0, 2.0, 2.0), (2.0, 0.0, 2.0), (20.0, 2.0, 0.5))
    assert Objective.of(str(toml), "train", CODES).costs == read_costs(toml, CODES)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.csv", "truth,SNE,LY\nSNE,0,1\nLY,1,0\n", ["SNE called PMY: ''", "PMY called PMY"]),
        ("c.csv", "truth,SNE,LY,PMY\nSNE,0,1,1\nLY,-1,0,1\nPMY,x,1,0\n", ["'-1'", "'x'"]),
        ("c.csv", "truth,SNE,LY,PMY\nSNE,0,1,1\nSNE,0,1,1\nPMY,1,1,0\n", ["two rows"]),
        ("c.csv", "class,SNE\nSNE,0\n", ["'truth' is missing"]),
        ("c.toml", "[PMX]\nSNE = 2\n[LY]\nEO = true\n", ["'PMX'", "'EO'", "True"]),
        ("c.toml", "PMY = 3\n", ["PMY: expected a table"]),
        ("c.toml", "default = 0\n", ["all costs are 0"]),
        ("c.toml", "[PMY\n", ["cannot be read"]),
        ("c.toml", None, ["cannot be read"]),
    ],
)
def test_faults_of_costs_are_listed_together(
    tmp_path: Path, name: str, text: str | None, said: list[str]
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as error:
        read_costs(tmp_path / name, CODES)
    for part in (name, *said):
        assert part in str(error.value)
