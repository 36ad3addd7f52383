"""Which cells to label next."""

from __future__ import annotations

import numpy as np

from buffycoat.serve.suggestions import choose_next


def test_unsure_cells_come_first_and_unlike_ones_next() -> None:
    probs = np.array([[0.98, 0.01, 0.01], [0.5, 0.5, 0], [0.5, 0.49, 0.01], [0, 0.5, 0.5]])
    known = np.zeros(4, dtype=bool)
    assert choose_next(probs, known, 2) in ([2, 3], [1, 3])
    known[3] = True
    assert choose_next(probs, known, 1) in ([1], [2])
    assert sorted(choose_next(probs, known, 9)) == [0, 1, 2]


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose_next(np.zeros((0, 3)), np.zeros(0, dtype=bool), 5) == []
    everything = np.ones(2, dtype=bool)
    assert choose_next(np.full((2, 2), 0.5), everything, 5) == []
