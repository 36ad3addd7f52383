from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffycoat.errors import NotEstimableError, ShapeError
from buffycoat.statistics import ClassStatistics, mahalanobis, relative_mahalanobis


def cells(seed: int = 0, n: int = 120, d: int = 4, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % k
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3 * targets[:, None], targets


@pytest.mark.parametrize("is_shared", [True, False])
def test_equals_dense_inverse(is_shared: bool) -> None:
    features, targets = cells()
    stats = ClassStatistics.fit(features, targets, 3, is_shared=is_shared, is_shrunk=False)
    found = mahalanobis(features, stats)
    residuals = features - np.stack([features[targets == c].mean(0) for c in range(3)])[targets]
    for c in range(3):
        used = residuals if is_shared else residuals[targets == c]
        inverse = np.linalg.inv(used.T @ used / len(used))
        offset = features - features[targets == c].mean(axis=0)
        assert np.allclose(found[:, c], np.einsum("ni,ij,nj->n", offset, inverse, offset))


def test_shrunk_equals_scikit_learn_in_unit_variance() -> None:
    from sklearn.covariance import LedoitWolf

    features, _ = cells(k=1)
    targets = np.zeros(len(features), dtype=int)
    stats = ClassStatistics.fit(features, targets, 1)
    unit = (features - features.mean(0)) / features.std(0)
    expected = LedoitWolf().fit(unit).mahalanobis(unit)
    assert np.allclose(mahalanobis(features, stats)[:, 0], expected)


def test_relative_is_class_less_global() -> None:
    features, targets = cells()
    stats = ClassStatistics.fit(features, targets, 3, is_shrunk=False)
    offset = features - features.mean(axis=0)
    whole = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(np.cov(features.T, bias=True)), offset)
    found = relative_mahalanobis(features, stats)
    assert np.allclose(found, mahalanobis(features, stats) - whole[:, None])


def any_map(seed: int, stretch: float) -> np.ndarray:
    """A linear map of any directions, shape (4, 4); `stretch` is how unevenly it stretches."""
    rng = np.random.default_rng(seed)
    before, after = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2))
    return before @ np.diag([1.0, stretch, 1.0, 1 / stretch]) @ after


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    stretch=st.floats(0.01, 100),
    shift=st.floats(-50, 50),
    is_shared=st.booleans(),
)
def test_affine_maps_change_nothing(
    seed: int, stretch: float, shift: float, is_shared: bool
) -> None:
    """Tolerance: a ten-thousandth, at condition numbers of covariances up to 1e8."""
    features, targets = cells()
    moved = features @ any_map(seed, stretch) + shift
    before, after = (
        ClassStatistics.fit(rows, targets, 3, is_shared=is_shared, is_shrunk=False)
        for rows in (features, moved)
    )
    near, far = mahalanobis(features, before), mahalanobis(moved, after)
    assert np.allclose(near, far, rtol=1e-4)
    assert np.array_equal(near.argmin(axis=1), far.argmin(axis=1))
    relative = relative_mahalanobis(features, before), relative_mahalanobis(moved, after)
    assert np.allclose(*relative, rtol=1e-4, atol=1e-4 * near.max())


def test_shrinkage_keeps_units_but_not_directions() -> None:
    """Shrunk towards independent features, so only a change of units is free."""
    features, targets = cells()
    moved = features @ any_map(0, 10.0)
    before, after = (ClassStatistics.fit(rows, targets, 3) for rows in (features, moved))
    assert not np.allclose(mahalanobis(features, before), mahalanobis(moved, after), rtol=1e-2)


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(1e-4, 1e4), shift=st.floats(-50, 50))
def test_units_do_not_matter_when_shrunk(scale: float, shift: float) -> None:
    features, targets = cells()
    moved = features * np.array([scale, 1, 1 / scale, 1]) + shift
    before = ClassStatistics.fit(features, targets, 3)
    after = ClassStatistics.fit(moved, targets, 3)
    assert np.allclose(mahalanobis(features, before), mahalanobis(moved, after), rtol=1e-4)


def test_normalised_rows_ignore_their_length() -> None:
    features, targets = cells()
    stats = ClassStatistics.fit(features, targets, 3, is_normalised=True)
    assert np.allclose(mahalanobis(features, stats), mahalanobis(7 * features, stats))
    assert np.isfinite(mahalanobis(np.zeros((1, 4)), stats)).all()


def test_class_of_one_borrows_and_absent_class_is_infinitely_far() -> None:
    features, targets = cells(k=2)
    targets = targets.copy()
    targets[0] = 2
    stats = ClassStatistics.fit(features, targets, 4, is_shared=False)
    found = mahalanobis(features, stats)
    assert found[0, 2] == pytest.approx(0)
    assert np.isfinite(found[:, :3]).all()
    assert np.isinf(found[:, 3]).all()
    shared = ClassStatistics.fit(features, targets, 4)
    assert np.array_equal(stats.factors[2], shared.factors[0])


@pytest.mark.parametrize("is_shared", [True, False])
def test_one_class_alone_keeps_its_distances(is_shared: bool) -> None:
    features, targets = cells()
    stats = ClassStatistics.fit(features, targets, 3, is_shared=is_shared)
    alone = relative_mahalanobis(features, stats.only(2))
    assert np.array_equal(alone[:, 0], relative_mahalanobis(features, stats)[:, 2])


def test_fewer_cells_than_features() -> None:
    rng = np.random.default_rng(0)
    stats = ClassStatistics.fit(rng.normal(size=(5, 20)), np.zeros(5, dtype=int), 1)
    assert np.isfinite(mahalanobis(rng.normal(size=(3, 20)), stats)).all()


