"""How unlike the training cells a batch is: no alarm at home whatever the mix, an alarm abroad."""

from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.errors import NotEstimableError, ShapeError
from buffycoat.sites.look import colour_and_sharpness, scale
from buffycoat.sites.shift import BATCH, Shift, ShiftReference, draw, draw_alike

K = 3


def _cells(n: int, rng: np.random.Generator, moved: float = 0.0) -> tuple[dict, np.ndarray]:
    """Two groups of numbers that depend on the class, and the classes."""
    classes = rng.integers(0, K, n)
    colour = 3.0 * classes[:, None] + rng.normal(moved, 1, (n, 4))
    return {"colour": colour, "scale": classes[:, None] + rng.normal(0, 0.1, (n, 1))}, classes


@pytest.fixture(scope="module")
def home() -> ShiftReference:
    rng = np.random.default_rng(0)
    values, classes = _cells(600, rng)
    return ShiftReference.fit(values, classes, K, np.zeros(600, int))


def test_batches_of_home_raise_hardly_an_alarm(home: ShiftReference) -> None:
    rng = np.random.default_rng(1)
    alarms = [home.score(*_cells(BATCH, rng)).is_alarm for _ in range(300)]
    assert np.mean(alarms) <= 0.02


def test_a_batch_of_one_class_is_no_other_laboratory(home: ShiftReference) -> None:
    values, classes = _cells(400, np.random.default_rng(2))
    rows = classes == 1
    assert not home.score({n: v[rows] for n, v in values.items()}, classes[rows]).is_alarm


def test_another_laboratory_is_named_with_its_distance(home: ShiftReference) -> None:
    rng = np.random.default_rng(3)
    found = home.score(*_cells(BATCH, rng, moved=2.0))
    assert found.is_alarm
    assert found.distances["colour"] == pytest.approx(4.0, abs=0.5)  # 2 SD in each of 4 numbers
    assert found.words().startswith(f"colour differs by {found.distances['colour']:.1f} SD")


def test_fewer_cells_need_a_larger_difference(home: ShiftReference) -> None:
    values, classes = _cells(BATCH, np.random.default_rng(4))
    few = {name: table[:16] for name, table in values.items()}
    limits = home.score(few, classes[:16]).limits
    assert limits["colour"] == pytest.approx(2 * home.groups["colour"].limit)


def test_missing_numbers_do_not_count(home: ShiftReference) -> None:
    values, classes = _cells(BATCH, np.random.default_rng(5))
    values["scale"][:10] = np.nan
    assert np.isfinite(home.score(values, classes).distances["scale"])
    values["scale"][:] = np.nan
    assert set(home.score(values, classes).distances) == {"colour"}
    assert Shift({}, {}).score == 0


def test_what_cannot_be_told_is_refused(home: ShiftReference) -> None:
    values, classes = _cells(10, np.random.default_rng(6))
    with pytest.raises(NotEstimableError, match="at least 16"):
        home.score(values, classes)
    with pytest.raises(NotEstimableError, match="at least 16"):
        ShiftReference.fit(values, classes, K, np.zeros(10, int))
    with pytest.raises(ShapeError, match="expected 20 rows"):
        ShiftReference.fit({"colour": np.zeros((19, 2))}, np.zeros(20, int), K, np.zeros(20, int))


def test_a_reference_survives_json(home: ShiftReference) -> None:
    again = ShiftReference.from_dict(json.loads(json.dumps(home.to_dict())))
    values, classes = _cells(BATCH, np.random.default_rng(7))
    one, other = (r.score(values, classes).distances for r in (home, again))
    assert one["colour"] == pytest.approx(other["colour"], rel=1e-2)


def test_batches_are_mostly_of_one_severity() -> None:
    rng = np.random.default_rng(8)
    classes, severity = rng.integers(0, K, 500), np.repeat(np.arange(5), 100)
    shares = [
        np.bincount(severity[draw(classes, severity, rng)], minlength=5).max() / BATCH
        for _ in range(100)
    ]
    assert np.mean(shares) > 0.55


def test_a_bad_day_of_home_is_no_other_laboratory() -> None:
    """One cell in ten that is badly degraded, all of these alike, is a condition of its own."""
    rng = np.random.default_rng(10)
    (usual, first), (bad, second) = _cells(1800, rng), _cells(200, rng, moved=1.5)
    values = {name: np.concatenate([usual[name], bad[name]]) for name in usual}
    condition = np.repeat([0, 4], [1800, 200])
    home = ShiftReference.fit(values, np.concatenate([first, second]), K, condition)
    alarms = [home.score(*_cells(BATCH, rng, moved=1.5)).is_alarm for _ in range(200)]
    assert np.mean(alarms) <= 0.05
    assert home.score(*_cells(BATCH, rng, moved=3.0)).is_alarm


def test_batches_of_one_condition_leave_out_what_few_cells_have() -> None:
    rng = np.random.default_rng(11)
    condition = np.repeat([0, 1, 2], [50, 30, 3])
    drawn = [condition[draw_alike(condition, rng)] for _ in range(50)]
    assert {len(set(batch)) for batch in drawn} == {1}
    assert {int(batch[0]) for batch in drawn} == {0, 1}
    assert set(draw_alike(np.zeros(3, int), rng)) <= {0, 1, 2}


def test_words_never_show_a_distance_like_its_limit() -> None:
    assert Shift({"scale": 1.04}, {"scale": 1.0}).words() == "scale differs by 1.04 SD (limit 1.00)"


def test_a_look_follows_colour_and_blur() -> None:
    rng = np.random.default_rng(9)
    image = np.clip(rng.normal(180, 30, (64, 64, 3)), 0, 255).astype(np.uint8)
    blurred = np.full_like(image, 180)
    blurred[16:48, 16:48] = 120
    sharp, soft = (colour_and_sharpness(x[None]) for x in (image, blurred))
    assert sharp["colour"].shape == (1, 6)
    assert sharp["sharpness"][0, 0] > soft["sharpness"][0, 0]
    dark = colour_and_sharpness(np.zeros((1, 64, 64, 3), np.uint8))
    assert all(np.isfinite(table).all() for table in dark.values())
    np.testing.assert_allclose(np.exp(scale(np.array([np.pi / 16]))), [[0.5]])
    assert np.isnan(scale(np.array([np.nan]))).all()
