"""WBCBench 2026's order of merit: macro-F1, and what decides between equals.

Ties in macro-F1 are broken by balanced accuracy, then macro-precision, then macro-specificity, then
inference time, the shorter the better (arXiv 2604.10797).
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from functools import total_ordering
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.evaluate.metrics import (
    Over,
    balanced_accuracy,
    macro_f1,
    macro_precision,
    macro_specificity,
)

Array = np.ndarray[Any, Any]

TIE_DIGITS = 9
"""Scores equal to so many decimals are a tie: sums in another order differ in the sixteenth."""


@total_ordering
@dataclass(frozen=True, eq=False)
class Ranking:
    """Where a method stands; the better one is the greater.

    Attributes:
        macro_f1: 0 to 1.
        balanced_accuracy: 0 to 1.
        macro_precision: 0 to 1.
        macro_specificity: 0 to 1.
        inference_s: Seconds, for one image or for all, but the same for those compared. A method
            that states none loses the last tie to one that does, and ties with one that does not.
    """

    macro_f1: float
    balanced_accuracy: float
    macro_precision: float
    macro_specificity: float
    inference_s: float | None = None

    def __post_init__(self) -> None:
        scores = astuple(self)[:4]
        if not all(0 <= score <= 1 for score in scores):
            raise ShapeError(f"ranking: expected scores from 0 to 1, got {scores}")
        if self.inference_s is not None and not 0 <= self.inference_s < math.inf:
            raise ShapeError(f"inference_s: expected seconds >= 0, got {self.inference_s!r}")

    @property
    def _key(self) -> tuple[float, ...]:
        scores = [round(score, TIE_DIGITS) for score in astuple(self)[:4]]
        return (*scores, -math.inf if self.inference_s is None else -self.inference_s)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Ranking) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._key < other._key if isinstance(other, Ranking) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)


def ranking(confusion: Array, over: Over = "all", inference_s: float | None = None) -> Ranking:
    """The scores of WBCBench's order of merit.

    Args:
        confusion: Shape (k, k), rows the truth.
        over: Classes averaged over; balanced accuracy is always over the classes in the truth.
        inference_s: Seconds of inference, if known.
    """
    return Ranking(
        float(macro_f1(confusion, over)),
        float(balanced_accuracy(confusion)),
        float(macro_precision(confusion, over)),
        float(np.nan_to_num(macro_specificity(confusion, over))),  # of one class alone: a tie
        inference_s,
    )


def decided_by(one: Ranking, other: Ranking) -> str | None:
    """The first of the scores in which two methods differ; None if they are equal in all."""
    pairs = zip(fields(Ranking), one._key, other._key, strict=True)
    return next((score.name for score, a, b in pairs if a != b), None)
