"""Ways to choose which cells to label next, for `benchmarks.active`.

Those by name of a paper are scikit-activeml's; the others need only probabilities or distances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from skactiveml.base import SkactivemlClassifier
from skactiveml.pool import Badge, Falcun
from sklearn.linear_model import LogisticRegression

Array = np.ndarray


class Fitted(SkactivemlClassifier):
    """A fitted regression as scikit-activeml takes it; classes that it has not seen get 0.

    Args:
        model: Of scikit-learn.
        k: Classes in all.
    """

    def __init__(self, model: LogisticRegression, k: int) -> None:
        super().__init__(classes=list(range(k)), missing_label=-1)
        self.model, self.k = model, k

    def fit(self, X: Array, y: Array, sample_weight: Array | None = None) -> Fitted:  # noqa: N803
        """It is fitted."""
        return self

    def predict_proba(self, X: Array) -> Array:  # noqa: N803
        """Shape (n, k)."""
        probs = np.zeros((len(X), self.k))
        probs[:, self.model.classes_] = self.model.predict_proba(X)
        return probs


@dataclass(frozen=True)
class Pool:
    """What a choice may look at.

    Attributes:
        probs: Of the pool's cells at equal class frequencies, shape (n, k).
        features: Shape (n, d).
        labels: Shape (n,), class of each labelled cell of the pool, -1 of the others.
        first: Features of the cells that were labelled before, shape (m, d).
        first_labels: Their classes, shape (m,).
        to_first: Distance of each cell of the pool from the nearest of those, shape (n,).
        classifier: The head.
        rng: Generator.
    """

    probs: Array
    features: Array
    labels: Array
    first: Array
    first_labels: Array
    to_first: Array
    classifier: Fitted
    rng: np.random.Generator

    @property
    def known(self) -> Array:
        """Labelled cells of the pool, shape (n,), bool."""
        return self.labels >= 0

    @property
    def counts(self) -> Array:
        """Labelled cells of each class, shape (k,)."""
        labels = np.concatenate([self.first_labels, self.labels[self.known]])
        return np.bincount(labels, minlength=self.probs.shape[1])


Strategy = Callable[[Pool, int], Array]
"""Pool and number of cells -> rows of the pool."""


def entropy(probs: Array) -> Array:
    """Over its maximum, shape (n,)."""
    safe = np.where(probs > 0, probs, 1.0)
    return -(probs * np.log(safe)).sum(axis=1) / np.log(probs.shape[1])


def closeness(probs: Array) -> Array:
    """One less the margin between the two likeliest classes, shape (n,)."""
    ends = np.sort(probs, axis=1)
    return 1 - (ends[:, -1] - ends[:, -2])


def weighted_variance(probs: Array, counts: Array, power: float = 0.5) -> Array:
    """Variance of each class's indicator, a class weighing by the inverse power of its labels."""
    weights = np.maximum(counts, 1.0) ** -power
    return (probs * (1 - probs)) @ weights


def at_mix(probs: Array, steps: int = 100) -> Array:
    """Probabilities at the mix of the pool, by expectation maximisation (Saerens et al. 2002)."""
    mix = np.full(probs.shape[1], 1 / probs.shape[1])
    scaled = probs
    for _ in range(steps):
        scaled = probs * mix
        scaled /= scaled.sum(axis=1, keepdims=True)
        mix = scaled.mean(axis=0)
    return scaled


def highest(pool: Pool, scores: Array, n: int) -> Array:
    """The n unlabelled rows with the highest score."""
    return np.argsort(np.where(pool.known, np.inf, -scores), kind="stable")[:n]


def spread(pool: Pool, scores: Array, n: int, points: Array, distance: Array) -> Array:
    """Greedy: the largest score times distance from what is labelled or chosen.

    Args:
        pool: The cells.
        scores: Shape (n,), >= 0.
        n: Rows wanted.
        points: Shape (n, d): where the cells lie.
        distance: Shape (n,): from the nearest of the cells labelled before.
    """
    if pool.known.any():
        distance = np.minimum(distance, distances(points, points[pool.known]).min(axis=1))
    is_open, chosen = ~pool.known, []
    for _ in range(n):
        row = int(np.argmax(np.where(is_open, scores * distance, -1.0)))
        chosen.append(row)
        is_open[row] = False
        distance = np.minimum(distance, distances(points, points[row : row + 1])[:, 0])
    return np.array(chosen)


