"""Differentials of slides."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from buffycoat.errors import ShapeError, TaxonomyError
from buffycoat.evaluate.class_table import NOT_ESTIMABLE
from buffycoat.evaluate.differential import IMMATURE, differential, parts_of
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.taxonomy import PBC, WBCBENCH, Taxonomy

K = len(PBC)
CALLS = {"SNE": 50, "LY": 30, "MO": 8, "EO": 3, "BNE": 4, "MY": 2, "MMY": 3, "ERB": 5}
PERFECT = np.eye(K, dtype=int) * 100_000


def calls_of(counts: dict[str, int]) -> np.ndarray:
    return np.repeat([PBC.codes.index(code) for code in counts], list(counts.values()))


def rows_of(counts: dict[str, int], *args, **kwargs):
    calls = calls_of(counts)
    found = differential(calls, np.full(len(calls), "s"), PBC, *args, **kwargs)
    return {row.name: row for row in found}


def test_percent_is_of_leukocytes_with_the_limits_of_the_count():
    rows = rows_of(CALLS)
    order = ["PMY", "MY", "MMY", "BNE", "SNE", "EO", "BA", "LY", "MO", "ERB"]
    assert list(rows) == [*order, IMMATURE]
    assert rows["SNE"].n_leukocytes == 100
    assert rows["SNE"].raw.value == 50
    low, high = clopper_pearson(50, 100)
    assert (rows["SNE"].raw.low, rows["SNE"].raw.high) == pytest.approx((100 * low, 100 * high))
    assert rows["BA"].raw.value == rows["BA"].raw.low == 0
    assert rows["BA"].raw.high == pytest.approx(3.62, abs=0.005)
    assert sum(rows[code].raw.value for code in PBC.codes if code != "ERB") == pytest.approx(100)
    assert rows["SNE"].adjusted is None


def test_a_percentage_is_the_nearest_to_its_fraction():
    for count, whole in ((23, 80), (41, 80), (46, 160)):  # 100 * (23 / 80) is below 28.75
        calls = np.repeat(WBCBENCH.encode(["LY", "SNE"]), (count, whole - count))
        rows = differential(calls, np.zeros(whole), WBCBENCH)
        assert next(row for row in rows if row.name == "LY").raw.value == 100 * count / whole


def test_erythroblasts_are_per_hundred_leukocytes_and_outside_them():
    row = rows_of(CALLS)["ERB"]
    assert not row.is_leukocyte
    assert row.raw.value == 5
    low, high = (float(end) for end in clopper_pearson(5, 105))
    assert row.raw.low == pytest.approx(100 * low / (1 - low))
    assert row.raw.high == pytest.approx(100 * high / (1 - high))
    assert row.count == 5


def test_immature_granulocytes_are_summed_before_their_limits():
    row = rows_of(CALLS)[IMMATURE]
    assert (row.count, row.raw.value) == (5, 5)
    low, high = clopper_pearson(5, 100)
    assert (row.raw.low, row.raw.high) == pytest.approx((100 * low, 100 * high))
    parts, names = parts_of(WBCBENCH)
    codes = [WBCBENCH.codes[i] for i in np.flatnonzero(parts[names.index(IMMATURE)])]
    assert sorted(codes) == ["MMY", "MY", "PMY"]
    others = Taxonomy("others", tuple(c for c in PBC.classes if c.code in ("SNE", "LY")))
    assert parts_of(others)[1] == ["SNE", "LY"]


def test_a_model_that_never_errs_needs_no_adjustment():
    for row in rows_of(CALLS, PERFECT, n_draws=20_000).values():
        assert row.adjusted is not None
        assert row.adjusted.value == pytest.approx(row.raw.value, abs=0.05)
        assert row.adjusted.low == pytest.approx(row.raw.low, abs=0.5)
        assert row.adjusted.high == pytest.approx(row.raw.high, abs=0.5)


def test_known_errors_are_taken_out():
    """One in ten SNE is called BNE: of 100 SNE and no band, ten calls are of bands."""
    table = np.eye(K, dtype=int) * 2000
    sne, bne = PBC.codes.index("SNE"), PBC.codes.index("BNE")
    table[sne, [sne, bne]] = 1800, 200
    rows = rows_of({"SNE": 90, "BNE": 10}, table)
    assert rows["BNE"].raw.low > 4
    assert rows["BNE"].adjusted is not None
    assert rows["BNE"].adjusted.value < 1
    assert rows["BNE"].adjusted.low == 0
    assert rows["SNE"].adjusted is not None
    assert rows["SNE"].adjusted.value > 99


def test_a_class_with_few_labelled_cells_has_no_adjusted_figure():
    table = PERFECT.copy()
    table[PBC.codes.index("PMY")] = 0
    rows = rows_of(CALLS, table)
    for name in ("PMY", IMMATURE):
        assert rows[name].adjusted is None
        assert rows[name].why == "PMY: 0 cells, at least 5 are needed"
        assert rows[name].to_dict()["adjusted_low"] == NOT_ESTIMABLE
    assert rows["MY"].adjusted is not None


def test_groups_are_counted_apart_and_do_not_depend_on_each_other():
    rng = np.random.default_rng(0)
    table = np.eye(K, dtype=int) * 60 + rng.integers(0, 5, (K, K))
    calls, slides = rng.integers(0, K, 300), np.repeat(["b", "a", "c"], [150, 100, 50])
    every = differential(calls, slides, PBC, table)
    assert list(dict.fromkeys(row.group for row in every)) == ["a", "b", "c"]
    alone = differential(calls[150:250], slides[150:250], PBC, table)
    for one, other in zip(every[: len(alone)], alone, strict=True):
        assert one.raw == other.raw
        assert one.adjusted is not None
        assert other.adjusted is not None
        assert vars(one.adjusted) == pytest.approx(vars(other.adjusted), abs=1e-6)


def test_a_slide_without_a_leukocyte_says_nothing():
    rows = rows_of({"ERB": 4}, PERFECT)
    assert np.isnan(rows["SNE"].raw.value)
    assert (rows["SNE"].raw.low, rows["SNE"].raw.high) == (0, 100)
    assert rows["ERB"].raw.high == np.inf
    assert rows["SNE"].adjusted is not None
    assert rows["SNE"].adjusted.high == 100


def test_rows_are_flat_and_plain():
    row = rows_of(CALLS)["LY"].to_dict()
    assert json.loads(json.dumps(row)) == row
    assert row["raw_value"] == 30
    assert row["adjusted_value"] is None
    assert rows_of(CALLS, PERFECT)["LY"].to_dict()["adjusted_value"] == pytest.approx(30, abs=0.1)


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="no patient"):
        differential(np.array([0]), np.array([None]), PBC)
    with pytest.raises(ShapeError, match="confusion"):
        differential(np.array([0]), np.array(["s"]), PBC, np.eye(3))
    none = Taxonomy("none", tuple(replace(c, is_leukocyte=False) for c in PBC.classes[:2]))
    with pytest.raises(TaxonomyError, match="no leukocyte"):
        differential(np.array([0]), np.array(["s"]), none)
