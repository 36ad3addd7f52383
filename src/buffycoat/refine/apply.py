"""Ask rescue rules of cells, and keep what they saw as evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from buffycoat.cells import Evidence
from buffycoat.errors import ConfigError, ShapeError
from buffycoat.refine.features import NAMES, columns, plain
from buffycoat.refine.rules import RescueRules, Rule
from buffycoat.statistics import mahalanobis


@dataclass(frozen=True)
class RescueResult:
    """What the rules made of each cell.

    Attributes:
        labels: Shape (n,), int64, column index.
        is_rescued: Shape (n,), bool: a rule called it.
        evidence: For each cell, what its rule saw; empty where none held.
    """

    labels: np.ndarray
    is_rescued: np.ndarray
    evidence: list[tuple[Evidence, ...]]


@dataclass(frozen=True)
class Check:
    """One limit, asked of all cells.

    Attributes:
        field: Field of the rule that holds the limit.
        name: What is measured.
        values: Shape (n,).
        sign: ">" or "<".
        limit: What the values are compared with; NaN values fail.
    """

    field: str
    name: str
    values: np.ndarray
    sign: str
    limit: float

    @property
    def passes(self) -> np.ndarray:
        """Shape (n,), bool."""
        return self.values > self.limit if self.sign == ">" else self.values < self.limit


@dataclass(frozen=True)
class Scores:
    """What rules look at.

    Attributes:
        probs: Shape (n, k), calibrated ensemble.
        head_probs: Shape (n, k), embedding head; None where there is no head.
        features: Shape (n, len(NAMES)), as `features.measure_all` gives them; NaN allowed.
    """

    probs: np.ndarray
    head_probs: np.ndarray | None
    features: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.probs)
        if self.probs.ndim != 2 or self.features.shape != (n, len(NAMES)):
            raise ShapeError(
                f"expected probs (n, k) and features (n, {len(NAMES)}); got {self.probs.shape} "
                f"and {self.features.shape}"
            )
        if self.head_probs is not None and self.head_probs.shape != self.probs.shape:
            raise ShapeError(
                f"expected head_probs {self.probs.shape} as probs, got {self.head_probs.shape}"
            )

    def take(self, rows: np.ndarray) -> Scores:
        """The same for some rows."""
        head = None if self.head_probs is None else self.head_probs[rows]
        return Scores(self.probs[rows], head, self.features[rows])


def checks(rule: Rule, scores: Scores, tops: np.ndarray, codes: tuple[str, ...]) -> list[Check]:
    """Every limit of a rule, asked of every cell.

    Args:
        rule: The rule.
        scores: n cells.
        tops: Shape (n,), column that each cell is called now.
        codes: Class codes in column order.

    Raises:
        ConfigError: The rule asks the embedding head, and there is none.
    """
    column = codes.index(rule.code)
    p_top = np.take_along_axis(scores.probs, tops[:, None], axis=1)[:, 0]
    ratio = scores.probs[:, column] / np.maximum(p_top, 1e-300)
    asked = [Check("ratio_above", f"p({rule.code})/p(top)", ratio, ">", rule.ratio_above)]
    if rule.head_above is not None:
        if scores.head_probs is None:
            raise ConfigError(
                f"the rescue rule for {rule.code} asks the embedding head, and there is none; "
                "set embed.head, or refine.rescue=off"
            )
        head = scores.head_probs[:, column]
        asked.append(Check("head_above", f"head p({rule.code})", head, ">", rule.head_above))
    if rule.top_below is not None:
        asked.append(Check("top_below", "p(top)", p_top, "<", rule.top_below))
    if rule.spikiness_above is not None:
        values = scores.features[:, NAMES.index("spikiness")]
        asked.append(Check("spikiness_above", "spikiness", values, ">", rule.spikiness_above))
    for name, low, high in rule.box:
        values = scores.features[:, NAMES.index(name)]
        asked += [Check("box", name, values, ">", low), Check("box", name, values, "<", high)]
    if rule.distance_below is not None and rule.statistics is not None:
        rows = scores.features[:, columns(rule.distance_features)]
        values = mahalanobis(rows, rule.statistics)[:, 0]
        name = f"squared distance to {rule.code} over {rows.shape[1]} features"
        asked.append(Check("distance_below", name, values, "<", rule.distance_below))
    return asked


def holds(rule: Rule, scores: Scores, tops: np.ndarray, codes: tuple[str, ...]) -> np.ndarray:
    """Whether all of a rule's limits hold; shape (n,), bool."""
    rivals = [codes.index(code) for code in rule.rivals]
    passed = np.isin(tops, rivals) & (tops != codes.index(rule.code))
    for check in checks(rule, scores, tops, codes):
        passed &= check.passes
    return passed


