"""Intervals: they cover, they widen with patients, they say their level, and they are quick."""

from __future__ import annotations

import time

import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics
from buffycoat.evaluate.bootstrap import bootstrap_interval, resample
from buffycoat.evaluate.paired import paired_interval, paired_mean_interval, paired_resample
from buffycoat.evaluate.posterior import prior_weighted_interval


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


@pytest.mark.parametrize("stratified", [True, False])
def test_accuracy_interval_covers_the_truth(rng, stratified):
    """160 samples of a classifier that is right at 0.85: about 95 % of the intervals hold 0.85."""
    targets = np.repeat(np.arange(4), 50)
    covered = 0
    for seed in range(160):
        right = rng.random(200) < 0.85
        predicted = np.where(right, targets, (targets + 1) % 4)
        interval = bootstrap_interval(
            targets, predicted, metrics.accuracy, n_resamples=300, seed=seed, stratified=stratified
        )
        covered += interval.low <= 0.85 <= interval.high
    assert 0.89 <= covered / 160 <= 0.99


def test_quick_draws_agree_with_visiting_each_cell(rng):
    targets = rng.integers(0, 4, 150)
    predicted = noisy_calls(rng, targets, 4)
    quick = resample(targets, predicted, 4, n_resamples=4000, stratified=False).drawn
    rows = rng.integers(0, 150, (4000, 150))
    slow = np.stack([metrics.confusion(targets[r], predicted[r], 4) for r in rows])
    assert (quick.sum(axis=(1, 2)) == 150).all()
    for summary in (np.mean, np.std):
        np.testing.assert_allclose(
            summary(metrics.macro_f1(quick)), summary(metrics.macro_f1(slow)), rtol=0.06
        )


def test_stratified_draws_keep_each_classs_count(rng):
    targets = np.repeat([0, 1, 2], [50, 20, 3])
    predicted = noisy_calls(rng, targets, 3)
    stratified = resample(targets, predicted, 3, n_resamples=50)
    assert (stratified.drawn.sum(axis=2) == [50, 20, 3]).all()
    free = resample(targets, predicted, 3, n_resamples=50, stratified=False)
    assert free.drawn.sum(axis=2).std(axis=0).min() > 0
    assert "within each class" in stratified.method
    assert "within each class" not in free.method


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


def test_one_cell_a_patient_equals_images(rng):
    targets = rng.integers(0, 3, 120)
    predicted = noisy_calls(rng, targets, 3)
    options = {"n_resamples": 4000, "stratified": False}
    image = bootstrap_interval(targets, predicted, metrics.macro_f1, **options)
    single = bootstrap_interval(targets, predicted, metrics.macro_f1, np.arange(120), **options)
    assert single.low == pytest.approx(image.low, abs=0.01)
    assert single.high == pytest.approx(image.high, abs=0.01)


def test_same_seed_same_interval_and_other_seed_another(rng):
    targets = rng.integers(0, 3, 100)
    predicted = noisy_calls(rng, targets, 3)
    first, again, other = (
        bootstrap_interval(targets, predicted, metrics.macro_f1, seed=s) for s in (1, 1, 2)
    )
    assert first == again
    assert first.low != other.low


def test_paired_interval_is_tighter_than_the_parts_and_zero_against_itself(rng):
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
    same = paired_interval(targets, a, a, metrics.macro_f1)
    assert (same.low, same.estimate, same.high) == (0, 0, 0)


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
    assert (pair.a.drawn.sum(axis=2) == pair.b.drawn.sum(axis=2)).all()
    assert pair.interval(metrics.macro_f1) == paired_interval(targets, a, b, metrics.macro_f1)
    of_class = pair.intervals(lambda c: metrics.per_class(c).f1)
    assert len(of_class) == 3
    mean = np.mean([of.estimate for of in of_class])
    assert mean == pytest.approx(pair.interval(metrics.macro_f1).estimate)


def test_no_error_gives_an_interval_of_width_zero():
    targets = np.repeat(np.arange(3), 4)
    interval = bootstrap_interval(targets, targets, metrics.macro_f1)
    assert (interval.low, interval.high) == (1, 1)


def test_class_that_is_absent_and_a_single_cell():
    interval = bootstrap_interval(np.array([1]), np.array([0]), metrics.macro_f1, k=3)
    assert (interval.estimate, interval.low, interval.high, interval.n) == (0, 0, 0, 1)


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="at least one cell"):
        bootstrap_interval(np.array([]), np.array([]), metrics.macro_f1)
    with pytest.raises(ShapeError, match="groups"):
        bootstrap_interval(np.array([0]), np.array([0]), metrics.macro_f1, np.array(["a", "b"]))
    with pytest.raises(ShapeError, match="no patient"):
        bootstrap_interval(np.array([0]), np.array([0]), metrics.macro_f1, np.array([None]))


def slow_posterior_draw(confusion, train_counts, rng):
    shares = train_counts / train_counts.sum()
    rows = np.stack([rng.dirichlet(row + 0.5) for row in confusion]) * shares[:, None]
    return np.mean(
        [
            2 * rows[c, c] / (rows[c].sum() + rows[:, c].sum())
            for c in range(len(rows))
            if rows[c].sum() > 0
        ]
    )


def test_prior_weighted_interval_equals_slow_reference(rng):
    c = np.array([[77, 2, 1], [4, 70, 6], [1, 9, 70]])
    train_counts = np.array([900, 90, 10])
    slow = [slow_posterior_draw(c, train_counts, rng) for _ in range(4000)]
    interval = prior_weighted_interval(c, train_counts)
    assert interval.low == pytest.approx(np.quantile(slow, 0.025), abs=0.02)
    assert interval.high == pytest.approx(np.quantile(slow, 0.975), abs=0.02)
    assert interval.estimate == pytest.approx(
        float(metrics.prior_weighted_macro_f1(c, train_counts))
    )
    assert interval.unit == "image-level"


def test_prior_weighted_interval_admits_errors_never_seen():
    """A bootstrap would say 1.00 to 1.00 of a perfect confusion; the posterior does not."""
    perfect = np.diag([80, 80])
    interval = prior_weighted_interval(perfect, np.array([946, 10]))
    assert interval.estimate == 1
    assert interval.low < 0.8


def test_prior_weighted_interval_leaves_out_a_class_without_cells():
    c = np.array([[40, 5, 0], [5, 40, 0], [0, 0, 0]])
    with_third = prior_weighted_interval(c, np.array([50, 50, 900]))
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
    assert (change.low, change.high) == pytest.approx((1, 1))
