"""Rescue rules as data: what each asks of a cell, and how it did when it was tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from buffycoat.errors import BundleError
from buffycoat.statistics import ClassStatistics


@dataclass(frozen=True)
class Trial:
    """How a rule did on folds that it was not fitted on.

    Attributes:
        cells: Cells of the class.
        missed: Those that the classifier alone called something else.
        corrected: Cells of the class that the rule brought back.
        spoiled: Rightly called cells that the rule took away.
        gain: In macro-F1 with rows weighted 1/n of their class; NaN-free, 0 if never applied.
        low: Lower end of the paired 95 % interval of the gain; None where no cell changed.
        high: Upper end.
    """

    cells: int
    missed: int
    corrected: int
    spoiled: int
    gain: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Rule:
    """When a cell that looks like a rival is called a tail class after all.

    A limit of None is not asked for.

    Attributes:
        code: The class that is rescued.
        rivals: Top classes that it may take a cell from.
        ratio_above: Least p(code) / p(top).
        head_above: Least probability that the embedding head gives the class.
        top_below: Largest p(top).
        spikiness_above: Least spikiness.
        distance_below: Largest squared Mahalanobis distance to the class.
        distance_features: Names of the features in that distance.
        statistics: The class's Gaussian over them.
        box: Feature -> (least, largest).
        is_direct_replaced: Whether a direct call of the class becomes the runner-up first.
        is_on: Whether the rule is used.
        reason: Why it is on or off, in words.
        origin: "published" or "fitted", for the evidence.
        trial: How it did on held-out folds, if it was tried.
    """

    code: str
    rivals: tuple[str, ...] = ()
    ratio_above: float = 0.0
    head_above: float | None = None
    top_below: float | None = None
    spikiness_above: float | None = None
    distance_below: float | None = None
    distance_features: tuple[str, ...] = ()
    statistics: ClassStatistics | None = None
    box: tuple[tuple[str, float, float], ...] = ()
    is_direct_replaced: bool = False
    is_on: bool = False
    reason: str = ""
    origin: str = "fitted"
    trial: Trial | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        table = {field.name: getattr(self, field.name) for field in fields(self)}
        table["statistics"] = self.statistics.to_dict() if self.statistics else None
        table["trial"] = asdict(self.trial) if self.trial else None
        return table

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Rule:
        """The rule that `to_dict` wrote."""
        values = dict(table)
        for name in ("rivals", "distance_features"):
            values[name] = tuple(values[name])
        values["box"] = tuple((name, low, high) for name, low, high in values["box"])
        if values["statistics"] is not None:
            values["statistics"] = ClassStatistics.from_dict(values["statistics"])
        if values["trial"] is not None:
            values["trial"] = Trial(**values["trial"])
        return cls(**values)


@dataclass(frozen=True, eq=False)
class RescueRules:
    """Rules in the order in which they are asked; the first that holds decides.

    Attributes:
        codes: Class codes in column order.
        rules: One a tail class, on or off.
    """

    codes: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def is_head_needed(self) -> bool:
        """Whether a rule in use asks the embedding head."""
        return any(rule.is_on and rule.head_above is not None for rule in self.rules)

    def without_head(self, reason: str) -> RescueRules:
        """The same rules, those that ask the embedding head off for this reason."""
        rules = (
            switched_off(rule, reason) if rule.is_on and rule.head_above is not None else rule
            for rule in self.rules
        )
        return RescueRules(self.codes, tuple(rules))

    def tops(self, probs: np.ndarray) -> np.ndarray:
        """The likeliest class of each cell that no rule in use keeps to itself.

        Args:
            probs: Shape (n, k).

        Returns:
            Shape (n,), column index.
        """
        kept = [self.codes.index(r.code) for r in self.rules if r.is_on and r.is_direct_replaced]
        open_probs = probs.copy()
        open_probs[:, kept] = -1.0
        return open_probs.argmax(axis=1)

    def table(self) -> list[dict[str, Any]]:
        """One row a rule for the report: its class, state, reason, limits and trial."""
        names = ("code", "is_on", "reason", "origin", "rivals", "ratio_above", "head_above",
                 "top_below", "spikiness_above", "distance_below")  # fmt: skip
        rows = []
        for rule in self.rules:
            row = {name: getattr(rule, name) for name in names}
            row["rivals"] = " ".join(rule.rivals)
            trial = asdict(rule.trial) if rule.trial else {f.name: None for f in fields(Trial)}
            rows.append(row | trial)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; every float is kept exactly."""
        return {"codes": list(self.codes), "rules": [rule.to_dict() for rule in self.rules]}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> RescueRules:
        """The rules that `to_dict` wrote.

        Raises:
            BundleError: The table is incomplete or of another version.
        """
        try:
            return cls(tuple(table["codes"]), tuple(Rule.from_dict(r) for r in table["rules"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"rescue rules are not as this version writes them ({error}); train again"
            ) from error


def switched_off(rule: Rule, reason: str, trial: Trial | None = None) -> Rule:
    """The same rule, off, with the reason."""
    return replace(rule, is_on=False, reason=reason, trial=trial)