def may_be_rescued(
    rules: RescueRules, probs: np.ndarray, head_probs: np.ndarray | None
) -> np.ndarray:
    """Cells that a rule in use may change, by what it asks beside their features.

    Args:
        rules: Fitted or published.
        probs: Shape (n, k), calibrated ensemble.
        head_probs: Shape (n, k), embedding head, or None.

    Returns:
        Shape (n,), bool: of all others the features need not be known.
    """
    tops, found = rules.tops(probs), np.zeros(len(probs), dtype=bool)
    unknown = Scores(probs, head_probs, np.full((len(probs), len(NAMES)), np.nan))
    for rule in rules.rules:
        if rule.is_on:
            passed = np.isin(tops, [rules.codes.index(code) for code in rule.rivals])
            for check in checks(rule, unknown, tops, rules.codes):
                if check.field in ("ratio_above", "head_above", "top_below"):
                    passed &= check.passes
            found |= passed
    return found


def apply(
    rules: RescueRules, probs: np.ndarray, head_probs: np.ndarray | None, features: np.ndarray
) -> RescueResult:
    """Call each cell, by the ensemble and then by the rules.

    Args:
        rules: Fitted or published.
        probs: Shape (n, k), calibrated ensemble.
        head_probs: Shape (n, k), embedding head, or None.
        features: Shape (n, len(NAMES)); NaN where not measurable, which no limit accepts.

    Returns:
        Labels, which of them a rule made, and why.

    Raises:
        ShapeError: The arrays do not match each other or the taxonomy.
        ConfigError: A rule asks the embedding head, and there is none.
    """
    scores = Scores(probs, head_probs, features)
    if probs.shape[1] != len(rules.codes):
        raise ShapeError(f"expected {len(rules.codes)} classes, got {probs.shape[1]}")
    in_use = [rule for rule in rules.rules if rule.is_on]
    direct = probs.argmax(axis=1)
    tops = rules.tops(probs)
    labels = tops.copy()
    evidence: list[tuple[Evidence, ...]] = [
        _replacement(rules.codes, int(was), int(now)) for was, now in zip(direct, tops, strict=True)
    ]
    is_rescued = np.zeros(len(probs), dtype=bool)
    for rule in in_use:
        fires = holds(rule, scores, tops, rules.codes) & ~is_rescued
        labels[fires] = rules.codes.index(rule.code)
        is_rescued |= fires
        rows = np.flatnonzero(fires)
        asked = checks(rule, scores.take(rows), tops[rows], rules.codes)
        for place, row in enumerate(rows):
            said = f"{rules.codes[tops[row]]} is called {rule.code} ({rule.origin} rule)"
            evidence[row] += (Evidence("refine", "rescued", said), *_reasons(rule, asked, place))
    return RescueResult(labels, is_rescued, evidence)


def _replacement(codes: tuple[str, ...], was: int, now: int) -> tuple[Evidence, ...]:
    if was == now:
        return ()
    said = f"{codes[was]} is replaced by the runner-up {codes[now]} unless rescued"
    return (Evidence("refine", "runner_up", said),)


def _reasons(rule: Rule, asked: list[Check], place: int) -> list[Evidence]:
    reasons = []
    for check in asked:
        value = float(check.values[place])
        text = (
            f"{check.name} {plain(value)} {check.sign} {plain(check.limit)} ({rule.origin} limit)"
        )
        reasons.append(Evidence("refine", "rescue_limit", text, value, check.limit))
    return reasons
