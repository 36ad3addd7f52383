"""Simulated patients: drawn as stated, and covered by the adjusted limits."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import differential as benchmark
from buffycoat.errors import ShapeError
from buffycoat.evaluate.differential import IMMATURE, parts_of
from buffycoat.evaluate.interval import NOT_ESTIMABLE
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.taxonomy import PBC, WBCBENCH

NAMES = parts_of(PBC)[1]


@pytest.fixture
def population() -> np.ndarray:
    """80 cells a class; a tenth of them called the next class of the table, ERB never made."""
    k = len(PBC)
    return (
        np.eye(k, dtype=int) * 72
        + np.eye(k, k=1, dtype=int) * 8
        + np.eye(k, k=1 - k, dtype=int) * 8
    )


def test_patients_follow_from_the_seed_and_hold_what_their_mix_has(population) -> None:
    one, same, other = (
        benchmark.simulate(population, PBC, 10, 50, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.adjusted, same.adjusted)
    assert (one.truth != other.truth).any()
    assert list(one.kind[:5]) == list(benchmark.MIXES)
    inside = [part for part, name in enumerate(NAMES) if name not in ("ERB", IMMATURE)]
    np.testing.assert_allclose(one.truth[:, inside].sum(axis=1), 100)
    healthy = one.truth[one.kind == "healthy"]
    assert (healthy[:, NAMES.index("MY")] == 0).all()
    assert (one.truth[one.kind == "left shift"][:, NAMES.index(IMMATURE)] > 2).all()


def test_adjusted_limits_hold_where_raw_ones_do_not(population) -> None:
    found = benchmark.simulate(population, PBC, 80, 400)
    rows = {row["part"]: row for row in benchmark.coverage(found, NAMES)}
    assert {row["data"] for row in rows.values()} == {"simulated patients"}
    assert min(row["adjusted_holds"] for row in rows.values()) > 0.85
    assert np.mean([row["adjusted_holds"] for row in rows.values()]) > 0.93
    assert rows["SNE"]["raw_holds"] < 0.7
    assert abs(rows["SNE"]["adjusted_bias"]) < abs(rows["SNE"]["raw_bias"]) / 3
    flags = benchmark.flags(found, NAMES, 2.0)
    assert [row["by"] for row in flags][:2] == ["raw", "adjusted"]
    assert json.dumps(flags, allow_nan=False)
    assert flags[1]["sensitivity"]["estimate"] > 0.8


def test_a_class_that_no_cell_stands_for_is_left_out_of_the_mixes(population) -> None:
    population[PBC.codes.index("PMY")] = 0
    found = benchmark.simulate(population, PBC, 5, 100)
    assert (found.truth[:, NAMES.index("PMY")] == 0).all()
    row = benchmark.coverage(found, NAMES)[NAMES.index("PMY")]
    assert "adjusted_holds" not in row
    assert "raw_holds" in row


def test_a_given_calibration_is_used_for_every_patient(population) -> None:
    drawn, given = (
        benchmark.simulate(population, PBC, 10, 200, calibration=table)
        for table in (None, population)
    )
    np.testing.assert_array_equal(drawn.kind, given.kind)
    assert np.isfinite(given.adjusted).all()
    wrong = population[::-1]
    rows = benchmark.coverage(
        benchmark.simulate(population, PBC, 10, 200, calibration=wrong), NAMES
    )
    assert rows[0]["adjusted_holds"] < 0.5  # a table of another model misleads


def test_blasts_are_simulated_where_there_are_cells_for_them() -> None:
    names = parts_of(WBCBENCH)[1]
    found = benchmark.simulate(90 * np.eye(len(WBCBENCH), dtype=int), WBCBENCH, 14, 200)
    assert set(found.kind) == {*benchmark.MIXES, *benchmark.BLAST_MIXES}
    blasts = found.truth[:, names.index("BL")]
    assert (blasts[found.kind == "many blasts"] > 20).all()
    assert (blasts[found.kind == "healthy"] == 0).all()
    rows = benchmark.flags(found, names, 1.0, "BL")
    assert {row["part"] for row in rows} == {"BL"}
    assert benchmark.flags(found, names, 1.0, "nothing") == []


def test_flags_are_scored_with_exact_limits():
    true = np.array([0, 1, 1.9, 2, 5, 8, 9, 3, 7, 0, 0, 1])
    stated = np.array([0, 3, 1, 2, 6, 1, 9, 9, 8, 0, 1, 0])
    record = benchmark.score_flag(true, stated, 2.0)
    assert (record["n_patients"], record["n_positive"], record["n_flagged"]) == (12, 6, 6)
    assert record["sensitivity"]["estimate"] == pytest.approx(5 / 6)
    assert record["npv"]["estimate"] == pytest.approx(5 / 6)
    low, high = (float(end) for end in clopper_pearson(5, 6))
    assert (record["npv"]["low"], record["npv"]["high"]) == pytest.approx((low, high))
    few = benchmark.score_flag(true, stated, 8.5)
    assert few["sensitivity"] == NOT_ESTIMABLE
    assert few["n_positive"] == 1
    with pytest.raises(ShapeError, match="flag"):
        benchmark.score_flag(np.array([1.0, np.nan]), np.array([1.0, 2.0]), 2)
