"""Method comparison of a reader and a model."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from buffycoat.errors import ShapeError
from buffycoat.evaluate.agreement import (
    WITHIN,
    bland_altman,
    compare_slides,
    kappa,
    maturation_columns,
    passing_bablok,
)
from buffycoat.taxonomy import PBC

WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
"""First peak flow by two meters, litres a minute: table 1 of Bland and Altman 1986."""


def test_limits_of_agreement_are_those_of_bland_and_altman() -> None:
    found = bland_altman(np.array(MINI), np.array(WRIGHT))
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert [found.bias.low, found.bias.high] == pytest.approx([-22.1, 17.8], abs=0.06)
    spread = (found.upper.value - found.lower.value) / (2 * WITHIN)
    assert spread == pytest.approx(38.8, abs=0.05)
    assert found.lower.value - found.lower.low == pytest.approx(34.75, abs=0.05)


SERUM = [
    82, 183, 139, 81, 172, 323, 123, 137, 172, 96, 76, 115, 95, 100, 152, 156, 245, 185, 89, 82,
    101, 96, 338, 131, 110, 126, 115, 120, 101, 133, 87, 166, 141, 108, 117, 177, 133, 123, 121,
    120, 149, 89, 109, 103, 107, 89, 139, 96, 106, 117, 90, 139, 91, 228, 90, 134, 132, 102, 104,
    127, 108, 110, 139, 107, 79, 102, 94, 199, 70, 84, 66, 110, 90, 206, 131, 103, 161, 152, 111,
    85, 120, 109, 127, 206, 121, 77, 106, 102, 100, 147, 97, 170, 178, 93, 92, 159, 68, 70, 108,
    83, 117, 98, 77, 91, 110, 80, 85, 82,
]  # fmt: skip
PLASMA = [
    79, 162, 136, 130, 188, 335, 106, 134, 156, 94, 69, 116, 71, 83, 144, 126, 236, 190, 95, 77,
    82, 88, 342, 115, 96, 112, 102, 129, 87, 113, 82, 133, 114, 93, 109, 189, 157, 129, 113, 111,
    161, 79, 119, 96, 125, 87, 136, 86, 103, 86, 80, 122, 86, 225, 87, 130, 104, 92, 101, 121, 111,
    121, 154, 99, 79, 106, 102, 215, 56, 101, 59, 117, 82, 209, 144, 122, 177, 160, 113, 106, 138,
    124, 129, 208, 131, 82, 128, 115, 104, 151, 113, 184, 194, 132, 136, 188, 73, 78, 101, 90, 130,
    96, 61, 127, 105, 112, 72, 87,
]  # fmt: skip
"""Creatinine of 108 patients, mg/dL times 100: data set `creatinine` of the R package mcr."""


def test_the_line_is_that_of_the_r_package_mcr() -> None:
    """By mcreg(method.reg = "PaBa", method.ci = "analytical", slope.measure = "radian").

    It takes differences of mg/dL as they are rounded, so that some slopes of -1 are counted and
    others not: its figures differ from those of whole numbers from the fourth decimal on.
    """
    found = passing_bablok(np.array(SERUM), np.array(PLASMA))
    assert found is not None
    slope, intercept = found.slope, found.intercept
    assert [slope.value, slope.low, slope.high] == pytest.approx(
        [1.0880089, 1.0, 1.173005], abs=1e-4
    )
    assert [slope.value, slope.low, slope.high] == pytest.approx([99 / 91, 1, 61 / 52])
    in_mg_dl = [end / 100 for end in (intercept.value, intercept.low, intercept.high)]
    assert in_mg_dl == pytest.approx([-0.1171729, -0.2001149, -0.02], abs=2e-4)


def test_the_line_does_not_depend_on_the_unit() -> None:
    one = passing_bablok(np.array(SERUM), np.array(PLASMA))
    other = passing_bablok(np.array(SERUM) / 100, np.array(PLASMA) / 100)
    assert one is not None
    assert other is not None
    for end in ("value", "low", "high"):
        assert getattr(other.slope, end) == pytest.approx(getattr(one.slope, end))
        assert getattr(other.intercept, end) == pytest.approx(getattr(one.intercept, end) / 100)


def slow_line(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """Slope and its ends as the paper puts them, places counted from 1."""
    slopes = []
    for i, j in combinations(range(len(x)), 2):
        if x[i] == x[j] and y[i] == y[j]:
            continue
        slope = np.inf * np.sign(y[i] - y[j]) if x[i] == x[j] else (y[i] - y[j]) / (x[i] - x[j])
        slopes += [slope] if slope != -1 else []
    slopes.sort()
    n, many = len(x), len(slopes)
    shift = sum(slope < -1 for slope in slopes)
    if many % 2:
        middle = slopes[(many + 1) // 2 + shift - 1]
    else:
        pair = slopes[many // 2 + shift - 1], slopes[many // 2 + 1 + shift - 1]
        middle = np.tan(np.mean(np.arctan(pair)))
    wide = WITHIN * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    first = round((many - wide) / 2)
    last = many - first + 1
    return float(middle), slopes[first + shift - 1], slopes[last + shift - 1]


def rising(seed: int, n: int) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(1, 60, n)
    return x.tolist(), (1.2 * x + 3 + rng.normal(0, 2, n)).tolist()


@given(st.integers(0, 10**6), st.integers(12, 40))
def test_the_line_is_that_of_a_slow_reference(seed: int, n: int) -> None:
    x, y = rising(seed, n)
    found = passing_bablok(np.array(x), np.array(y))
    assert found is not None
    assert [found.slope.value, found.slope.low, found.slope.high] == pytest.approx(slow_line(x, y))
    assert found.intercept.low <= found.intercept.value <= found.intercept.high


@given(st.integers(0, 10**6), st.integers(12, 40))
def test_the_line_is_the_same_whichever_method_comes_first(seed: int, n: int) -> None:
    x, y = map(np.array, rising(seed, n))
    one, other = passing_bablok(x, y), passing_bablok(y, x)
    assert one is not None
    assert other is not None
    assert other.slope.value == pytest.approx(1 / one.slope.value)
    assert [other.slope.low, other.slope.high] == pytest.approx(
        [1 / one.slope.high, 1 / one.slope.low]
    )


def test_a_line_without_error_is_found_exactly() -> None:
    x = np.arange(12.0)
    found = passing_bablok(x, 2 * x + 1)
    assert found is not None
    assert (found.slope.value, found.slope.low, found.slope.high) == pytest.approx((2, 2, 2))
    assert (found.intercept.low, found.intercept.high) == pytest.approx((1, 1))


@pytest.mark.parametrize("y", [np.zeros(12), np.r_[np.zeros(11), 5]])
def test_no_line_through_points_without_spread(y: np.ndarray) -> None:
    assert passing_bablok(np.zeros(12), y) is None


def counts_of(**cells: list[int]) -> np.ndarray:
    n = len(next(iter(cells.values())))
    return np.stack([np.array(cells.get(code, [0] * n)) for code in PBC.codes], axis=1)


def test_each_class_is_compared_on_its_percentages() -> None:
    reader = counts_of(SNE=[60] * 12, LY=[40] * 12, ERB=list(range(12)))
    model = counts_of(SNE=[50] * 12, LY=[50] * 12, ERB=list(range(12)))
    found = {row.name: row for row in compare_slides(reader, model, PBC)}
    assert found["SNE"].differences is not None
    assert found["SNE"].differences.bias.value == pytest.approx(-10)
    assert found["SNE"].n_within == 12  # 60 of 100: 49.7 to 69.7
    assert found["LY"].n_within == 12
    assert found["SNE"].line is None  # no spread
    assert found["ERB"].line is not None
    assert found["ERB"].line.slope.value == pytest.approx(1)
    assert found["ERB"].n_within == 12
    row = found["ERB"].to_dict()
    assert row["n_slides"] == 12
    assert row["slope"] == pytest.approx(1)
    assert found["PMY"].to_dict()["slope"] is None


def test_a_model_that_is_far_off_lies_outside_the_limits_of_the_reader() -> None:
    reader, model = counts_of(SNE=[90], LY=[10]), counts_of(SNE=[70], LY=[30])
    found = {row.name: row for row in compare_slides(reader, model, PBC)}
    assert found["SNE"].n_within == 0
    assert found["SNE"].differences is None  # one slide


def test_slides_without_leukocytes_are_left_out() -> None:
    reader = counts_of(SNE=[10, 0], ERB=[0, 5])
    assert len(compare_slides(reader, reader, PBC)[0].reader) == 1


def test_counts_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="counts of shape"):
        compare_slides(np.zeros((2, 3)), np.zeros((2, 3)), PBC)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_kappa_is_that_of_the_cells(is_weighted: bool) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 300)
    calls = np.where(rng.random(300) < 0.7, truth, rng.integers(0, 4, 300))
    slides = rng.integers(0, 5, 300)
    tables = np.zeros((5, 4, 4))
    np.add.at(tables, (slides, truth, calls), 1)
    found = kappa(tables, is_weighted, n_draws=50)
    weights = "linear" if is_weighted else None
    assert found.value == pytest.approx(cohen_kappa_score(truth, calls, weights=weights))
    assert found.low < found.value < found.high


def test_kappa_is_that_of_cohens_own_example() -> None:
    """200 patients, two raters, three diagnoses: 0.492 (Cohen 1960)."""
    table = np.array([[[88, 14, 18], [10, 40, 10], [2, 6, 12]]])
    assert kappa(table).value == pytest.approx(0.492, abs=5e-4)
    assert kappa(table.transpose(0, 2, 1)).value == kappa(table).value


def test_kappa_of_one_slide_has_no_interval_and_of_one_class_no_value() -> None:
    one = kappa(np.array([[[5, 1], [1, 5]]]))
    assert np.isnan([one.low, one.high]).all()
    assert one.value == pytest.approx(2 / 3)
    assert np.isnan(kappa(np.array([[[5, 0], [0, 0]]] * 3)).value)
    assert np.isnan(kappa(np.zeros((3, 0, 0))).value)


def test_neutrophils_are_ordered_from_young_to_old() -> None:
    assert [PBC.codes[c] for c in maturation_columns(PBC)] == ["PMY", "MY", "MMY", "BNE", "SNE"]
