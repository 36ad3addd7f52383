"""What intervals are drawn from: images within each class, or whole patients.

No cell is visited twice. Random weights of equal cells, or of patients, times their confusions give
all drawn confusions in one product.

Images are drawn by the Bayesian bootstrap (Rubin 1981, doi 10.1214/aos/1176345338): a row of the
confusion becomes a Dirichlet draw. By itself that never draws an error that was not seen, so a
class that is all right would stay all right. The ends are therefore drawn apart, as Clopper and
Pearson's limits are: the lower one with a fraction of a cell more in each class that is called
wrong, the upper one with as much that is called right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError
from buffycoat.evaluate.metrics import check_indices
from buffycoat.plurals import counted

Array = np.ndarray[Any, Any]
Seed = int | np.random.Generator


@dataclass(frozen=True)
class Draws:
    """Confusions drawn for the two ends of an interval, shape (n_draws, k, k) each.

    Attributes:
        lower: For the lower end.
        upper: For the upper end.
    """

    lower: Array
    upper: Array


def pair_up(targets: Array, predictions: tuple[Array, ...], k: int) -> tuple[Array, Array]:
    """Truth and calls as fields of a confusion.

    Args:
        targets: Shape (n,), true column index.
        predictions: Each of shape (n,), predicted column index.
        k: Number of classes.

    Returns:
        Truth, shape (n,), and truth * k + call of each prediction, shape (n, predictions).

    Raises:
        ShapeError: Arrays of different lengths, no cells, or an index outside 0 to k - 1.
    """
    truth = check_indices(targets, k, "targets")
    calls = [check_indices(p, k, "predicted", truth) for p in predictions]
    if len(truth) == 0:
        raise ShapeError("targets: expected at least one cell, got none")
    return truth, np.stack([truth * k + call for call in calls], axis=1)


def draw_images(fields: Array, k: int, n_draws: int, rng: np.random.Generator) -> list[Array]:
    """Gamma weights of the cells, summed by field; rows made to sum to 1 are Dirichlet draws.

    Args:
        fields: Shape (n, predictions), from `pair_up`.
        k: Number of classes.
        n_draws: Number of draws.
        rng: Generator.

    Returns:
        For each prediction, shape (n_draws, k, k), from the same weights.
    """
    patterns, counts = np.unique(fields, axis=0, return_counts=True)
    weights = rng.standard_gamma(counts, (n_draws, len(counts)))
    one_hot = np.eye(k * k)
    return [(weights @ one_hot[column]).reshape(-1, k, k) for column in patterns.T]


def with_unseen(drawn: Array, support: Array, share: Array) -> Draws:
    """The draws with a little more of each class, wrong for the lower end, right for the upper.

    Args:
        drawn: Shape (n_draws, k, k), from `draw_images`.
        support: Shape (k,), cells of each class; those without any stay empty.
        share: Shape (n_draws, k), drawn weight of what is added; wrong calls are spread evenly
            over the other classes that have cells, or over all others if none has.

    Returns:
        Draws whose rows sum to `support`.
    """
    right = np.eye(len(support))
    wrong = (1 - right) * ((support > 0) if (support > 0).sum() > 1 else 1)
    wrong = wrong / np.maximum(wrong.sum(axis=1, keepdims=True), 1)
    more = share[:, :, None]
    return Draws(*(_scaled(drawn + more * added, support) for added in (wrong, right)))


def draw_patients(
    fields: Array, number: Array, n_patients: int, k: int, n_draws: int, rng: np.random.Generator
) -> list[Array]:
    """Confusions of patients drawn with replacement, whole.

    Args:
        fields: Shape (n, predictions), from `pair_up`.
        number: Shape (n,), patient of each cell, from `group_numbers`.
        n_patients: How many there are.
        k: Number of classes.
        n_draws: Number of draws.
        rng: Generator.

    Returns:
        For each prediction, shape (n_draws, k, k), from the same patients.
    """
    weights = draw_counts(n_patients, n_draws, rng)
    found = []
    for column in fields.T:
        flat = np.bincount(number * k * k + column, minlength=n_patients * k * k)
        found.append((weights @ flat.reshape(n_patients, -1).astype(float)).reshape(-1, k, k))
    return found


def draw_counts(n_groups: int, n_draws: int, rng: np.random.Generator) -> Array:
    """How often each group is drawn, shape (n_draws, n_groups)."""
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_draws).astype(float)


def group_numbers(groups: Array, n: int) -> tuple[int, Array]:
    """Patients as numbers.

    Args:
        groups: Shape (n,), patient of each cell.
        n: Cells.

    Returns:
        How many patients there are, and the number of each cell's, shape (n,).

    Raises:
        ShapeError: Of another length, or a cell has no patient.
    """
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ShapeError(f"groups: expected shape ({n},), got {groups.shape}")
    unknown = int(pd.isna(groups).sum())
    if unknown:
        raise ShapeError(
            f"groups: no patient or slide for {counted(unknown, 'cell')}; leave them out"
        )
    names, number = np.unique(groups.astype(str), return_inverse=True)
    return len(names), number


def classes_in(*indices: Array) -> int:
    """One more than the largest index."""
    return 1 + max((int(np.max(values)) for values in indices if len(values)), default=0)


def _scaled(drawn: Array, support: Array) -> Array:
    total = drawn.sum(axis=-1, keepdims=True)
    return np.divide(drawn, total, out=np.zeros_like(drawn), where=total > 0) * support[:, None]
