"""WBCBench's order of merit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics
from buffycoat.evaluate.ranking import Ranking, decided_by, ranking

BASE = Ranking(0.8, 0.7, 0.6, 0.9, 10.0)
FIELDS = ("macro_f1", "balanced_accuracy", "macro_precision", "macro_specificity")


def with_fields(**changes: float | None) -> Ranking:
    return Ranking(**{**vars(BASE), **changes})


@pytest.mark.parametrize("place", range(4))
def test_an_earlier_score_outweighs_all_later_ones(place: int) -> None:
    better = {FIELDS[place]: 0.95} | {name: 0.0 for name in FIELDS[place + 1 :]}
    one = with_fields(**better, inference_s=1e6)
    assert one > BASE
    assert decided_by(one, BASE) == decided_by(BASE, one) == FIELDS[place]


def test_of_equals_the_faster_is_better_and_an_unknown_time_loses() -> None:
    assert with_fields(inference_s=9.0) > BASE > with_fields(inference_s=None)
    assert with_fields(inference_s=None) == with_fields(inference_s=None)
    assert with_fields() == BASE
    assert decided_by(with_fields(), BASE) is None
    assert decided_by(with_fields(inference_s=9.0), BASE) == "inference_s"
    assert hash(BASE) == hash(with_fields())
    assert with_fields() <= BASE


def test_scores_that_differ_by_rounding_are_a_tie() -> None:
    exact, summed = 0.3, 0.1 + 0.2
    assert exact != summed
    assert with_fields(macro_f1=exact, inference_s=1.0) > with_fields(macro_f1=summed)


def test_it_holds_the_scores_of_the_confusion() -> None:
    c = np.random.default_rng(0).integers(0, 9, (4, 4))
    found = ranking(c, inference_s=2.0)
    assert found.macro_f1 == float(metrics.macro_f1(c))
    assert found.balanced_accuracy == float(metrics.balanced_accuracy(c))
    assert found.macro_precision == float(metrics.macro_precision(c))
    assert found.macro_specificity == float(metrics.macro_specificity(c))
    assert found.inference_s == 2.0


SCORES = st.sampled_from([0.0, 0.5, 1.0])
TIMES = st.sampled_from([None, 0.0, 2.0])
RANKINGS = st.builds(Ranking, SCORES, SCORES, SCORES, SCORES, TIMES)


@given(RANKINGS, RANKINGS, RANKINGS)
def test_it_is_a_total_order(a: Ranking, b: Ranking, c: Ranking) -> None:
    assert (a < b) + (a == b) + (a > b) == 1
    if a <= b and b <= c:
        assert a <= c


@pytest.mark.parametrize(
    "field", [{"macro_f1": 1.1}, {"macro_f1": float("nan")}, {"inference_s": -1.0}]
)
def test_what_is_no_score_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ShapeError):
        with_fields(**field)
    with pytest.raises(TypeError):
        assert BASE < 0.5  # type: ignore[operator]


def test_methods_on_one_class_alone_tie_in_specificity() -> None:
    c = np.zeros((3, 3), dtype=int)
    c[1] = [1, 5, 0]
    assert np.isnan(metrics.macro_specificity(c, over="truth"))
    found = ranking(c, over="truth")
    assert found == ranking(c, over="truth")
    assert decided_by(found, ranking(np.diag([0, 6, 0]), over="truth")) == "macro_f1"
