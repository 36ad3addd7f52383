"""How well boxes of cells were found: each true box is matched to one found box at most.

A found box may match a true one if its centre lies in it and, where that is asked for, their
intersection over union is at least `LEAST_IOU`. Pairs are chosen so that as many as possible match
(assignment problem, Kuhn 1955), which no order of the boxes can change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from buffycoat.errors import ShapeError

LEAST_IOU = 0.5
N_DRAWS = 2000


@dataclass(frozen=True)
class Matches:
    """Boxes of one field.

    Attributes:
        true_of: For each found box the true one that it matches, -1 for none; shape (n,), int64.
        n_true: Of true boxes.
        duplicates: Found boxes without a match whose centre lies in a true box that has one.
    """

    true_of: np.ndarray
    n_true: int
    duplicates: int

    @property
    def n_found(self) -> int:
        """Of found boxes."""
        return len(self.true_of)

    @property
    def n_matched(self) -> int:
        """Of pairs."""
        return int(np.count_nonzero(self.true_of >= 0))


def match(found: np.ndarray, true: np.ndarray, least_iou: float = LEAST_IOU) -> Matches:
    """Pair found boxes with true ones.

    Args:
        found: Left, top, width, height of each; shape (n, 4).
        true: The same, shape (m, 4).
        least_iou: 0 asks for the centre alone.

    Raises:
        ShapeError: Not boxes, or one of no size.
    """
    from scipy.optimize import linear_sum_assignment

    found, true = _boxes(found, "found"), _boxes(true, "true")
    true_of = np.full(len(found), -1, dtype=np.int64)
    if not len(found) or not len(true):
        return Matches(true_of, len(true), 0)
    is_inside = _centre_inside(found, true)
    overlap = iou(found, true)
    may = is_inside & (overlap >= least_iou)
    # A pair more weighs more than any overlap, so that as many as possible match.
    rows, columns = linear_sum_assignment(-(may * (1.0 + overlap / (len(found) + 1))))
    is_pair = may[rows, columns]
    true_of[rows[is_pair]] = columns[is_pair]
    is_taken = np.isin(np.arange(len(true)), true_of)
    duplicates = int((is_inside[true_of < 0] & is_taken).any(axis=1).sum())
    return Matches(true_of, len(true), duplicates)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (n, 4) and (m, 4), shape (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    return shared / (np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1) - shared)


@dataclass(frozen=True)
class FindingScores:
    """Scores over many fields; intervals are of 95 %, by a bootstrap over fields.

    Attributes:
        n_fields: Of fields.
        n_true: Of true boxes.
        n_found: Of found boxes.
        precision: With its interval: value, low, high.
        recall: The same.
        f1: The same.
        count_error: Mean absolute difference of the counts, a field.
        count_bias: Mean of found less true, a field.
        duplicates: Of boxes.
    """

    n_fields: int
    n_true: int
    n_found: int
    precision: tuple[float, float, float]
    recall: tuple[float, float, float]
    f1: tuple[float, float, float]
    count_error: float
    count_bias: float
    duplicates: int


def score(fields: Sequence[Matches], seed: int = 0) -> FindingScores:
    """Scores of fields.

    A score whose denominator is 0, such as the precision of no box, is NaN.

    Raises:
        ShapeError: No field.
    """
    if not fields:
        raise ShapeError("expected the matches of one field or more, got none")
    counts = np.array([(m.n_matched, m.n_found, m.n_true) for m in fields], dtype=float)
    drawn = np.random.default_rng(seed).integers(len(counts), size=(N_DRAWS, len(counts)))
    observed, resampled = _rates(counts.sum(axis=0)), _rates(counts[drawn].sum(axis=1))
    precision, recall, f1 = map(_with_interval, observed, resampled)
    surplus = counts[:, 1] - counts[:, 2]
    return FindingScores(
        len(fields), int(counts[:, 2].sum()), int(counts[:, 1].sum()), precision, recall, f1,
        float(np.abs(surplus).mean()), float(surplus.mean()), sum(m.duplicates for m in fields),
    )  # fmt: skip


def _with_interval(value: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    known = draws[~np.isnan(draws)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    return float(value), float(low), float(high)


def _rates(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of matched, found and true (..., 3)."""
    matched, found, true = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return matched / found, matched / true, 2 * matched / (found + true)


def _centre_inside(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Whether the centre of each found box lies in each true one, shape (n, m)."""
    centres = (found[:, :2] + found[:, 2:] / 2)[:, None]
    is_within = (centres >= true[:, :2]) & (centres <= true[:, :2] + true[:, 2:])
    return np.asarray(is_within.all(axis=2))


def _boxes(boxes: np.ndarray, name: str) -> np.ndarray:
    table = np.asarray(boxes, dtype=float).reshape(-1, 4) if np.size(boxes) else np.empty((0, 4))
    if not (np.isfinite(table).all() and (table[:, 2:] > 0).all()):
        wrong = table[~((table[:, 2:] > 0).all(axis=1) & np.isfinite(table).all(axis=1))][0]
        raise ShapeError(
            f"{name} boxes: expected left, top, width, height with a size over 0; got "
            f"{wrong.tolist()}. Leave such a box out"
        )
    return table
