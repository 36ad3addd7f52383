"""Which class becomes the label, so that a stated score is highest in expectation.

The most probable class is right most often, or finds the most of each class, depending on the mix
of classes that the probabilities assume. With likelihoods p(x | c) and a class mix m, the label is
the class of largest p(x | c) * m(c)^power * exp(offset(c)):

- balanced recall: power 0; every class weighs the same (the Bayes rule at the uniform mix);
- accuracy: power 1 (the Bayes rule at the mix);
- macro-F1: in between. It is no mean over cells, so no rule of single cells follows from the
  probabilities alone, and the power is fitted (`learn.fit_labels`);
- costs: the class of least expected cost at the mix.

Probabilities themselves are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.errors import BundleError, ShapeError
from buffycoat.fuse.costs import SUFFIXES, read_costs
from buffycoat.optional import choose

NONE = "none"
MACRO_F1 = "macro-f1"
COST = "cost"
SCORES = {
    MACRO_F1: "macro-F1",
    "balanced-recall": "balanced recall",
    "accuracy": "accuracy",
    COST: "the least expected cost",
    NONE: "",
}
"""What labels can maximise -> its words; with "none" the label is the most probable class."""
POWERS = {"balanced-recall": 0.0, "accuracy": 1.0, COST: 1.0}
"""Of the mix, for scores whose best rule is known."""
PLAIN_POWER = 0.25
"""For macro-F1 where nothing was fitted: best on the cells of patients that training had not seen
(docs/adr/0032)."""
MIXES = {"train": "the training class mix", "uniform": "equally frequent classes"}


@dataclass(frozen=True)
class Objective:
    """What labels shall maximise.

    Attributes:
        score: A key of `SCORES`.
        mix: Class mix at which it is expected: "train", "uniform" or "SNE=60,LY=30,...".
        costs: k rows of k numbers, cost of each decision (column) for each true class (row), in
            taxonomy order; None for any other score than "cost".
    """

    score: str
    mix: str = "train"
    costs: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        assert self.score in SCORES
        assert (self.costs is not None) == (self.score == COST)

    @classmethod
    def of(cls, text: str, mix: str, codes: Sequence[str]) -> Objective:
        """What a person asks for.

        Args:
            text: A score, or the path of a file of costs.
            mix: As in the attributes.
            codes: Classes in column order, for the costs.

        Raises:
            ConfigError: No such score, or the file is at fault.
        """
        if Path(text).suffix.lower() in SUFFIXES:
            return cls(COST, mix, read_costs(Path(text), codes))
        named = {name: name for name in SCORES if name != COST}
        return cls(choose(named, text, "score to optimise"), mix)

    @property
    def words(self) -> str:
        """As in "macro-F1 at the training class mix"."""
        return f"{SCORES[self.score]} at {MIXES.get(self.mix, 'the class mix asked for')}"


@dataclass(frozen=True)
class PowerFit:
    """What maximised macro-F1 at the training mix out of fold, and how it did.

    Attributes:
        power: Of the training mix.
        offsets: Added to the log of each class, k of them; all 0 unless they won.
        is_default: Whether labels follow it unless something else is asked for.
        trial: Cross-fitted: `rows`; the score of the most probable class, `most_probable`, the
            gain of the power with its paired interval, `gain`, `low`, `high`, and the same of
            balanced macro-F1 with the prefix `balanced_`; `offsets_` gain over the power alone.
        reason: Why it is the default or not, in a sentence.
    """

    power: float
    offsets: tuple[float, ...]
    is_default: bool
    trial: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"offsets": list(self.offsets), "trial": dict(self.trial)}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> PowerFit:
        """The fit that `to_dict` wrote.

        Raises:
            BundleError: The table is incomplete.
        """
        try:
            return cls(
                float(table["power"]),
                tuple(float(value) for value in table["offsets"]),
                bool(table["is_default"]),
                dict(table["trial"]),
                str(table["reason"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the fit of labels is incomplete ({error}); train again") from error


@dataclass(frozen=True, eq=False)
class LabelRule:
    """How the label follows from probabilities.

    Attributes:
        words: What it maximises, as in "macro-F1 at the training class mix".
        log_weights: Shape (k,), added to log probabilities of a uniform prior; -inf for a class
            that cannot occur.
        costs: Shape (k, k), truth by decision; None for the class of largest weighted probability.
        origin: How it came about, in a sentence.
    """

    words: str
    log_weights: np.ndarray
    costs: np.ndarray | None = None
    origin: str = ""

    def values(self, probs: np.ndarray) -> np.ndarray:
        """How good each class is as the label: the largest of a row is best.

        Args:
            probs: Shape (n, k), under a uniform prior.

        Returns:
            Shape (n, k), >= 0; comparable within a row.

        Raises:
            ShapeError: Not k columns.
        """
        if probs.ndim != 2 or probs.shape[1] != len(self.log_weights):
            raise ShapeError(f"expected probs (n, {len(self.log_weights)}), got {probs.shape}")
        logs = np.log(np.maximum(probs, 1e-300)) + self.log_weights
        weighted = np.exp(logs - logs.max(axis=1, keepdims=True))
        weighted /= weighted.sum(axis=1, keepdims=True)
        if self.costs is None:
            return weighted
        return self.costs.max() - weighted @ self.costs


def rule_of(objective: Objective, mix: np.ndarray, fit: PowerFit | None) -> LabelRule | None:
    """The rule that an objective asks for; None where the label is the most probable class.

    Args:
        objective: What to maximise.
        mix: Its class mix, shape (k,), >= 0, sum 1.
        fit: Of the bundle, for macro-F1; None where nothing was fitted.
    """
    if objective.score == NONE:
        return None
    power, offsets = POWERS.get(objective.score, PLAIN_POWER), np.zeros(len(mix))
    origin = ""
    if objective.score == MACRO_F1:
        origin = f"{power:g} of the prior is given back, as won on other data: nothing is fitted"
        if fit is not None:
            power, offsets = fit.power, np.array(fit.offsets)
            origin = f"{power:g} of the prior is given back, fitted out of fold"
            origin += " with an offset for each class" if offsets.any() else ""
        if fit is not None and objective.mix != "train":
            origin += " at the training class mix"
    with np.errstate(divide="ignore"):
        logs = np.log(mix)
    # not power * log(0), which is NaN for power 0: a class that cannot occur is never the label
    log_weights = np.where(mix > 0, power * np.where(mix > 0, logs, 0.0) + offsets, -np.inf)
    costs = None if objective.costs is None else np.array(objective.costs)
    return LabelRule(objective.words, log_weights, costs, origin)
