"""Functions of scikit-learn's form, against scikit-learn and inside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from buffycoat.errors import ShapeError
from buffycoat.evaluate import calibration, scores

CODES = np.array(["LY", "MO", "SNE", "EO"])
LABELS = st.lists(
    st.tuples(st.sampled_from(list(CODES)), st.sampled_from(list(CODES))), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(LABELS)
def test_shares_of_the_others_equal_scikit_learns(pairs):
    truth, calls = (np.array(part) for part in zip(*pairs, strict=True))
    labels = np.union1d(truth, calls)
    specificity = [
        sk.recall_score(truth != code, calls != code, zero_division=0.0) for code in labels
    ]
    npv = [sk.precision_score(truth != code, calls != code, zero_division=0.0) for code in labels]
    np.testing.assert_allclose(scores.specificity_score(truth, calls, is_macro=False), specificity)
    np.testing.assert_allclose(
        scores.negative_predictive_value_score(truth, calls, is_macro=False), npv
    )
    assert scores.specificity_score(truth, calls) == pytest.approx(np.mean(specificity))
    assert scores.negative_predictive_value_score(list(truth), calls) == pytest.approx(np.mean(npv))


@settings(max_examples=40, deadline=None)
@given(LABELS)
def test_weighted_scores_equal_scikit_learns_with_weights(pairs):
    truth, calls = (np.array(part) for part in zip(*pairs, strict=True))
    count = dict(zip(*np.unique(truth, return_counts=True), strict=True))
    prior = {"LY": 500, "MO": 30, "SNE": 900, "EO": 1}
    options = {"labels": np.unique(truth), "average": "macro", "zero_division": 0.0}
    equal = sk.f1_score(truth, calls, sample_weight=[1 / count[c] for c in truth], **options)
    weights = [prior[c] / count[c] for c in truth]
    weighed = sk.f1_score(truth, calls, sample_weight=weights, **options)
    assert scores.balanced_macro_f1_score(truth, calls) == pytest.approx(equal)
    found = scores.prior_weighted_macro_f1_score(truth, calls, train_counts=prior)
    assert found == pytest.approx(weighed)


def test_series_and_lists_and_numbers_are_the_same():
    truth, calls = ["LY", "MO", "LY"], ["LY", "LY", "LY"]
    of_lists = scores.specificity_score(truth, calls)
    assert scores.specificity_score(pd.Series(truth), pd.Series(calls)) == of_lists
    assert scores.specificity_score([0, 1, 0], [0, 0, 0]) == of_lists
    both = scores.specificity_score(truth, calls, labels=["MO", "LY", "EO"], is_macro=False)
    np.testing.assert_array_equal(both, [1, 0, 1])


def test_scores_of_probabilities_take_codes():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(4), 80)
    targets = rng.integers(0, 4, 80)
    truth = CODES[targets]
    assert scores.ece_score(truth, probs, labels=CODES) == calibration.ece(probs, targets)
    assert scores.ece_score(targets, probs) == calibration.ece(probs, targets)
    classwise = calibration.classwise_ece(probs, targets).mean()
    assert scores.classwise_ece_score(truth, probs, labels=CODES) == classwise
    want = np.mean([sk.average_precision_score(targets == c, probs[:, c]) for c in range(4)])
    got = scores.macro_average_precision_score(truth, probs, labels=CODES)
    assert got == pytest.approx(want)


def test_they_score_inside_scikit_learn():
    rng = np.random.default_rng(1)
    features, truth = rng.normal(size=(90, 2)), CODES[rng.integers(0, 3, 90)]
    scorer = sk.make_scorer(scores.balanced_macro_f1_score)
    found = cross_val_score(DummyClassifier(), features, truth, scoring=scorer, cv=3)
    assert ((found > 0) & (found < 0.5)).all()
    scorer = sk.make_scorer(
        scores.ece_score, response_method="predict_proba", greater_is_better=False,
        labels=np.unique(truth),
    )  # fmt: skip
    found = cross_val_score(DummyClassifier(), features, truth, scoring=scorer, cv=3)
    assert (found <= 0).all()


def test_a_label_that_is_not_listed_is_refused():
    with pytest.raises(ShapeError, match="y_pred: holds QQ"):
        scores.specificity_score(["LY"], ["QQ"], labels=["LY"])
    with pytest.raises(ShapeError, match="y_true: holds LY"):
        scores.ece_score(["LY"], np.array([[1.0, 0.0]]))
    with pytest.raises(ShapeError, match="holds MO"):
        scores.prior_weighted_macro_f1_score(["LY"], ["MO"], train_counts={"LY": 4})
