"""Fit which class becomes the label for macro-F1, on out-of-fold scores.

Macro-F1 on a natural stream hangs on few cells: one neutrophil called a promyelocyte halves that
class's precision. So little is fitted: one power of the class mix, which stays at what won on other
patients unless the cells contradict it by more than a standard error, and offsets of single classes
only where they win on cells that they were not fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.interval import Interval
from buffycoat.evaluate.metrics import (
    class_weighted_macro_f1,
    confusion,
    prior_weighted_macro_f1,
)
from buffycoat.evaluate.paired import paired_resample
from buffycoat.fuse.label_rule import PLAIN_POWER, PowerFit
from buffycoat.fuse.prior import shares
from buffycoat.fuse.stack import MIN_ROWS
from buffycoat.sources.wbcbench import LAYOUT
from buffycoat.statement import UNLABELLED, Statement

POWERS = np.linspace(0.0, 1.0, 21).round(2)
"""Of the class mix, that are tried."""
STEPS = (-1.0, -0.5, 0.5, 1.0)
"""Offsets of a class that are tried: factors of 1.6 and 2.7 on its probability."""
PENALTY = 0.003
"""Macro-F1 that an offset of 1 must gain."""
LEAST_CELLS = 20
"""Of a class, to have an offset."""
HALF_TRUSTED = 100
"""Cells of a class of which half of its offset is kept."""
NORMAL_95 = 1.96
EQUAL_UP_TO = 2.0
"""Largest over smallest class of an evaluation split that is taken to hold them equally."""


@dataclass(frozen=True)
class OutOfFoldScores:
    """n rows, each scored by a model that saw neither the cell nor its patient.

    Attributes:
        probs: Under a uniform prior, shape (n, k).
        targets: Shape (n,), column index.
        folds: Shape (n,).
        groups: Shape (n,): what is resampled whole.
        counts: Training cells of each class, shape (k,): the class mix.
    """

    probs: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    groups: np.ndarray
    counts: np.ndarray

    def take(self, rows: np.ndarray) -> OutOfFoldScores:
        """The same of some rows."""
        return OutOfFoldScores(
            self.probs[rows],
            self.targets[rows],
            self.folds[rows],
            self.groups[rows],
            self.counts,
        )

    def labels(self, power: float, offsets: np.ndarray | float = 0.0) -> np.ndarray:
        """The class that each cell is given, shape (n,)."""
        logs = np.log(np.maximum(self.probs, 1e-300))
        return (logs + power * np.log(shares(self.counts)) + offsets).argmax(axis=1)

    def macro_f1(self, tables: np.ndarray) -> np.ndarray:
        """Macro-F1 of confusions (..., k, k) at the class mix, shape (...)."""
        return prior_weighted_macro_f1(tables, self.counts)

    def score(self, labels: np.ndarray) -> float:
        """Macro-F1 of labels at the class mix."""
        return float(self.macro_f1(confusion(self.targets, labels, len(self.counts))))

    def gains(self, before: np.ndarray, after: np.ndarray) -> tuple[Interval, Interval]:
        """Paired gain in macro-F1 at the class mix, and in balanced macro-F1."""
        drawn = paired_resample(self.targets, before, after, len(self.counts), self.groups)
        return drawn.interval(self.macro_f1), drawn.interval(class_weighted_macro_f1)


def fit_power(cells: OutOfFoldScores) -> float:
    """The power nearest to `PLAIN_POWER` of those within a standard error of the best.

    One standard error, as in Breiman et al. 1984, ch. 3.4, of the best power's own score.

    Args:
        cells: To fit it on.
    """
    tried = [cells.labels(power) for power in POWERS]
    scores = np.array([cells.score(labels) for labels in tried])
    best = int(scores.argmax())
    drawn = resample(cells.targets, tried[best], len(cells.counts), cells.groups)
    spread = drawn.interval(cells.macro_f1)
    if spread.low is None or spread.high is None:
        return PLAIN_POWER
    error = (spread.high - spread.low) / (2 * NORMAL_95)
    near = POWERS[scores >= scores[best] - error]
    return float(near[np.abs(near - PLAIN_POWER).argmin()])


def fit_offsets(cells: OutOfFoldScores, power: float) -> np.ndarray:
    """An offset for each class, one after the other, twice round; shape (k,).

    Args:
        cells: To fit them on.
        power: Of the class mix, to which they are added.
    """
    k = len(cells.counts)
    n_cells = np.array([len(np.unique(cells.groups[cells.targets == c])) for c in range(k)])
    offsets = np.zeros(k)
    best = cells.score(cells.labels(power))
    for column in [*np.flatnonzero(n_cells >= LEAST_CELLS)] * 2:
        for step in STEPS:
            tried = offsets.copy()
            tried[column] = step
            value = cells.score(cells.labels(power, tried)) - PENALTY * float((tried**2).sum())
            if value > best:
                best, offsets = value, tried
    return offsets * n_cells / (n_cells + HALF_TRUSTED)


@dataclass(frozen=True)
class LabelFit:
    """A fit, and what it would have said of cells that it was not fitted on.

    Attributes:
        power_fit: The fit on all rows.
        labels: Cross-fitted labels of all rows, shape (n,).
    """

    power_fit: PowerFit
    labels: np.ndarray


def fit(
    cells: OutOfFoldScores, plain: np.ndarray, is_wanted: bool, is_forced: bool = False
) -> LabelFit:
    """Fit power and offsets, and try them on the folds that they were not fitted on.

    If they lose there, beyond doubt, nothing of the mix is given back (power 0).

    Args:
        cells: Out of fold.
        plain: The most probable class of each, at the prior of the settings, shape (n,).
        is_wanted: Whether labels follow the fit where it gains out of fold.
        is_forced: Whether they do in any case.
    """
    if len(np.unique(cells.folds)) < 2 or len(plain) < MIN_ROWS:
        reason = f"not estimable on {len(plain)} rows: {PLAIN_POWER:g}, as won on other data"
        unfitted = PowerFit(PLAIN_POWER, (0.0,) * len(cells.counts), is_forced, {}, reason)
        return LabelFit(unfitted, cells.labels(PLAIN_POWER) if is_forced else plain)
    powered, offset = _cross_fitted(cells)
    more, _ = cells.gains(powered, offset)
    has_offsets = more.estimate > 0 and more.is_from(0.0)
    labels = offset if has_offsets else powered
    gain, balanced = cells.gains(plain, labels)
    power = fit_power(cells)
    offsets = fit_offsets(cells, power) if has_offsets else np.zeros(len(cells.counts))
    if gain.high is not None and gain.high < 0:  # these cells rule it out
        power, offsets, labels = 0.0, np.zeros_like(offsets), cells.labels(0.0)
    is_default = is_forced or (is_wanted and gain.estimate > 0)
    trial = {"rows": len(plain), "most_probable": cells.score(plain)}
    for name, found in (("", gain), ("balanced_", balanced), ("offsets_", more)):
        ends = {"gain": found.estimate, "low": found.low, "high": found.high}
        trial |= {f"{name}{end}": value for end, value in ends.items()}
    reason = _reason(gain, balanced, is_wanted or is_forced)
    return LabelFit(PowerFit(power, tuple(offsets.tolist()), is_default, trial, reason), labels)


def _cross_fitted(cells: OutOfFoldScores) -> tuple[np.ndarray, np.ndarray]:
    """Labels of each fold by what the others fit: by the power alone, and with offsets."""
    powered, offset = (np.empty_like(cells.targets) for _ in range(2))
    for fold in np.unique(cells.folds):
        inside = cells.folds == fold
        others, own = cells.take(~inside), cells.take(inside)
        power = fit_power(others)
        powered[inside] = own.labels(power)
        offset[inside] = own.labels(power, fit_offsets(others, power))
    return powered, offset


def is_scored_by(statement: Statement) -> bool:
    """Whether data are scored by macro-F1 on a natural stream: WBCBench's layout says so.

    Not where the evaluation split holds all classes equally, as PBC-LT's does: at that mix there is
    no prior to give back.

    Args:
        statement: Of the whole data set.
    """
    counts = [n for label, n in statement.cells.get("eval", {}).items() if label != UNLABELLED]
    is_equal = bool(counts) and max(counts) <= EQUAL_UP_TO * min(counts)
    return statement.layout == LAYOUT and not is_equal


def _reason(gain: Interval, balanced: Interval, is_wanted: bool) -> str:
    figures = (
        f"out of fold, cross-fitted, macro-F1 at the training class mix {gain.in_words('+.3f')}, "
        f"balanced macro-F1 {balanced.in_words('+.3f')}"
    )
    if not is_wanted:
        return f"not asked for; {figures}"
    return figures if gain.estimate > 0 else f"it loses; {figures}"
