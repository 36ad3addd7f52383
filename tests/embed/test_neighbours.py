"""Votes of neighbours and class means: against plain references, and for classes of few cells."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.embed.neighbours import SHARPNESSES, NeighbourVote, nearest
from buffycoat.embed.prototypes import Prototypes
from buffycoat.errors import NotEstimableError


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def cells() -> tuple[np.ndarray, np.ndarray]:
    """Three classes of 60, 12 and 3 cells around directions of their own, and a class of none."""
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [60, 12, 3])
    centres = np.eye(8)[:3]
    return _unit(centres[targets] + 0.25 * rng.standard_normal((75, 8))), targets


def test_the_nearest_are_those_of_highest_cosine(cells) -> None:
    stored, _ = cells
    rows, similarity = nearest(stored[:4], stored, 5, exclude_same_row=False)
    assert rows[:, 0].tolist() == [0, 1, 2, 3]
    plain = np.sort(stored[:4] @ stored.T, axis=1)[:, ::-1][:, :5]
    assert similarity == pytest.approx(plain, abs=1e-6)
    assert nearest(stored[:1], stored[:2], 9)[0].shape == (1, 2)


def test_a_vote_is_the_log_of_a_mean_of_kernels(cells) -> None:
    stored, targets = cells
    vote = NeighbourVote.fit(stored, targets, 4)
    query = stored[[5, 70]]
    for row, logits in zip(query, vote.logits(query), strict=True):
        for column in range(3):
            kernels = [
                np.exp(vote.sharpness * float(row @ other)) for other in stored[targets == column]
            ]
            assert logits[column] == pytest.approx(np.log(np.mean(kernels)), abs=1e-3)
        assert logits[3] == logits[:3].min()  # a class without cells never wins
    assert vote.sharpness in SHARPNESSES


@pytest.mark.parametrize("opinion", [NeighbourVote, Prototypes])
def test_a_class_of_three_is_not_outvoted(cells, opinion) -> None:
    stored, targets = cells
    rng = np.random.default_rng(1)
    fresh = _unit(np.eye(8)[[2] * 40] + 0.25 * rng.standard_normal((40, 8)))
    logits = opinion.fit(stored, targets, 4).logits(fresh)
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1) == 2).mean() > 0.9


@pytest.mark.parametrize(
    ("targets", "groups"), [([0, 1, 2], None), ([0, 0, 1, 1], [5, 5, 6, 6]), ([0], None)]
)
def test_cells_that_nobody_can_vote_for_are_not_estimable(targets, groups) -> None:
    stored = _unit(np.random.default_rng(2).standard_normal((len(targets), 6)))
    with pytest.raises(NotEstimableError, match="has none"):
        NeighbourVote.fit(
            stored, np.array(targets), 3, None if groups is None else np.array(groups)
        )


def test_a_twin_does_not_vote_while_the_sharpness_is_picked() -> None:
    rng = np.random.default_rng(2)
    stored = _unit(rng.standard_normal((40, 6)))
    twice, targets = np.concatenate([stored, stored]), np.tile(rng.integers(0, 2, 40), 2)
    # Labels are noise: only one's own twin knows one's class, and the sharpest kernels find it.
    assert NeighbourVote.fit(twice, targets, 2).sharpness == SHARPNESSES[-1]
    apart = NeighbourVote.fit(twice, targets, 2, np.tile(np.arange(40), 2))
    assert apart.sharpness < SHARPNESSES[-1]


def test_a_cell_alone_in_its_class_can_be_kept() -> None:
    stored = _unit(np.random.default_rng(3).standard_normal((5, 4)))
    vote = NeighbourVote.fit(stored, np.array([0, 0, 0, 0, 1]), 2)
    assert vote.logits(stored[4:])[0].argmax() == 1
