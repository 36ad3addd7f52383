"""How unlike the training cells a batch looks: a distance in standard deviations, and an alarm.

For each group of numbers (colour, sharpness, scale, network) the mean difference between the cells
of a batch and the training cells of the same predicted class is taken, as a Mahalanobis distance.
Comparing within classes keeps another mix of classes from looking like another laboratory. The
limit of each group is what batches of training cells reach: of any mix of classes, degraded in any
share, and degraded alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from buffycoat.errors import NotEstimableError, ShapeError
from buffycoat.plurals import counted
from buffycoat.statistics import apart

BATCH = 64
"""Cells in the batches that the limits are fixed on."""
N_BATCHES = 2000
FALSE_ALARMS = 0.005
"""Share of those that may exceed a limit, all groups together: half of the 1 in 100 promised; of
mixed batches and of batches of one condition, each."""
SINGLE = 0.3
"""Of the Dirichlet mix of conditions: under 1, most batches are mainly of one."""
LEAST = 16
"""Cells under which nothing is said of a batch."""
LEAST_OF_CLASS = 10
"""Training cells under which a class is compared with the mean of all."""
RIDGE = 0.02
"""Share of the mean variance added to each variance: two numbers may hardly vary apart."""


@dataclass(frozen=True)
class Group:
    """One group of numbers as training cells have it.

    Attributes:
        means: Of each class, shape (k, d).
        precision: Inverse covariance within the classes, shape (d, d).
        limit: Distance that batches of training cells reach, in standard deviations.
    """

    means: np.ndarray
    precision: np.ndarray
    limit: float

    def distance(self, values: np.ndarray, classes: np.ndarray) -> float:
        """Of the mean difference, in standard deviations of single cells; NaN without a cell.

        Args:
            values: Shape (n, d); rows with NaN do not count.
            classes: Predicted class of each cell, shape (n,).
        """
        rows = np.isfinite(values).all(axis=1)
        if not rows.any():
            return float("nan")
        mean = (values[rows] - self.means[classes[rows]]).mean(axis=0)
        return float(np.sqrt(max(mean @ self.precision @ mean, 0.0)))


@dataclass(frozen=True)
class Shift:
    """What a batch is said to differ in.

    Attributes:
        distances: Group -> distance, in standard deviations.
        limits: Group -> distance from which it is an alarm, for this number of cells.
    """

    distances: Mapping[str, float]
    limits: Mapping[str, float]

    @property
    def score(self) -> float:
        """The largest distance over its limit: an alarm above 1; 0 where nothing was measured."""
        return max((self.distances[name] / self.limits[name] for name in self.distances), default=0)

    @property
    def is_alarm(self) -> bool:
        """Whether the batch is unlike the training cells."""
        return self.score > 1

    def words(self) -> str:
        """The groups over their limits, the farthest first; "" where there is none."""
        over = {n: d / self.limits[n] for n, d in self.distances.items() if d > self.limits[n]}
        farthest = sorted(over, key=lambda name: -over[name])
        shown = {n: apart(self.distances[n], self.limits[n], 1) for n in farthest}
        return ", ".join(f"{n} differs by {d} SD (limit {most})" for n, (d, most) in shown.items())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them; every float is kept exactly."""
        return {"distances": dict(self.distances), "limits": dict(self.limits)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The shift that `to_dict` wrote."""
        return cls(dict(values["distances"]), dict(values["limits"]))


@dataclass(frozen=True)
class ShiftReference:
    """The training cells, as batches are compared with them.

    Attributes:
        groups: Name -> numbers.
    """

    groups: Mapping[str, Group]

    @classmethod
    def fit(
        cls,
        values: Mapping[str, np.ndarray],
        classes: np.ndarray,
        k: int,
        condition: np.ndarray,
        seed: int = 0,
    ) -> Self:
        """Learn from training cells.

        Args:
            values: Group -> numbers of each cell, shape (n, d).
            classes: Shape (n,).
            k: Number of classes.
            condition: Number of what each cell went through, shape (n,), such as how degraded it
                is and by what process. The limits hold for batches of any mix of these and for
                batches of one alone, so that a bad day of the microscope is no other laboratory.
            seed: Of the batches.

        Raises:
            NotEstimableError: Fewer than `LEAST` cells.
            ShapeError: Numbers of cells differ.
        """
        n = len(classes)
        if n < LEAST:
            raise NotEstimableError(
                f"{counted(n, 'training cell')}: a shift needs at least {LEAST}"
            )
        if any(len(table) != n for table in values.values()) or len(condition) != n:
            raise ShapeError(f"expected {n} rows in every group and in condition")
        rng = np.random.default_rng(seed)
        mixed = [draw(classes, condition, rng) for _ in range(N_BATCHES)]
        alike = [draw_alike(condition, rng) for _ in range(N_BATCHES)]
        open_groups = {name: _open(table, classes, k) for name, table in values.items()}
        share = 1 - FALSE_ALARMS / max(len(values), 1)
        return cls(
            {
                name: Group(
                    group.means,
                    group.precision,
                    max(_limit(group, values[name], classes, b, share) for b in (mixed, alike)),
                )
                for name, group in open_groups.items()
            }
        )

    def score(self, values: Mapping[str, np.ndarray], classes: np.ndarray) -> Shift:
        """Compare a batch with the training cells.

        Args:
            values: Group -> numbers of each cell; groups may be missing.
            classes: Predicted class of each cell, shape (n,).

        Raises:
            NotEstimableError: Fewer than `LEAST` cells.
        """
        if len(classes) < LEAST:
            raise NotEstimableError(
                f"{counted(len(classes), 'cell')}: at least {LEAST} are needed to tell a site by"
            )
        # The mean of fewer cells strays farther.
        wider = max(np.sqrt(BATCH / len(classes)), 1.0)
        known = [name for name in self.groups if name in values]
        distances = {name: self.groups[name].distance(values[name], classes) for name in known}
        seen = {name: value for name, value in distances.items() if np.isfinite(value)}
        return Shift(seen, {name: self.groups[name].limit * wider for name in seen})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {
            name: {
                "means": np.round(group.means, 5).tolist(),
                "precision": np.round(group.precision, 5).tolist(),
                "limit": group.limit,
            }
            for name, group in self.groups.items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reference that `to_dict` wrote."""
        return cls(
            {
                name: Group(np.array(v["means"]), np.array(v["precision"]), float(v["limit"]))
                for name, v in values.items()
            }
        )


def draw_alike(condition: np.ndarray, rng: np.random.Generator, n: int = BATCH) -> np.ndarray:
    """Rows of a batch that all went through one thing: of a condition that `LEAST` cells have.

    Args:
        condition: Shape (m,).
        rng: Of the draw.
        n: Cells; drawn with replacement.
    """
    kinds, counts = np.unique(condition, return_counts=True)
    usual = kinds[counts >= min(LEAST, counts.max())]
    return rng.choice(np.flatnonzero(condition == rng.choice(usual)), n)


def draw(
    classes: np.ndarray, condition: np.ndarray, rng: np.random.Generator, n: int = BATCH
) -> np.ndarray:
    """Rows of a batch: any mix of the classes, and of the conditions.

    Args:
        classes: Shape (m,).
        condition: Shape (m,).
        rng: Of the draw.
        n: Cells; drawn with replacement.
    """
    weights = np.ones(len(classes))
    for values, concentration in ((classes, 1.0), (condition, SINGLE)):
        kinds, kind = np.unique(values, return_inverse=True)
        mix = rng.dirichlet(np.full(len(kinds), concentration))
        weights *= (mix / np.bincount(kind))[kind]
    total = weights.sum()
    # Shares so small that they underflow leave no cell; the draw is then of all alike.
    chances = weights / total if total > 0 else None
    return rng.choice(len(classes), n, p=chances)


def _open(table: np.ndarray, classes: np.ndarray, k: int) -> Group:
    """Means and precision, the limit still to be found."""
    rows = np.isfinite(table).all(axis=1)
    table, classes = table[rows], classes[rows]
    if len(table) < LEAST:
        raise NotEstimableError(
            f"{counted(len(table), 'measured cell')}: a shift needs at least {LEAST}"
        )
    means = np.tile(table.mean(axis=0), (k, 1))
    for column in range(k):
        own = table[classes == column]
        if len(own) >= LEAST_OF_CLASS:
            means[column] = own.mean(axis=0)
    residual = table - means[classes]
    covariance = residual.T @ residual / len(residual)
    spread = np.diag(covariance)
    covariance += np.diag(RIDGE * np.maximum(spread, 1e-9 + 1e-3 * spread.mean()))
    return Group(means, np.linalg.inv(covariance), np.inf)


def _limit(
    group: Group,
    table: np.ndarray,
    classes: np.ndarray,
    batches: Sequence[np.ndarray],
    share: float,
) -> float:
    found = np.array([group.distance(table[rows], classes[rows]) for rows in batches])
    return float(np.quantile(found[np.isfinite(found)], share))
