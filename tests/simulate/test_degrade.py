from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffycoat.errors import ConfigError, ShapeError
from buffycoat.simulate.degrade import (
    GROUPS,
    KINDS,
    degrade,
    degrade_labelled,
    draw_severity,
    paper_noise,
    random_degrade,
)


@pytest.fixture(scope="module")
def cell() -> np.ndarray:
    """A dark blob with texture on a cream field, 96 px."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    blob = np.hypot(x, y) < 0.5
    image = np.where(blob[..., None], [90, 60, 140], [230, 210, 190]).astype(np.float32)
    image += 12.0 * np.sin(20 * x + 13 * y)[..., None]
    return image.astype(np.uint8)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.float32) - b.astype(np.float32)).mean())


def mean_change(image: np.ndarray, severity: int, kinds: list[str] | None) -> float:
    rng = np.random.default_rng(severity)
    return float(
        np.mean([difference(image, degrade(image, severity, rng, kinds)) for _ in range(60)])
    )


def test_groups_hold_every_kind_once() -> None:
    grouped = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(grouped) == sorted(KINDS)
    assert len(KINDS) == 8


def test_severity_zero_gives_an_equal_copy(cell: np.ndarray) -> None:
    result = degrade(cell, 0, np.random.default_rng(0), ["noise"])
    assert np.array_equal(result, cell)
    assert not np.shares_memory(result, cell)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_the_image_and_leaves_the_input(cell: np.ndarray, kind: str) -> None:
    before = cell.copy()
    result = degrade(cell, 3, np.random.default_rng(1), [kind])
    assert result.shape == cell.shape
    assert result.dtype == np.uint8
    assert difference(result, cell) > 0.5
    assert np.array_equal(cell, before)


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_effect_grows_with_severity(cell: np.ndarray, kind: str | None) -> None:
    kinds = None if kind is None else [kind]
    change = [mean_change(cell, severity, kinds) for severity in range(5)]
    assert change[0] == 0.0
    assert np.all(np.diff(change) > 0), change


def test_same_seed_same_image(cell: np.ndarray) -> None:
    first = [degrade(cell, s, np.random.default_rng(7)) for s in range(1, 5)]
    again = [degrade(cell, s, np.random.default_rng(7)) for s in range(1, 5)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[2], degrade(cell, 3, np.random.default_rng(8)))


@pytest.mark.parametrize("severity", range(5))
def test_labelled_is_the_same_image_and_names_its_groups(cell: np.ndarray, severity: int) -> None:
    seen = set()
    for seed in range(20):
        image, groups = degrade_labelled(cell, severity, np.random.default_rng(seed))
        assert np.array_equal(image, degrade(cell, severity, np.random.default_rng(seed)))
        assert list(groups) == [group for group in GROUPS if group in groups]
        assert bool(groups) == (severity > 0)
        seen.add(groups)
    assert severity == 0 or {("noise",), ("blur",), ("light",)} < seen


def test_labels_follow_the_kinds_asked_for(cell: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    assert degrade_labelled(cell, 2, rng, ["gamma", "noise"])[1] == ("noise", "light")
    assert degrade_labelled(cell, 2, rng, [])[1] == ()
    assert degrade_labelled(cell, 0, rng, ["gamma"])[1] == ()


@pytest.mark.parametrize("kind", GROUPS["blur"])
def test_blur_scales_with_the_image(cell: np.ndarray, kind: str) -> None:
    """A fixed radius in pixels would leave a ratio of 0.76 here."""
    large = cv2.resize(cell, (288, 288), interpolation=cv2.INTER_CUBIC)
    blurred = degrade(large, 4, np.random.default_rng(3), [kind])
    blurred_small = degrade(cell, 4, np.random.default_rng(3), [kind])
    shrunk = cv2.resize(blurred, (96, 96), interpolation=cv2.INTER_AREA)
    assert difference(shrunk, blurred_small) < 0.6 * difference(cell, blurred_small)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 1000))
def test_any_size_keeps_its_shape(height: int, width: int, severity: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert degrade(image, severity, rng).shape == image.shape
    assert degrade(image, severity, rng, KINDS).shape == image.shape


@pytest.mark.parametrize("severity", [-1, 5, 2.0, True, "2", None])
def test_bad_severity(cell: np.ndarray, severity: object) -> None:
    with pytest.raises(ConfigError, match="severity"):
        degrade(cell, severity, np.random.default_rng(0))  # type: ignore[arg-type]


def test_unknown_kind_names_the_nearest(cell: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'defocus'"):
        degrade(cell, 0, np.random.default_rng(0), ["defocuss"])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_image_of_wrong_shape_or_dtype(image: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="expected"):
        degrade(image, 1, np.random.default_rng(0))
    with pytest.raises(ShapeError, match="expected"):
        paper_noise(image, np.random.default_rng(0))


def test_draw_severity_follows_its_weights() -> None:
    rng = np.random.default_rng(0)
    assert {draw_severity(rng) for _ in range(200)} == {1, 2, 3, 4}
    drawn = [draw_severity(rng, (3, 0, 0, 0, 1)) for _ in range(800)]
    assert set(drawn) == {0, 4}
    assert 0.15 < np.mean(np.array(drawn) == 4) < 0.35


@pytest.mark.parametrize(
    "weights", [(1, 1), (0, 0, 0, 0, 0), (1, 1, 1, 1, -1), (1, 1, 1, 1, np.nan)]
)
def test_bad_weights(weights: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="weights"):
        draw_severity(np.random.default_rng(0), weights)


def test_random_degrade_respects_probability(cell: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    severities = []
    for _ in range(120):
        result, severity = random_degrade(cell, rng, probability=0.5)
        severities.append(severity)
        assert np.array_equal(result, cell) == (severity == 0)
    assert 0.3 < np.mean(np.array(severities) > 0) < 0.7
    with pytest.raises(ConfigError, match="probability"):
        random_degrade(cell, rng, probability=1.5)


def test_paper_noise_matches_its_published_numbers() -> None:
    """At mid gray the clipping at 0 and 255 is known, so the spread can be predicted."""
    image = np.full((200, 200, 3), 128, np.uint8)
    result = paper_noise(image, np.random.default_rng(0)).astype(np.float64)
    sigma = 80 * 1.7 * (0.6 + 0.8 * 128 / 255)
    expected = np.clip(128 * 0.7 + sigma * np.random.default_rng(1).normal(size=200_000), 0, 255)
    assert abs(result.mean() - (0.97 * expected.mean() + 0.03 * 89.6)) < 3
    untouched = np.mean((result == 90).all(axis=2))
    assert 0.01 <= untouched <= 0.06


def test_paper_noise_stays_on_the_cell(cell: np.ndarray) -> None:
    mask = np.zeros(cell.shape[:2], bool)
    mask[30:60, 30:60] = True
    result = paper_noise(cell, np.random.default_rng(0), mask)
    assert np.array_equal(result[~mask], cell[~mask])
    assert difference(result[mask], cell[mask]) > 20
    white = np.full_like(cell, 255)
    assert np.array_equal(paper_noise(white, np.random.default_rng(0)), white)
    with pytest.raises(ShapeError, match="cell_mask"):
        paper_noise(cell, np.random.default_rng(0), mask[:-1])
    with pytest.raises(ShapeError, match="cell_mask"):
        paper_noise(cell, np.random.default_rng(0), mask.astype(np.uint8))


def test_combinations_keep_to_the_groups_that_are_given(cell: np.ndarray) -> None:
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        seen.add(degrade_labelled(cell, 4, rng, groups=("noise", "light"))[1])
    assert {name for found in seen for name in found} == {"noise", "light"}
    untouched, found = degrade_labelled(cell, 4, np.random.default_rng(0), groups=())
    assert np.array_equal(untouched, cell)
    assert found == ()
    with pytest.raises(ConfigError, match="blur"):
        degrade(cell, 2, np.random.default_rng(0), groups=("blurr",))
