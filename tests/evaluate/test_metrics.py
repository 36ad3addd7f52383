"""Scores against scikit-learn's, on random and on degenerate data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics

K = 5
RANDOM = np.random.default_rng(3)
CASES = {
    "random": (RANDOM.integers(0, K, 200), RANDOM.integers(0, K, 200)),
    "class 4 in neither": (RANDOM.integers(0, 4, 90), RANDOM.integers(0, 4, 90)),
    "class 4 never predicted": (np.repeat(np.arange(K), 9), RANDOM.integers(0, 4, 45)),
    "class 4 only predicted": (RANDOM.integers(0, 4, 60), RANDOM.integers(0, K, 60)),
    "all right": (np.repeat(np.arange(K), 3), np.repeat(np.arange(K), 3)),
    "all wrong": (np.repeat(np.arange(K), 3), (np.repeat(np.arange(K), 3) + 1) % K),
    "one cell": (np.array([2]), np.array([1])),
    "one class": (np.full(6, 3), np.full(6, 3)),
}


@pytest.fixture(params=CASES, ids=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    return CASES[request.param]


def test_confusion_and_class_scores_equal_scikit_learn(case):
    targets, predicted = case
    labels = range(K)
    c = metrics.confusion(targets, predicted, K)
    np.testing.assert_array_equal(c, sk.confusion_matrix(targets, predicted, labels=labels))
    scores = metrics.per_class(c)
    expected = sk.precision_recall_fscore_support(
        targets, predicted, labels=labels, zero_division=0.0
    )
    for got, want in zip(
        (scores.precision, scores.sensitivity, scores.f1, scores.support), expected, strict=True
    ):
        np.testing.assert_allclose(got, want, atol=1e-12)
    for i in labels:
        want = sk.recall_score(targets != i, predicted != i, zero_division=0.0)
        assert scores.specificity[i] == pytest.approx(want)


@pytest.mark.parametrize("over", ["all", "union", "truth"])
def test_macro_averages_equal_scikit_learn(case, over):
    targets, predicted = case
    labels = {
        "all": np.arange(K),
        "union": np.union1d(targets, predicted),
        "truth": np.unique(targets),
    }[over]
    c = metrics.confusion(targets, predicted, K)
    options = {"labels": labels, "average": "macro", "zero_division": 0.0}
    assert metrics.macro_f1(c, over) == pytest.approx(sk.f1_score(targets, predicted, **options))
    assert metrics.macro_precision(c, over) == pytest.approx(
        sk.precision_score(targets, predicted, **options)
    )
    assert metrics.balanced_accuracy(c, over) == pytest.approx(
        sk.recall_score(targets, predicted, **options)
    )


@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning")
@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
def test_balanced_accuracy_equals_scikit_learn(case):
    c = metrics.confusion(*case, K)
    assert metrics.balanced_accuracy(c) == pytest.approx(sk.balanced_accuracy_score(*case))
    assert metrics.accuracy(c) == pytest.approx(sk.accuracy_score(*case))


def test_class_weighted_macro_f1_equals_scikit_learn_with_weights(case):
    targets, predicted = case
    weights = 1 / np.bincount(targets, minlength=K)[targets]
    want = sk.f1_score(
        targets,
        predicted,
        labels=np.unique(targets),
        average="macro",
        sample_weight=weights,
        zero_division=0.0,
    )
    c = metrics.confusion(targets, predicted, K)
    assert metrics.class_weighted_macro_f1(c) == pytest.approx(want)
    weighed = metrics.confusion(targets, predicted, K, weights)
    assert metrics.macro_f1(weighed, over="truth") == pytest.approx(want)


def slow_prior_weighted_f1(targets, predicted, train_counts):
    """Word for word: each row weighs its class's train share over its count in the split."""
    present = [c for c in range(len(train_counts)) if c in targets and train_counts[c] > 0]
    scores = []
    for c in present:
        hits = false_calls = misses = 0.0
        for t, p in zip(targets, predicted, strict=True):
            weight = train_counts[t] / sum(train_counts) / list(targets).count(t)
            hits += weight * (t == c and p == c)
            false_calls += weight * (t != c and p == c)
            misses += weight * (t == c and p != c)
        scores.append(2 * hits / (2 * hits + false_calls + misses))
    return sum(scores) / len(scores)


@pytest.mark.parametrize("train_counts", [[1, 1, 1, 1, 1], [900, 60, 30, 8, 2], [5, 0, 5, 5, 5]])
def test_prior_weighted_macro_f1_equals_slow_reference(case, train_counts):
    targets, predicted = case
    c = metrics.confusion(targets, predicted, K)
    got = metrics.prior_weighted_macro_f1(c, np.array(train_counts))
    assert got == pytest.approx(slow_prior_weighted_f1(targets, predicted, train_counts))


def test_one_frequent_cell_called_rare_ruins_the_rare_classs_prior_weighted_f1():
    """The example of PBC-LT's README: one SNE called PMY takes PMY's F1 from 0.93 to 0.57."""
    c = np.array([[80, 0], [10, 70]])
    shares = metrics.prior_shares(np.array([946, 10]), c)
    before = metrics.per_class(metrics.reweighted(c, shares)).f1[1]
    c[0] = [79, 1]
    after = metrics.per_class(metrics.reweighted(c, shares)).f1[1]
    assert before == pytest.approx(0.93, abs=0.005)
    assert after == pytest.approx(0.57, abs=0.03)