def distances(points: Array, others: Array) -> Array:
    """Euclidean, shape (n, m)."""
    squares = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * points @ others.T
    return np.sqrt(np.maximum(squares, 0))


def by_roots(pool: Pool, scores: Array, n: int) -> Array:
    """`spread` by Hellinger distance of probabilities from the pool's labelled cells."""
    return spread(pool, scores, n, np.sqrt(pool.probs / 2), np.ones(len(pool.probs)))


def by_features(pool: Pool, scores: Array, n: int) -> Array:
    """`spread` by distance of features, from all that was ever labelled."""
    return spread(pool, scores, n, pool.features, pool.to_first)


def by_class(pool: Pool, scores: Array, n: int) -> Array:
    """The predicted class with the fewest labels gives its highest cell; then the next."""
    called, counts = pool.probs.argmax(axis=1), pool.counts.astype(float)
    open_, chosen = ~pool.known, []
    for _ in range(n):
        left = np.isin(np.arange(len(counts)), called[open_])
        cls = int(np.argmin(np.where(left, counts, np.inf)))
        row = int(np.argmax(np.where(open_ & (called == cls), scores, -1.0)))
        chosen.append(row)
        open_[row] = False
        counts[cls] += 1
    return np.array(chosen)


def _query(make: Callable[[int], object]) -> Strategy:
    """A strategy of scikit-activeml, with the head as it stands."""

    def choose(pool: Pool, n: int) -> Array:
        strategy = make(int(pool.rng.integers(2**31)))
        x = np.concatenate([pool.first, pool.features])
        y = np.concatenate([pool.first_labels, pool.labels])
        options = {"clf": pool.classifier, "fit_clf": False, "batch_size": n}
        rows = strategy.query(x, y, **options)  # type: ignore[attr-defined]
        return np.asarray(rows) - len(pool.first)  # BADGE gives a list

    return choose


def rarity(pool: Pool) -> Array:
    """`weighted_variance` by the labels that there are."""
    return weighted_variance(pool.probs, pool.counts)


def rarity_in_pool(pool: Pool) -> Array:
    """`weighted_variance` by how many of the pool's cells are expected to be of each class."""
    return weighted_variance(pool.probs, pool.probs.sum(axis=0))


STRATEGIES: Mapping[str, Strategy] = {
    "random": lambda p, n: p.rng.choice(np.flatnonzero(~p.known), n, replace=False),
    "entropy": lambda p, n: highest(p, entropy(p.probs), n),
    "margin": lambda p, n: highest(p, closeness(p.probs), n),
    "margin at the pool's mix": lambda p, n: highest(p, closeness(at_mix(p.probs)), n),
    "margin, classes in turn": lambda p, n: by_class(p, closeness(p.probs), n),
    "rare class": lambda p, n: highest(p, p.probs @ (1 / np.maximum(p.counts, 1)), n),
    "variance by rarity": lambda p, n: highest(p, rarity(p), n),
    "k-centre": lambda p, n: by_features(p, np.ones(len(p.probs)), n),
    "entropy x distance of probabilities": lambda p, n: by_roots(p, entropy(p.probs), n),
    "variance by rarity x distance of probabilities": lambda p, n: by_roots(p, rarity(p), n),
    "variance by rarity in the pool x distance of probabilities": lambda p, n: by_roots(
        p, rarity_in_pool(p), n
    ),
    "variance by rarity in the pool x distance": lambda p, n: by_features(p, rarity_in_pool(p), n),
    "entropy x distance": lambda p, n: by_features(p, entropy(p.probs), n),
    "margin x distance": lambda p, n: by_features(p, closeness(p.probs), n),
    "variance by rarity x distance": lambda p, n: by_features(p, rarity(p), n),
    "BADGE": _query(lambda s: Badge(missing_label=-1, random_state=s)),
    "FALCUN": _query(lambda s: Falcun(missing_label=-1, random_state=s, gamma=10)),
}
"""BADGE and FALCUN are scikit-activeml's. k-centre chooses what its CoreSet chooses, with
distances from the cells labelled before computed once and not in each batch."""
