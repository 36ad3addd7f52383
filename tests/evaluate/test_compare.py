"""Two methods on the same cells."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import f1_score

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics
from buffycoat.evaluate.class_table import NOT_ESTIMABLE
from buffycoat.evaluate.compare import changes, compare, holm, mcnemar
from buffycoat.evaluate.paired import paired_interval
from buffycoat.taxonomy import PBC

K = len(PBC)


@pytest.fixture
def split():
    rng = np.random.default_rng(4)
    targets = np.repeat(np.arange(K), 24)
    wrong = rng.integers(0, K, (2, len(targets)))
    a, b = (
        np.where(rng.random(240) < right, targets, calls)
        for right, calls in zip((0.6, 0.8), wrong, strict=True)
    )
    return targets, a, b


def test_kinds_of_change():
    targets = np.array([0, 0, 0, 0, 0, 0])
    a = np.array([0, 1, 0, 1, 1, 2])
    b = np.array([0, 0, 1, 2, 1, 2])
    assert changes(targets, a, b).tolist() == ["", "won", "lost", "both wrong", "", ""]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40))
def test_won_less_lost_is_the_difference_of_hits(cells):
    targets, a, b = (np.array(part) for part in zip(*cells, strict=True))
    kinds = changes(targets, a, b)
    assert (kinds == "won").sum() - (kinds == "lost").sum() == (b == targets).sum() - (
        a == targets
    ).sum()
    assert ((kinds != "") == (a != b)).all()
    back = changes(targets, b, a)
    assert ((kinds == "won") == (back == "lost")).all()


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(won, lost):
    """As statsmodels' `mcnemar(table, exact=True)` computes it."""
    tail = binom.cdf(min(won, lost), won + lost, 0.5) if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(min(2 * tail, 1))
    assert mcnemar(won, lost) == mcnemar(lost, won)


def test_holm_equals_the_example_by_hand():
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]
    assert holm(np.array([])).tolist() == []


def test_scores_and_differences_are_those_of_scikit_learn_and_the_paired_bootstrap(split):
    targets, a, b = split
    record = compare(targets, a, b, PBC)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    of = record["overall"]["macro_f1"]
    of_a, of_b = (f1_score(targets, calls, average="macro") for calls in (a, b))
    assert of["a"]["estimate"] == pytest.approx(of_a)
    assert of["b"]["estimate"] == pytest.approx(of_b)
    assert of["difference"]["estimate"] == pytest.approx(of_b - of_a)
    want = paired_interval(targets, a, b, metrics.macro_f1, n_resamples=2000)
    assert of["difference"] == want.to_dict()
    assert of["difference"]["low"] > 0
    row = record["per_class"][2]
    of_class = [f1_score(targets, calls, average=None)[2] for calls in (a, b)]
    assert [row["f1_a"], row["f1_b"]] == pytest.approx(of_class)
    assert row["f1_difference"]["estimate"] == pytest.approx(of_class[1] - of_class[0])
    assert row["sensitivity_b"] == pytest.approx((b == 2)[targets == 2].mean())


def test_counts_add_up_and_turn_round_with_the_methods(split):
    targets, a, b = split
    there, back = compare(targets, a, b, PBC), compare(targets, b, a, PBC)
    for kind in ("won", "lost", "both_wrong"):
        total = there["changed"][kind.replace("_", " ")]
        assert sum(row[kind] for row in there["per_class"]) == total
    assert there["mcnemar"]["won"] == back["mcnemar"]["lost"]
    assert there["mcnemar"]["p"] == back["mcnemar"]["p"] < 0.01
    assert sum(there["changed"].values()) == (a != b).sum()
    for row in there["per_class"]:
        assert row["p"] <= row["p_holm"] <= 1


def test_the_order_of_merit_is_wbcbenchs_over_the_classes_in_the_truth(split):
    targets, a, b = split
    there, back = (compare(targets, *calls, PBC)["order_of_merit"] for calls in ((a, b), (b, a)))
    assert there == {"better": "b", "decided_by": "macro_f1"}
    assert back == {"better": "a", "decided_by": "macro_f1"}


def test_a_method_against_itself_has_changed_nothing(split):
    targets, a, _ = split
    record = compare(targets, a, a, PBC)
    assert record["order_of_merit"] == {"better": None, "decided_by": None}
    difference = record["overall"]["macro_f1"]["difference"]
    assert difference["low"] < difference["estimate"] == 0 < difference["high"]
    assert record["changed"] == {"won": 0, "lost": 0, "both wrong": 0}
    assert record["mcnemar"]["p"] == 1


def test_patients_are_resampled_whole(split):
    targets, a, b = split
    patients = np.arange(240) % 15
    record = compare(targets, a, b, PBC, patients)
    assert (record["level"], record["n_patients"]) == ("patient-level", 15)
    assert record["per_class"][0]["n_patients"] > 4
    assert "image-level" in record["mcnemar"]["method"]
    with pytest.raises(ShapeError, match="no patient"):
        compare(targets, a, b, PBC, np.array([None] * 240))


def test_classes_of_few_cells_have_counts_but_no_point():
    targets = np.repeat([0, 1, 2], [20, 20, 3])
    a, b = targets.copy(), targets.copy()
    a[::5] = 1
    b[-1] = 0
    record = compare(targets, a, b, PBC)
    rows = {row["code"]: row for row in record["per_class"]}
    assert set(rows) == {"SNE", "LY", "MO"}
    assert rows["MO"]["f1_difference"] == rows["MO"]["f1_a"] == NOT_ESTIMABLE
    assert rows["MO"]["lost"] == 1
    assert record["absent"] == list(PBC.codes[3:])