def test_scores_are_batched():
    many = np.random.default_rng(0).integers(0, 9, (4, 3, K, K))
    for score in (
        metrics.macro_f1,
        metrics.balanced_accuracy,
        metrics.macro_specificity,
        metrics.class_weighted_macro_f1,
        metrics.accuracy,
    ):
        got = score(many)
        assert got.shape == (4, 3)
        assert got[2, 1] == pytest.approx(float(score(many[2, 1])))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.permutations(range(K)))
def test_scores_do_not_depend_on_class_or_row_order(seed, order):
    rng = np.random.default_rng(seed)
    c = rng.integers(0, 6, (K, K))
    swapped = c[np.ix_(order, order)]
    for score in (metrics.macro_f1, metrics.balanced_accuracy, metrics.class_weighted_macro_f1):
        assert score(c) == pytest.approx(float(score(swapped)))
        assert 0 <= score(c) <= 1


@st.composite
def few_cells(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Cells of which any class may be absent from the truth, the predictions, or both."""
    k = draw(st.integers(1, 5))
    some = st.lists(st.integers(0, k - 1), min_size=1, unique=True)
    n = draw(st.integers(1, 30))
    parts = [draw(st.lists(st.sampled_from(draw(some)), min_size=n, max_size=n)) for _ in range(2)]
    return np.array(parts[0]), np.array(parts[1]), k


@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning")
@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@settings(max_examples=60, deadline=None)
@given(few_cells())
def test_scores_of_any_few_cells_equal_scikit_learn(cells):
    targets, predicted, k = cells
    c = metrics.confusion(targets, predicted, k)
    options = {"labels": range(k), "zero_division": 0.0}
    found = metrics.per_class(c)
    want = sk.precision_recall_fscore_support(targets, predicted, **options)
    for got, expected in zip(
        (found.precision, found.sensitivity, found.f1, found.support), want, strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=1e-12)
    others = [(targets != i, predicted != i) for i in range(k)]
    np.testing.assert_allclose(
        found.specificity, [sk.recall_score(*o, zero_division=0.0) for o in others]
    )
    np.testing.assert_allclose(
        found.npv, [sk.precision_score(*o, zero_division=0.0) for o in others]
    )
    assert metrics.macro_f1(c) == pytest.approx(
        sk.f1_score(targets, predicted, average="macro", **options)
    )
    assert metrics.macro_f1(c, over="union") == pytest.approx(
        sk.f1_score(targets, predicted, average="macro", zero_division=0.0)
    )
    assert metrics.macro_precision(c) == pytest.approx(
        sk.precision_score(targets, predicted, average="macro", **options)
    )
    assert metrics.balanced_accuracy(c) == pytest.approx(
        sk.balanced_accuracy_score(targets, predicted)
    )


@settings(max_examples=60, deadline=None)
@given(few_cells(), st.floats(0, 1))
def test_predictive_values_at_the_splits_own_share_are_precision_and_npv(cells, share):
    targets, predicted, k = cells
    c = metrics.confusion(targets, predicted, k)
    own = c.sum(axis=1) / c.sum()
    found = metrics.per_class(c)
    ppv, npv = metrics.predictive_values(c, own)
    is_scored = (own > 0) & (own < 1)  # else a rate is 0 / 0, and Bayes' rule says nothing
    np.testing.assert_allclose(ppv[is_scored], found.precision[is_scored], atol=1e-12)
    np.testing.assert_allclose(npv[is_scored], found.npv[is_scored], atol=1e-12)
    at_share = np.array(metrics.predictive_values(c, share))
    assert ((at_share >= 0) & (at_share <= 1)).all()


def test_a_call_is_worth_less_where_the_class_is_rarer():
    c = np.array([[90, 10], [5, 95]])
    ppv, npv = metrics.predictive_values(c, 0.01)
    assert ppv[1] == pytest.approx(0.01 * 0.95 / (0.01 * 0.95 + 0.99 * 0.1))
    assert npv[1] == pytest.approx(0.99 * 0.9 / (0.99 * 0.9 + 0.01 * 0.05))
    assert np.isnan(metrics.predictive_values(np.zeros((2, 2)), 0.5, np.nan)).all()
    batch = metrics.predictive_values(np.stack([c, c]), np.array([0.3, 0.01]))[0]
    assert batch[1, 1] == ppv[1]


@pytest.mark.parametrize("prevalence", [-0.1, 1.1, np.nan, [0.5, 0.5, 0.0]])
def test_bad_prevalences_are_refused(prevalence):
    with pytest.raises(ShapeError, match="prevalence"):
        metrics.predictive_values(np.eye(2), prevalence)


@pytest.mark.parametrize(
    ("targets", "predicted", "message"),
    [
        ([0, 1], [0], "expected 2 cells"),
        ([0, 5], [0, 1], "0 to 5"),
        ([0, -1], [0, 1], "-1 to 0"),
        ([0.0, 1.0], [0, 1], "float64"),
    ],
)
def test_bad_indices_are_refused(targets, predicted, message):
    with pytest.raises(ShapeError, match=message):
        metrics.confusion(np.array(targets), np.array(predicted), K)


@pytest.mark.parametrize("counts", [[1, 2], [0, 0, 0, 0, 0], [1, 1, 1, 1, -1]])
def test_bad_train_counts_are_refused(counts):
    with pytest.raises(ShapeError, match="train_counts"):
        metrics.prior_weighted_macro_f1(np.eye(K), np.array(counts))


def test_weights_of_another_length_are_refused():
    with pytest.raises(ShapeError, match="weights"):
        metrics.confusion(np.array([0]), np.array([0]), K, np.ones(2))
