"""Groups of cells that are predictable from an attribute other than what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PERMUTATIONS = 500
"""A group counts as predictable only if it is more so than in all of these (p < 0.002)."""
GAIN_AT_LEAST = 0.2
"""Sensitivity less false alarms, over their mean when groups are shuffled. Ours: a rule that
catches one cell in five for nothing is worth learning for a network, a weaker one hardly."""
MIN_CELLS = 10
"""Of a group and of the rest: among fewer, chance alone often separates them."""
MAX_VALUES = 16
BINS = 8


@dataclass(frozen=True)
class PredictableGroup:
    """A group, and the rule that predicts it.

    Attributes:
        group: The group.
        sensitivity: Share of its cells that the rule catches.
        false_alarms: Share of all others that it catches.
        values: The attribute's values by which it goes, the commonest first.
        rows: Positions of the group's cells that it catches.
    """

    group: str
    sensitivity: float
    false_alarms: float
    values: tuple[str, ...]
    rows: np.ndarray

    @property
    def gain(self) -> float:
        """Sensitivity less false alarms: 0 is chance, 1 is a perfect rule."""
        return self.sensitivity - self.false_alarms


def find_predictable_groups(
    values: Sequence[str] | np.ndarray,
    groups: Sequence[str] | np.ndarray,
    strata: Sequence[str] | np.ndarray | None = None,
    seed: int = 0,
) -> list[PredictableGroup]:
    """Groups that are predictable from an attribute.

    The best rule for a group takes the values that are commoner in it than in the rest; its
    sensitivity less its false alarms is the total variation distance between the two. Groups are
    shuffled to see what chance gives.

    Args:
        values: Of the attribute, shape (n,).
        groups: Shape (n,).
        strata: Shape (n,): groups are shuffled within each, so that predicting the stratum
            alone does not count. None shuffles all.
        seed: Of the shuffles.

    Returns:
        The strongest first.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    words, value = np.unique(np.asarray(values), return_inverse=True)
    if len(words) < 2 or len(names) < 2:
        return []
    shape = (len(names), len(words))
    gains, rules = _gains(_table(group, value, shape))
    if gains.max() < GAIN_AT_LEAST:
        return []
    rng = np.random.default_rng(seed)
    stratum = np.zeros(len(group), np.int64)
    if strata is not None:
        stratum = np.unique(np.asarray(strata), return_inverse=True)[1]
    by_stratum = np.argsort(stratum, kind="stable")
    null = np.empty((PERMUTATIONS, len(names)))
    for draw in range(PERMUTATIONS):
        shuffled = np.empty_like(group)
        order = np.lexsort((rng.random(len(group)), stratum))
        shuffled[by_stratum] = group[order]
        null[draw] = _gains(_table(shuffled, value, shape))[0]
    sizes = np.bincount(group, minlength=len(names))
    found = []
    for index in np.argsort(-gains, kind="stable"):
        is_large = MIN_CELLS <= sizes[index] <= len(group) - MIN_CELLS
        excess = gains[index] - null[:, index].mean()
        if is_large and excess >= GAIN_AT_LEAST and gains[index] > null[:, index].max():
            found.append(_found(int(index), str(names[index]), group, value, words, rules))
    return found


def to_words(numbers: Sequence[float] | np.ndarray, unit: str = "") -> list[str]:
    """Numbers as an attribute: each by itself if there are few, else in bins of equal size."""
    array = np.asarray(numbers, dtype=np.float64)
    if len(np.unique(array)) <= MAX_VALUES:
        return [f"{number:g}{unit}" for number in array]
    edges = np.unique(np.quantile(array, np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.searchsorted(edges, array, side="right") - 1, 0, len(edges) - 2)
    return [f"{edges[i]:.4g} to {edges[i + 1]:.4g}{unit}" for i in place]


def _table(group: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    flat = np.bincount(group * shape[1] + value, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64)


def _gains(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each group the gain of its best rule, shape (k,), and the rule, shape (k, v), bool."""
    sizes = counts.sum(axis=1, keepdims=True)
    rest = counts.sum(axis=0) - counts
    shares = counts / np.maximum(sizes, 1)
    others = rest / np.maximum(rest.sum(axis=1, keepdims=True), 1)
    rules = shares > others
    return np.where(rules, shares - others, 0).sum(axis=1), rules


def _found(
    index: int,
    name: str,
    group: np.ndarray,
    value: np.ndarray,
    words: np.ndarray,
    rules: np.ndarray,
) -> PredictableGroup:
    is_caught, is_in = rules[index][value], group == index
    counts = np.bincount(value[is_in], minlength=len(words)) * rules[index]
    commonest = [str(words[v]) for v in np.argsort(-counts, kind="stable") if counts[v]]
    return PredictableGroup(
        name,
        float(is_caught[is_in].mean()),
        float(is_caught[~is_in].mean()),
        tuple(commonest),
        np.flatnonzero(is_caught & is_in),
    )
