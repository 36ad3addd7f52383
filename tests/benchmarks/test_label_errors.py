"""Labels are flipped as the benchmark says, and its measure counts what it should."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.taxonomy import PBC

pytest.importorskip("cleanlab", reason="needs the extra 'labels'")
from benchmarks.label_errors import flip, scored

TRUTH = np.repeat(np.arange(len(PBC)), 40)


@pytest.mark.parametrize("how", ["uniform", "frequency", "neighbour"])
def test_the_stated_share_is_flipped(how: str) -> None:
    given = flip(TRUTH, PBC, how, 0.05, 3)
    wrong = given != TRUTH
    assert wrong.sum() == round(0.05 * len(TRUTH))
    assert (given == flip(TRUTH, PBC, how, 0.05, 3)).all()
    if how == "neighbour":
        assert PBC.neighbours()[TRUTH[wrong], given[wrong]].all()


def test_precision_and_recall_of_the_first_cells() -> None:
    given = TRUTH.copy()
    given[:4] = 5
    scores = np.arange(len(given), dtype=float)
    scores[3] = 1e9
    found = scored(scores, given, TRUTH, 4)
    assert (found["precision"], found["recall"]) == (0.75, 0.75)
