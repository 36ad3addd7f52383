"""Fit rescue rules for tail classes, and try each on cells that it was not fitted on.

For a tail class the rival is the class that most often takes its cells. A rule takes a cell back
from the rival when the ensemble's odds, the embedding head, the distance of its features to the
class and its spikiness all pass limits. The limits are fitted on all folds but one and tried on
that one, in turn; a rule that does not earn its place there is off, and its row says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from buffycoat.config import RefineConfig
from buffycoat.errors import NotEstimableError, ShapeError, TaxonomyError
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.evaluate.paired import paired_interval
from buffycoat.plurals import counted, some_of
from buffycoat.refine.apply import RescueResult, Scores, apply, checks, holds
from buffycoat.refine.features import PUBLISHED, columns
from buffycoat.refine.published import published_rules
from buffycoat.refine.rules import RescueRules, Rule, Trial, switched_off
from buffycoat.statistics import ClassStatistics
from buffycoat.taxonomy import Taxonomy

__all__ = [
    "OutOfFold",
    "RescueResult",
    "RescueRules",
    "Rule",
    "Scores",
    "apply",
    "fit_rules",
    "published_rules",
]

DISTANCE_FEATURES = (
    *PUBLISHED, "spikiness", "nucleus_solidity", "nucleus_lobes", "chromatin_sd", "granularity",
)  # fmt: skip
MIN_DISTANCE_CELLS = 5
"""Measurable cells of a class under which its mean is not used."""
QUANTILES = {
    "ratio_above": (0.0, 0.25, 0.5, 0.75),
    "head_above": (0.0, 0.25, 0.5),
    "spikiness_above": (0.0, 0.25),
    "distance_below": (0.5, 0.75, 0.95),
}
"""Field of the rule -> quantiles of the missed cells' values that are tried as its limit."""
UNASKED: dict[str, dict[str, object]] = {
    "head_above": {"head_above": None},
    "spikiness_above": {"spikiness_above": None},
    "distance_below": {"distance_below": None, "distance_features": (), "statistics": None},
}
"""Field of the rule -> the values that switch its test off, which is tried as well."""
NO_GAIN = 1e-9


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold scores of training cells.

    Attributes:
        scores: Each cell's scores by models that did not see it.
        targets: Shape (n,), true column index.
        folds: Shape (n,), the fold that held the cell out.
        groups: Shape (n,), patient of each cell; None where patients are not known.
        cells: Shape (n,): rows of one cell, such as its degraded twin, share one; None if all
            differ.
    """

    scores: Scores
    targets: np.ndarray
    folds: np.ndarray
    groups: np.ndarray | None = None
    cells: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.scores.probs)
        if len(self.targets) != n or len(self.folds) != n:
            raise ShapeError(
                f"expected {n} targets and folds, got {len(self.targets)} and {len(self.folds)}"
            )

    def take(self, rows: np.ndarray) -> OutOfFold:
        """The same for some rows."""
        groups, cells = (None if of is None else of[rows] for of in (self.groups, self.cells))
        return OutOfFold(
            self.scores.take(rows), self.targets[rows], self.folds[rows], groups, cells
        )

    def count(self, chosen: np.ndarray) -> int:
        """Cells among the rows that a mask, shape (n,), chooses; a cell and its twin are one."""
        return int(chosen.sum()) if self.cells is None else len(np.unique(self.cells[chosen]))


def fit_rules(
    data: OutOfFold,
    taxonomy: Taxonomy,
    tail: Sequence[str],
    config: RefineConfig,
    rivals: Mapping[str, str] | None = None,
) -> RescueRules:
    """Fit one rule for each tail class, and keep those that win on held-out folds.

    Args:
        data: Out-of-fold scores; the ensemble's calibrated to a uniform prior.
        taxonomy: Gives the column order.
        tail: Codes of the tail classes.
        config: Cells that a rule must correct, and the lower bound of its gain.
        rivals: Tail class -> rival, where it shall not be found in the data.

    Returns:
        One rule a tail class, the rarest first. Each tried by itself against the ensemble.

    Raises:
        TaxonomyError: A tail class is not in the taxonomy.
    """
    unknown = taxonomy.lacks(tail)
    if unknown:
        raise TaxonomyError(f"taxonomy {taxonomy.name!r} lacks tail classes {', '.join(unknown)}")
    counts = np.bincount(data.targets, minlength=len(taxonomy))
    rarest_first = sorted(tail, key=lambda code: counts[taxonomy.codes.index(code)])
    rules = [
        _tried(data, taxonomy.codes, code, config, (rivals or {}).get(code))
        for code in rarest_first
    ]
    return RescueRules(taxonomy.codes, tuple(rules))


def _tried(
    data: OutOfFold, codes: tuple[str, ...], code: str, config: RefineConfig, rival: str | None
) -> Rule:
    """The rule of one class, fitted on all folds, on only if its cross-fitted trial was won."""
    column = codes.index(code)
    tops = data.scores.probs.argmax(axis=1)
    own = data.targets == column
    n_own, missed = data.count(own), data.count(own & (tops != column))
    n_folds = len(np.unique(data.folds[own]))
    if n_own < config.min_corrected or n_folds < 2:
        has = f"{counted(n_own, 'cell')} in {counted(n_folds, 'fold')}"
        return Rule(code, reason=f"not estimable: {has}")
    if missed < config.min_corrected:
        told = some_of(missed, n_own, "cell", "is", "are")
        reason = f"not estimable: {told} missed, a rule must correct {config.min_corrected}"
        return Rule(code, reason=reason)
    fires = np.zeros(len(tops), dtype=bool)
    for fold in np.unique(data.folds):
        held_out = np.flatnonzero(data.folds == fold)
        fitted = _fit_one(data.take(np.flatnonzero(data.folds != fold)), codes, code, rival)
        if fitted is not None:
            fires[held_out] = holds(fitted, data.scores.take(held_out), tops[held_out], codes)
    trial = _trial(data, column, tops, fires)
    final = _fit_one(data, codes, code, rival)
    lost = _why_lost(trial, config)
    if final is None or lost:
        return switched_off(final or Rule(code), lost or "no gain: no limits help", trial)
    reason = (
        f"kept: corrected {trial.corrected} and spoiled {trial.spoiled} held-out cells, gain "
        f"{trial.gain:+.4f} [{_signed(trial.low)}, {_signed(trial.high)}]"
    )
    return replace(final, is_on=True, reason=reason, trial=trial)


def _trial(data: OutOfFold, column: int, tops: np.ndarray, fires: np.ndarray) -> Trial:
    called = np.where(fires, column, tops)
    own = data.targets == column
    gain = paired_interval(
        data.targets,
        tops,
        called,
        class_weighted_macro_f1,
        data.groups,
        k=data.scores.probs.shape[1],
    )
    return Trial(
        cells=data.count(own),
        missed=data.count(own & (tops != column)),
        corrected=data.count(fires & own),
        spoiled=data.count(fires & (tops == data.targets)),
        gain=gain.estimate,
        low=gain.low,
        high=gain.high,
    )


def _why_lost(trial: Trial, config: RefineConfig) -> str:
    found = f"corrected {trial.corrected} and spoiled {trial.spoiled} held-out cells"
    if trial.corrected < config.min_corrected:
        return f"no gain: {found}, a rule must correct {config.min_corrected}"
    if trial.gain <= NO_GAIN:
        return f"no gain: {found}, macro-F1 {trial.gain:+.4f}"
    if trial.low is None or trial.low < config.lower_bound:
        end = _signed(trial.low)
        return f"no gain: {found}, lower bound {end} under {config.lower_bound:+.4f}"
    return ""


def _signed(end: float | None) -> str:
    return "none" if end is None else f"{end:+.4f}"


def _fit_one(data: OutOfFold, codes: tuple[str, ...], code: str, rival: str | None) -> Rule | None:
    """Limits with the best gain on these cells; None if none helps.

    Of limits that gain the same, those that touch the fewest cells win.
    """
    column = codes.index(code)
    tops = data.scores.probs.argmax(axis=1)
    missed = (data.targets == column) & (tops != column)
    if rival is None:
        takers = np.bincount(tops[missed], minlength=len(codes))
        rival = codes[int(takers.argmax())]
    pool = np.flatnonzero(tops == codes.index(rival))
    wanted = data.targets[pool] == column
    if not wanted.any():
        return None
    widest = _widest(data, codes, code, rival)
    limits, passes = _limits(widest, data.scores.take(pool), tops[pool], codes, wanted)
    base = confusion(data.targets, tops, len(codes))
    gains, touched = _gains(base, data.targets[pool], (tops[pool][0], column), passes)
    best = int(np.lexsort((touched, -gains.round(12)))[0])
    if gains[best] <= NO_GAIN:
        return None
    return replace(widest, **limits[best])


def _widest(data: OutOfFold, codes: tuple[str, ...], code: str, rival: str) -> Rule:
    """The rule with every test that these data can support, none of them limiting yet."""
    column = codes.index(code)
    rows = data.scores.features[:, columns(DISTANCE_FEATURES)]
    clean = np.isfinite(rows).all(axis=1)
    rule = Rule(code, rivals=(rival,), ratio_above=0.0)
    if data.scores.head_probs is not None:
        rule = replace(rule, head_above=-1.0)
    spiky = data.scores.features[:, columns(["spikiness"])]
    if np.isfinite(spiky[data.targets == column]).sum() >= MIN_DISTANCE_CELLS:
        rule = replace(rule, spikiness_above=0.0)
    enough = (clean & (data.targets == column)).sum() >= MIN_DISTANCE_CELLS
    if not enough or clean.sum() <= 2 * rows.shape[1]:
        return rule
    try:
        fitted = ClassStatistics.fit(rows[clean], data.targets[clean], len(codes))
    except NotEstimableError:  # the same few cells over and over: the rule asks no distance
        return rule
    return replace(
        rule,
        distance_below=float("inf"),
        distance_features=DISTANCE_FEATURES,
        statistics=fitted.only(column),
    )


def _limits(
    widest: Rule, scores: Scores, tops: np.ndarray, codes: tuple[str, ...], wanted: np.ndarray
) -> tuple[list[dict[str, object]], np.ndarray]:
    """All combinations of limits, and which cells each lets through, shape (m, n)."""
    axes: list[list[tuple[dict[str, object], np.ndarray]]] = []
    everything = np.ones(len(wanted), dtype=bool)
    for check in checks(widest, scores, tops, codes):
        unasked = UNASKED.get(check.field)
        options = [] if unasked is None else [(unasked, everything)]
        quantiles = QUANTILES[check.field]
        for limit in _candidates(check.values, wanted, quantiles, check.sign):
            kept = check.values > limit if check.sign == ">" else check.values < limit
            options.append(({check.field: limit}, kept))
        axes.append(options)
    combined = list(product(*axes))
    limits = [{k: v for option, _ in combo for k, v in option.items()} for combo in combined]
    passes = np.stack([np.all([kept for _, kept in combo], axis=0) for combo in combined])
    return limits, passes


def _candidates(
    values: np.ndarray, wanted: np.ndarray, quantiles: Sequence[float], sign: str
) -> list[float]:
    """Limits that let a share of the wanted cells through, midway to the next cell outside."""
    good = values[wanted & np.isfinite(values)]
    if not len(good):
        return []
    known = np.sort(values[np.isfinite(values)])
    found = set()
    for quantile in quantiles:
        if sign == ">":
            at = float(np.quantile(good, quantile, method="lower"))
            beyond = known[known < at]
            found.add((at + float(beyond[-1])) / 2 if len(beyond) else at - 0.1 * abs(at))
        else:
            at = float(np.quantile(good, quantile, method="higher"))
            beyond = known[known > at]
            found.add((at + float(beyond[0])) / 2 if len(beyond) else at + 0.1 * abs(at))
    return sorted(found)


def _gains(
    base: np.ndarray, targets: np.ndarray, swap: tuple[int, int], passes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gain in class-weighted macro-F1 and cells touched, for each combination of limits."""
    k = len(base)
    truth = np.eye(k)[targets]
    moved = passes.astype(np.float64) @ truth
    tables = np.repeat(base[None].astype(np.float64), len(passes), axis=0)
    tables[:, :, swap[0]] -= moved
    tables[:, :, swap[1]] += moved
    gains = class_weighted_macro_f1(tables) - class_weighted_macro_f1(base)
    return gains, passes.sum(axis=1)
