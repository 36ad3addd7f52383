"""Intervals: they cover, they widen with patients, they say their level, and they are quick."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics
from buffycoat.evaluate.bootstrap import bootstrap_interval, resample
from buffycoat.evaluate.draws import draw_images, pair_up
from buffycoat.evaluate.paired import paired_interval, paired_mean_interval, paired_resample


def noisy_calls(rng, targets, k, right=0.8):
    return np.where(rng.random(len(targets)) < right, targets, rng.integers(0, k, len(targets)))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_a_thousand_resamples_of_800_cells_are_quick(rng):
    targets = rng.integers(0, 13, 800)
    started = time.process_time()
    bootstrap_interval(targets, noisy_calls(rng, targets, 13), metrics.macro_f1)
    assert time.process_time() - started < 0.5


def test_balanced_accuracy_interval_covers_the_truth(rng):
    """160 samples of a classifier that is right at 0.85: about 95 % of the intervals hold 0.85."""
    targets = np.repeat(np.arange(4), 50)
    covered = 0
    for seed in range(160):
        right = rng.random(200) < 0.85
        predicted = np.where(right, targets, (targets + 1) % 4)
        interval = bootstrap_interval(
            targets, predicted, metrics.balanced_accuracy, n_resamples=300, seed=seed
        )
        covered += interval.low <= 0.85 <= interval.high
    assert covered / 160 >= 0.89


def test_quick_draws_agree_with_visiting_each_cell(rng):
    """Gamma weights of patterns of equal cells are those of the cells, summed."""
    targets = np.repeat(np.arange(4), [60, 50, 30, 10])
    predicted = noisy_calls(rng, targets, 4)
    _, fields = pair_up(targets, (predicted,), 4)
    (quick,) = draw_images(fields, 4, 4000, rng)
    weights = rng.standard_exponential((4000, 150))
    slow = np.stack([metrics.confusion(targets, predicted, 4, w) for w in weights])
    for summary in (np.mean, np.std):
        np.testing.assert_allclose(
            summary(metrics.macro_f1(quick)), summary(metrics.macro_f1(slow)), rtol=0.06
        )


def test_draws_keep_each_classs_count(rng):
    targets = np.repeat([0, 1, 2], [50, 20, 3])
    drawn = resample(targets, noisy_calls(rng, targets, 3), 4, n_resamples=50)
    for part in (drawn.images.lower, drawn.images.upper):
        np.testing.assert_allclose(part.sum(axis=2), [[50, 20, 3, 0]] * 50)
    assert "within each class" in drawn.method


@pytest.mark.parametrize("hits", [0, 1, 6, 7])
def test_of_one_class_the_draws_give_jeffreys_limits_and_the_count_exact_ones(hits):
    """Half a cell wrong below and half a cell right above: Beta(x, n - x + 1/2) and the reverse."""
    targets = np.zeros(7, dtype=int)
    predicted = np.repeat([0, 1], [hits, 7 - hits])
    drawn = resample(targets, predicted, 2, n_resamples=20_000)
    of = drawn.interval(metrics.balanced_accuracy)
    low = beta.ppf(0.025, hits, 7.5 - hits) if hits else 0
    high = beta.ppf(0.975, hits + 0.5, 7 - hits) if hits < 7 else 1
    assert (of.low, of.high) == pytest.approx((low, high), abs=0.01)
    want = binomtest(hits, 7).proportion_ci(method="exact")
    assert (drawn.accuracy().low, drawn.accuracy().high) == pytest.approx((want.low, want.high))


def test_patients_are_drawn_whole_and_widen_the_interval(rng):
    """Errors that come patient by patient: an image-level interval is far too narrow."""
    patients = np.repeat(np.arange(20), 40)
    targets = rng.integers(0, 3, 800)
    is_bad_patient = (patients % 5 == 0) & (rng.random(800) < 0.9)
    predicted = np.where(is_bad_patient, (targets + 1) % 3, targets)
    by_image = bootstrap_interval(targets, predicted, metrics.accuracy)
    by_patient = bootstrap_interval(targets, predicted, metrics.accuracy, patients)
    assert by_image.unit == "image-level"
    assert by_image.n_groups is None
    assert by_patient.unit == "patient-level"
    assert by_patient.n_groups == 20
    assert by_patient.estimate == by_image.estimate
    assert by_patient.high - by_patient.low > 2 * (by_image.high - by_image.low)


def test_patients_never_make_an_interval_narrower(rng):
    targets = rng.integers(0, 3, 120)
    predicted = noisy_calls(rng, targets, 3)
    image = bootstrap_interval(targets, predicted, metrics.macro_f1, n_resamples=4000)
    for patients in (np.arange(120), np.arange(120) // 10, np.arange(120) % 5):
        of = bootstrap_interval(targets, predicted, metrics.macro_f1, patients, n_resamples=4000)
        assert of.low <= image.low < image.high <= of.high
    assert of.high - of.low < 1


def test_few_patients_widen_the_interval_as_students_t_does(rng):
    """Means of 5 patients: the coverage of the percentile interval is far below the stated one."""
    held = 0
    for seed in range(150):
        right = np.repeat(np.clip(rng.normal(0.7, 0.12, 5), 0, 1), 200)
        predicted = np.where(rng.random(1000) < right, 0, 1)
        of = bootstrap_interval(
            np.zeros(1000, dtype=int),
            predicted,
            metrics.accuracy,
            np.repeat(np.arange(5), 200),
            n_resamples=300,
            seed=seed,
        )
        held += of.low <= 0.7 <= of.high
    assert held / 150 >= 0.9


def test_same_seed_same_interval_and_other_seed_another(rng):
    targets = rng.integers(0, 3, 100)
    predicted = noisy_calls(rng, targets, 3)
    first, again, other = (
        bootstrap_interval(targets, predicted, metrics.macro_f1, seed=s) for s in (1, 1, 2)
    )
    assert first == again
    assert first.low != other.low


def test_paired_interval_is_tighter_than_the_parts(rng):
    targets = np.repeat(np.arange(4), 60)
    a = noisy_calls(rng, targets, 4, right=0.7)
    b = np.where(rng.random(240) < 0.25, targets, a)
    gain = paired_interval(targets, a, b, metrics.macro_f1)
    of_a, of_b = (bootstrap_interval(targets, x, metrics.macro_f1) for x in (a, b))
    assert gain.estimate == pytest.approx(of_b.estimate - of_a.estimate)
    assert gain.low > 0
    assert gain.high - gain.low < of_a.high - of_a.low
    back = paired_interval(targets, b, a, metrics.macro_f1)
    assert back.estimate == pytest.approx(-gain.estimate)


def test_methods_that_agree_on_every_cell_may_differ_on_others(rng):
    """About the rule of three: of n cells without a difference up to 3 / n may differ."""
    targets = np.repeat(np.arange(4), 50)
    a = noisy_calls(rng, targets, 4)
    same = paired_interval(targets, a, a, metrics.accuracy)
    assert same.low < same.estimate == 0 < same.high
    assert -4 / 200 < same.low < -1.5 / 200
    patients = np.arange(200) // 10
    assert paired_interval(targets, a, a, metrics.accuracy, patients).low is None


def test_paired_interval_by_patient(rng):
    targets = rng.integers(0, 3, 200)
    a = noisy_calls(rng, targets, 3)
    gain = paired_interval(targets, a, targets, metrics.macro_f1, np.arange(200) // 10)
    assert gain.unit == "patient-level"
    assert gain.n_groups == 20
    assert 0 < gain.low < gain.estimate < gain.high


def test_paired_draws_are_shared_by_all_metrics(rng):
    targets = rng.integers(0, 3, 200)
    a, b = noisy_calls(rng, targets, 3, 0.6), noisy_calls(rng, targets, 3, 0.9)
    pair = paired_resample(targets, a, b, 3)
    for a_part, b_part in zip(*(vars(of).values() for of in pair.moved), strict=True):
        np.testing.assert_allclose(a_part.sum(axis=2), b_part.sum(axis=2))
    assert pair.interval(metrics.macro_f1) == paired_interval(targets, a, b, metrics.macro_f1)
    of_class = pair.intervals(lambda c: metrics.per_class(c).f1)
    assert len(of_class) == 3
    mean = np.mean([of.estimate for of in of_class])
    assert mean == pytest.approx(pair.interval(metrics.macro_f1).estimate)


def test_a_single_wrong_cell_and_a_class_that_is_absent():
    interval = bootstrap_interval(np.array([1]), np.array([0]), metrics.macro_f1, k=3)
    assert (interval.estimate, interval.low, interval.n) == (0, 0, 1)
    assert interval.high > 0.25  # one class of three, perhaps right


def test_patients_who_are_all_alike_say_nothing_of_how_patients_differ():
    targets = np.repeat(np.arange(3), 20)
    interval = bootstrap_interval(targets, targets, metrics.macro_f1, np.arange(60) % 10)
    assert (interval.estimate, interval.low, interval.high) == (1, None, None)
    assert "not estimable" in interval.method


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="at least one cell"):
        bootstrap_interval(np.array([]), np.array([]), metrics.macro_f1)
    with pytest.raises(ShapeError, match="groups"):
        bootstrap_interval(np.array([0]), np.array([0]), metrics.macro_f1, np.array(["a", "b"]))
    with pytest.raises(ShapeError, match="no patient"):
        bootstrap_interval(np.array([0]), np.array([0]), metrics.macro_f1, np.array([None]))


def prior_weighted(table, train_counts):
    truth, calls = (np.repeat(part.ravel(), table.ravel()) for part in np.indices(table.shape))
    drawn = resample(truth, calls, len(table))
    return drawn.interval(lambda c: metrics.prior_weighted_macro_f1(c, train_counts))


def test_prior_weighted_interval_admits_errors_never_seen():
    """A bootstrap would say 1.00 to 1.00 of a perfect confusion."""
    interval = prior_weighted(np.diag([80, 80]), np.array([946, 10]))
    assert interval.estimate == interval.high == 1
    assert 0.6 < interval.low < 0.95


def test_prior_weighted_interval_holds_the_score_of_a_good_classifier_of_many_classes():
    """The posterior with half a cell a field began at 0.50 and ended at 0.63 beside 0.91."""
    interval = prior_weighted(
        77 * np.eye(10, dtype=int) + np.eye(10, k=1, dtype=int), 1.6 ** -np.arange(10.0)
    )
    assert interval.low < interval.estimate < interval.high
    assert interval.high - interval.low < 0.15


def test_prior_weighted_interval_leaves_out_a_class_without_cells():
    c = np.array([[40, 5, 0], [5, 40, 0], [0, 0, 0]])
    with_third = prior_weighted(c, np.array([50, 50, 900]))
    assert with_third.estimate == pytest.approx(40 / 45, abs=1e-9)
    assert with_third.low > 0.6


def test_a_paired_mean_weighs_classes_alike_and_resamples_groups_whole(rng):
    targets = np.repeat([0, 1], [300, 20])
    a = rng.random(320)
    b = a + np.where(targets == 1, 0.5, 0.1) + rng.normal(0, 0.05, 320)
    change = paired_mean_interval(a, b, targets, np.arange(320))
    by_hand = np.mean([(b - a)[targets == c].mean() for c in (0, 1)])
    assert change.estimate == pytest.approx(by_hand)
    assert change.low < 0.3 < change.high
    assert (change.n, change.n_groups, change.unit) == (320, 320, "image-level")

    # Every row twice is no more knowledge, if its group says so.
    twice = [np.tile(values, 2) for values in (a, b, targets, np.arange(320))]
    same = paired_mean_interval(*twice)
    assert (same.low, same.high) == pytest.approx((change.low, change.high))


def test_a_paired_mean_lives_with_resamples_that_lack_a_class(rng):
    targets = np.array([0] * 30 + [1])
    a = rng.random(31)
    change = paired_mean_interval(a, a + 1, targets, np.arange(31))
    assert (change.estimate, change.low, change.high) == (pytest.approx(1), None, None)
