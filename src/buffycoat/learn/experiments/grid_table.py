"""The table of a grid: a row for each recipe, with its interval and its gain over the first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.evaluate.bootstrap import bootstrap_interval
from buffycoat.evaluate.calibration import ece
from buffycoat.evaluate.metrics import (
    class_weighted_macro_f1,
    confusion,
    per_class,
    prior_weighted_macro_f1,
    reweighted,
)
from buffycoat.evaluate.paired import paired_interval, paired_mean_interval
from buffycoat.fuse.calibrate import FLOOR, balanced_weights
from buffycoat.fuse.prior import apply_prior, shares, uniform
from buffycoat.images import write_atomic
from buffycoat.learn.training_set import TrainingSet
from buffycoat.predict.stages import MEANS
from buffycoat.report.wording import NO_INTERVAL, Form, between, number, signed
from buffycoat.tables import write_csv

BANDS = ("head", "medium", "tail")


@dataclass(frozen=True)
class Scored:
    """Out-of-fold scores of one recipe and seed.

    Attributes:
        rows: Positions among cells and twins (2n), shape (m,).
        probs: Calibrated, uniform prior, shape (m, k).
        minutes: Of training, all folds together.
    """

    rows: np.ndarray
    probs: np.ndarray
    minutes: float


def to_row(
    name: str,
    scored: Mapping[str, Sequence[Scored]],
    data: TrainingSet,
    n_folds: int,
    average: str,
) -> dict[str, Any]:
    """A recipe's figures over all seeds together, and their spread over the seeds.

    A cell's scores by all seeds are resampled together, so that two seeds narrow what is due to
    the seed, and not what is due to there being few cells. Of several seeds, a second set of
    figures (`ensemble_...`) is of the mean of their models, which is what a bundle asks.

    Args:
        name: The recipe.
        scored: Recipe -> its seeds; the first recipe is what others are compared with.
        data: The cells.
        n_folds: How many folds were trained.
        average: The mean; a key of `stages.MEANS`.
    """
    k, counts = len(data.taxonomy), data.expected_counts
    first = next(iter(scored))
    one, base = (_Pooled.of(scored[recipe], data) for recipe in (name, first))
    targets, groups = one.targets, one.groups
    table = confusion(targets, one.called, k)
    balanced = bootstrap_interval(targets, one.called, class_weighted_macro_f1, groups, k=k)
    prior = apply_prior(one.probs, uniform(k), shares(counts))
    given = confusion(targets, prior.argmax(axis=1), k)
    over_seeds = [
        float(class_weighted_macro_f1(confusion(seed.targets, seed.called, k)))
        for seed in (_Pooled.of([s], data) for s in scored[name])
    ]
    row: dict[str, Any] = {
        "recipe": name,
        "n": len(targets) // len(over_seeds),
        "folds": n_folds,
        "seeds": len(over_seeds),
        "balanced_macro_f1": balanced.estimate,
        "low": balanced.low,
        "high": balanced.high,
        "mean_over_seeds": float(np.mean(over_seeds)),
        "spread_over_seeds": float(np.ptp(over_seeds)),
        "balanced_log_loss": float(one.losses @ balanced_weights(targets)),
        "prior_weighted_macro_f1": float(prior_weighted_macro_f1(given, counts)),
    }
    row |= _bands(table, data)
    row["ece"] = ece(prior, targets)
    if name != first:
        gain = paired_interval(
            targets, base.called, one.called, class_weighted_macro_f1, groups, k=k
        )
        saved = paired_mean_interval(base.losses, one.losses, targets, groups)
        row |= {"gain": gain.estimate, "gain_low": gain.low, "gain_high": gain.high}
        row |= {"loss_change": saved.estimate, "loss_low": saved.low, "loss_high": saved.high}
    if len(over_seeds) > 1:
        row |= _as_ensemble(scored[name], scored[first], data, average)
    row["minutes"] = float(np.mean([s.minutes for s in scored[name]]))
    return row


def _as_ensemble(
    seeds: Sequence[Scored], first: Sequence[Scored], data: TrainingSet, average: str
) -> dict[str, float | None]:
    """Figures of the mean of the seeds' models, and their gain over that of the first recipe's."""
    k = len(data.taxonomy)
    one, base = (_Pooled.mean_of(each, data, average) for each in (seeds, first))
    table = confusion(one.targets, one.called, k)
    row: dict[str, float | None] = {
        "ensemble_macro_f1": float(class_weighted_macro_f1(table)),
        "ensemble_log_loss": float(one.losses @ balanced_weights(one.targets)),
    }
    if seeds is not first:
        pair = (base.targets, base.called, one.called)
        gain = paired_interval(*pair, class_weighted_macro_f1, base.groups, k=k)
        row |= {
            "ensemble_gain": gain.estimate,
            "ensemble_low": gain.low,
            "ensemble_high": gain.high,
        }
    return row


@dataclass(frozen=True)
class _Pooled:
    """Rows of several seeds, one after the other.

    Attributes:
        targets: Shape (m,).
        groups: Shape (m,): rows of one cell, or of one patient, share it.
        probs: Shape (m, k).
        called: Shape (m,).
        losses: Shape (m,): negative log-likelihood of the truth, in nats.
    """

    targets: np.ndarray
    groups: np.ndarray
    probs: np.ndarray
    called: np.ndarray
    losses: np.ndarray

    @classmethod
    def of(cls, seeds: Sequence[Scored], data: TrainingSet) -> _Pooled:
        rows = np.concatenate([one.rows for one in seeds])
        return cls._made(rows, np.concatenate([one.probs for one in seeds]), data)

    @classmethod
    def mean_of(cls, seeds: Sequence[Scored], data: TrainingSet, average: str) -> _Pooled:
        """Each row once, with the mean of what the seeds' models say of it."""
        logs = [np.log(np.maximum(one.probs, FLOOR)) for one in seeds]
        return cls._made(seeds[0].rows, np.exp(MEANS[average](logs)), data)

    @classmethod
    def _made(cls, rows: np.ndarray, probs: np.ndarray, data: TrainingSet) -> _Pooled:
        targets = np.tile(data.targets, 2)[rows]
        losses = -np.log(np.maximum(probs[np.arange(len(targets)), targets], FLOOR))
        return cls(targets, data.groups[rows], probs, probs.argmax(axis=1), losses)