def test_nan_row_gives_nan_and_others_are_unchanged() -> None:
    features, targets = cells()
    stats = ClassStatistics.fit(features, targets, 3)
    broken = features.copy()
    broken[4, 2] = np.nan
    found = mahalanobis(broken, stats)
    assert np.isnan(found[4]).all()
    assert np.array_equal(found[5:], mahalanobis(features, stats)[5:])
    with pytest.raises(ShapeError, match="1 of 120 rows"):
        ClassStatistics.fit(broken, targets, 3)


@pytest.mark.parametrize("is_shared", [True, False])
def test_round_trips_are_exact(is_shared: bool) -> None:
    features, targets = cells(seed=3)
    stats = ClassStatistics.fit(features, targets, 4, is_shared=is_shared, is_normalised=True)
    for copy in (
        ClassStatistics.from_tensors(stats.to_tensors()),
        ClassStatistics.from_dict(json.loads(json.dumps(stats.to_dict()))),
    ):
        assert np.array_equal(mahalanobis(features, copy), mahalanobis(features, stats))
        for name, array in stats.to_tensors().items():
            assert np.array_equal(array, copy.to_tensors()[name])


def test_wrong_shapes_are_errors() -> None:
    features, targets = cells()
    stats = ClassStatistics.fit(features, targets, 3)
    with pytest.raises(ShapeError, match="expected 4 features"):
        mahalanobis(features[:, :2], stats)
    with pytest.raises(ShapeError, match="got 3 targets"):
        ClassStatistics.fit(features, targets[:3], 3)


@settings(max_examples=30, deadline=None)
@given(
    value=st.floats(-1e6, 1e6), noise=st.sampled_from([0.0, 1e-17, 1e-14]), place=st.integers(0, 4)
)
def test_a_feature_that_is_constant_but_for_rounding_changes_nothing(
    value: float, noise: float, place: int
) -> None:
    features, targets = cells()
    rounding = value * (1 + noise * np.random.default_rng(0).normal(size=len(features)))
    wider = np.insert(features, place, rounding, axis=1)
    plain, stats = (ClassStatistics.fit(rows, targets, 3) for rows in (features, wider))
    assert stats.kept is not None
    assert not stats.kept[place]
    np.testing.assert_allclose(
        mahalanobis(wider, stats), mahalanobis(features, plain), rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(
        relative_mahalanobis(wider, stats), relative_mahalanobis(features, plain), atol=1e-6
    )
    again = ClassStatistics.from_dict(json.loads(json.dumps(stats.to_dict())))
    assert np.array_equal(mahalanobis(wider, again), mahalanobis(wider, stats))


@settings(max_examples=30, deadline=None)
@given(row=st.integers(0, 119), is_shared=st.booleans())
def test_one_more_copy_of_a_cell_changes_little(row: int, is_shared: bool) -> None:
    features, targets = cells()
    copied = np.concatenate([features, features[[row]]])
    labels = np.append(targets, targets[row])
    before = ClassStatistics.fit(features, targets, 3, is_shared=is_shared)
    after = ClassStatistics.fit(copied, labels, 3, is_shared=is_shared)
    near, far = mahalanobis(features, before), mahalanobis(features, after)
    np.testing.assert_allclose(far, near, rtol=0.5, atol=0.5)


@pytest.mark.parametrize(
    ("rows", "targets"),
    [
        ([[0.0, 1.0], [2.0, 5.0]], [0, 0]),
        ([[0.0, 1.0], [2.0, 5.0], [2.0, 5.0], [0.0, 1.0]], [0, 0, 0, 0]),
        ([[0.0, 1.0], [2.0, 5.0], [9.0, 9.0]], [0, 0, 1]),
        ([[0.0, 1.0], [2.0, 5.0], [9.0, 9.0]], [0, 1, 2]),
        ([[0.3, 0.1]] * 7, [0] * 7),
        ([[7.0, 7.0]], [0]),
    ],
)
@pytest.mark.parametrize("is_one_unit", [True, False])
def test_fewer_than_three_different_rows_are_not_estimable(
    rows: list[list[float]], targets: list[int], is_one_unit: bool
) -> None:
    with pytest.raises(NotEstimableError, match="not estimable"):
        ClassStatistics.fit(np.array(rows), np.array(targets), 3, is_one_unit=is_one_unit)


def test_copies_that_a_product_rounded_differently_are_one_row() -> None:
    two = np.random.default_rng(0).normal(size=(2, 40))
    many = np.tile(two, (30, 1)) * (1 + 1e-16 * np.arange(60)[:, None])
    with pytest.raises(NotEstimableError, match="2 different"):
        ClassStatistics.fit(many, np.zeros(60, dtype=int), 1)


def test_three_rows_are_shrunk_to_full_rank() -> None:
    rng = np.random.default_rng(0)
    stats = ClassStatistics.fit(rng.normal(size=(3, 20)), np.zeros(3, dtype=int), 1)
    new = mahalanobis(rng.normal(size=(50, 20)), stats)
    assert 1 < np.median(new) < 1000


def test_a_class_whose_own_cells_are_copies_borrows_the_pooled_covariance() -> None:
    features, targets = cells()
    features[targets == 1] = features[1]
    stats = ClassStatistics.fit(features, targets, 3, is_shared=False)
    shared = ClassStatistics.fit(features, targets, 3)
    assert np.array_equal(stats.factors[1], shared.factors[0])
