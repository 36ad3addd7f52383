"""Fit when a cell has been looked at often enough, on cells that the models have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import logsumexp

from buffycoat.classify.cascade import Cascade, Step, order_of
from buffycoat.evaluate.metrics import class_weighted_macro_f1
from buffycoat.evaluate.paired import paired_interval
from buffycoat.fuse.calibrate import balanced_weights, fit_factor
from buffycoat.learn.fit_scores import OutOfFold
from buffycoat.plurals import counted
from buffycoat.predict.stages import Classified, classify_early, of_views, together

CHANGED_SHARE = 0.003
"""Share of the cells done at a step, classes weighing the same, that later views would have given
another label: what `fit` allows itself, so that over all steps 99 labels of 100 stay."""
EQUAL_SHARE = 0.99
"""Share of labels that must stay on cells that the limits were not fitted on."""
LOWEST_GAIN = -0.005
"""Least change in balanced macro-F1, at the lower end of its interval, with which it stays on."""
FEWEST_CELLS = 200
"""Under which a share of 0.3 % says nothing."""
VIEWS = (1, 2, 4)
"""Views of each model at the steps."""


@dataclass(frozen=True)
class Seen:
    """Logits of every view of cells that no model here has learned from.

    Attributes:
        logits: Of each model, shape (n, v, k), views in the order in which they are looked at.
        temperatures: Of each model.
        targets: Shape (n,).
        average: A key of `stages.MEANS`.
        parts: Shape (n,): limits of one part are fitted on the others. Rows of one cell share one.
        groups: Patient of each row; None where unknown.
    """

    logits: Sequence[np.ndarray]
    temperatures: Sequence[float]
    targets: np.ndarray
    average: str
    parts: np.ndarray
    groups: np.ndarray | None = None

    def at(self, models: int, views: int, factor: float = 1.0) -> Classified:
        """What some models say after some views each."""
        pairs = list(zip(self.logits, self.temperatures, strict=True))[: models or None]
        said = [of_views([logits[:, :views]], t * factor) for logits, t in pairs]
        return together(said, self.average)

    def take(self, rows: np.ndarray) -> Seen:
        """The same for some rows."""
        groups = None if self.groups is None else self.groups[rows]
        logits = [part[rows] for part in self.logits]
        return Seen(
            logits, self.temperatures, self.targets[rows], self.average, self.parts[rows], groups
        )


def fit(seen: Seen) -> tuple[Cascade | None, str]:
    """Fit limits, and keep them only if they win on cells that they were not fitted on.

    Returns:
        The cascade, None if it does not win, and in words why or why not.
    """
    n, n_views = seen.logits[0].shape[:2]
    if n < FEWEST_CELLS or n_views < 2:
        has = f"{counted(n, 'cell')} in {counted(n_views, 'view')}"
        return None, f"{has}: too few (needs {FEWEST_CELLS} in 2)"
    found, views = np.empty(n, dtype=np.int64), np.empty(n)
    for part in np.unique(seen.parts):
        is_inside = seen.parts == part
        said = _apply(_fit_steps(seen.take(np.flatnonzero(~is_inside))), seen, is_inside)
        found[is_inside], views[is_inside] = said.log_probs.argmax(axis=1), said.views
    full = seen.at(0, n_views).log_probs.argmax(axis=1)
    weights = balanced_weights(seen.targets)
    equal = float(weights[found == full].sum())
    k = seen.logits[0].shape[2]
    gain = paired_interval(seen.targets, full, found, class_weighted_macro_f1, seen.groups, k=k)
    low = gain.low if gain.low is not None else gain.estimate
    high = gain.high if gain.high is not None else gain.estimate
    trial = {
        "equal": equal,
        "views": float(views.mean()),
        "all_views": float(n_views * len(seen.logits)),
        "gain": gain.estimate,
        "low": low,
        "high": high,
        "n": n,
    }
    words = (
        f"{trial['views']:.1f} of {trial['all_views']:.0f} views a cell, {100 * equal:.1f} % of "
        f"labels as with all, balanced macro-F1 {gain.estimate:+.4f} ({low:+.4f} to {high:+.4f})"
    )
    if equal < EQUAL_SHARE or low < LOWEST_GAIN:
        return None, f"off: {words}"
    return Cascade(tuple(_fit_steps(seen)), trial), words


def _apply(steps: Sequence[Step], seen: Seen, is_inside: np.ndarray) -> Classified:
    part = seen.take(np.flatnonzero(is_inside))

    def look(rows: np.ndarray, model: int, views: Sequence[int]) -> np.ndarray:
        return part.logits[model][rows][:, views]

    order = range(part.logits[0].shape[1])
    cascade = Cascade(tuple(steps), {})
    n = len(part.targets)
    return classify_early(n, look, cascade, part.temperatures, order, part.average)


def _fit_steps(seen: Seen) -> list[Step]:
    """Steps in order, each on the cells that the ones before it left."""
    n_views = seen.logits[0].shape[1]
    full = seen.at(0, n_views)
    labels, energy = full.log_probs.argmax(axis=1), np.asarray(logsumexp(full.logits, axis=1))
    plan = [(1, 1)] if len(seen.logits) > 1 else []
    plan += [(0, views) for views in VIEWS if views < n_views]
    is_left = np.ones(len(labels), dtype=bool)
    steps = []
    for models, views in plan:
        count = models or len(seen.logits)
        factor = fit_factor(partial(_log_probs, seen, count, views), seen.targets)
        said = seen.at(count, views, factor)
        limit = _limit(said, labels, seen.targets, is_left)
        if limit is None:
            continue
        shift = float(np.mean(energy - np.asarray(logsumexp(said.logits, axis=1))))
        steps.append(Step(models, views, factor, shift, limit))
        is_left &= np.exp(said.log_probs.max(axis=1)) < limit
    return steps


def _log_probs(seen: Seen, models: int, views: int, factor: float) -> np.ndarray:
    return seen.at(models, views, factor).log_probs


def of_scores(
    scores: OutOfFold, views: str, average: str, groups: np.ndarray
) -> tuple[Cascade | None, str]:
    """Fit on the training cells and their twins, each scored by the one model that saw neither.

    With one model a cell, what a single view of a single model is worth beside all of them cannot
    be known: the first step is a view of every model, which is surer than the view of one on which
    its limit was fitted.

    Args:
        scores: Out of fold.
        views: The recipe's set of views.
        average: A key of `stages.MEANS`.
        groups: Patient, or cell, of each row of the scores, as `TrainingSet.groups` has them.
    """
    if scores.view_logits is None:
        return None, "the classifier sees both original and restored images"
    scaled = scores.view_logits / np.array(scores.temperatures)[scores.folds][:, None, None]
    logits = scaled[:, list(order_of(views))]
    return fit(Seen([logits], [1.0], scores.targets, average, scores.folds, groups))


def _limit(
    said: Classified, labels: np.ndarray, targets: np.ndarray, is_left: np.ndarray
) -> float | None:
    """Least top probability from which few enough labels would change; None where none is."""
    rows = np.flatnonzero(is_left)
    top = np.exp(said.log_probs[rows].max(axis=1))
    order = np.argsort(-top, kind="stable")
    weights = balanced_weights(targets)[rows][order]
    is_changed = (said.log_probs[rows].argmax(axis=1) != labels[rows])[order]
    share = np.cumsum(weights * is_changed) / np.cumsum(weights)
    allowed = np.flatnonzero(share <= CHANGED_SHARE)
    return float(top[order[allowed[-1]]]) if len(allowed) else None