def _bands(table: np.ndarray, data: TrainingSet) -> dict[str, float]:
    """Mean F1 of head, medium and tail classes, rows weighted 1/n of their class."""
    counts = dict(zip(data.taxonomy.codes, data.expected_counts.tolist(), strict=True))
    bands = data.taxonomy.bands(counts)
    f1 = per_class(reweighted(table, (table.sum(axis=1) > 0).astype(float))).f1
    found = {}
    for band in BANDS:
        columns = [
            i for i, code in enumerate(data.taxonomy.codes) if bands[code] == band and counts[code]
        ]
        found[f"f1_{band}"] = float(f1[columns].mean()) if columns else float("nan")
    return found


def write(out: Path, table: Sequence[Mapping[str, Any]]) -> None:
    """Write the table as CSV, Markdown and JSON."""
    frame = pd.DataFrame(table)
    write_csv(out / "table.csv", frame.round(5))
    write_atomic(out / "table.md", markdown(table).encode())
    write_atomic(out / "table.json", (json.dumps(list(table), indent=1) + "\n").encode())


def markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """The table for people; intervals are 95 %."""
    has_seeds = any("ensemble_macro_f1" in row for row in table)
    head = (
        "recipe", "balanced macro-F1", "gain over the first", "seeds: mean (spread)",
        "balanced log loss", "change from the first",
        *(("seeds' models as one", "its gain") if has_seeds else ()),
        "prior-weighted", "head", "medium", "tail", "ECE", "minutes",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|-" * len(head) + "|"]
    for row in table:
        together = ()
        if has_seeds:
            score = f"{row['ensemble_macro_f1']:.3f}"
            together = (score, _signed(row, "ensemble_gain", "ensemble"))
        figures = (
            row["recipe"],
            _with_ends(row, "balanced_macro_f1", ("low", "high"), number),
            _signed(row, "gain", "gain"),
            f"{row['mean_over_seeds']:.3f} ({row['spread_over_seeds']:.3f})",
            f"{row['balanced_log_loss']:.3f}",
            _signed(row, "loss_change", "loss"),
            *together,
            *(f"{row[name]:.3f}" for name in ("prior_weighted_macro_f1", "f1_head", "f1_medium")),
            f"{row['f1_tail']:.3f}",
            f"{row['ece']:.3f}",
            f"{row['minutes']:.1f}",
        )
        lines.append("| " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def _signed(row: Mapping[str, Any], name: str, ends: str) -> str:
    """A difference and its interval from `ends`_low to `ends`_high; "" where there is none."""
    return _with_ends(row, name, (f"{ends}_low", f"{ends}_high"), signed) if name in row else ""


def _with_ends(row: Mapping[str, Any], name: str, ends: tuple[str, str], form: Form) -> str:
    low, high = (row[end] for end in ends)
    words = NO_INTERVAL if low is None else between(low, high, 3, form)
    return f"{form(row[name], 3)} ({words})"
