"""Scores of parts of a split: by severity, by site, and by how common the classes are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError
from buffycoat.evaluate import metrics
from buffycoat.evaluate.bootstrap import Resamples, resample
from buffycoat.evaluate.class_table import MIN_SUPPORT
from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]

UNKNOWN = "unknown"
"""Severity, or site, of the cells that have none."""


@dataclass(frozen=True)
class Split:
    """What is scored, with the draws that all intervals share.

    Attributes:
        targets: True column of each cell, shape (n,).
        predicted: Column that it was given, shape (n,).
        taxonomy: The classes.
        patients: Of each cell, shape (n,); None where intervals are by cell.
        seed: Of the draws.
        resamples: Confusion matrices, observed and drawn.
    """

    targets: Array
    predicted: Array
    taxonomy: Taxonomy
    patients: Array | None
    seed: int
    resamples: Resamples

    @property
    def confusion(self) -> Array:
        """As observed, shape (k, k)."""
        return self.resamples.observed


def severity_rows(split: Split, severity: Any) -> list[dict[str, Any]]:
    """Scores at each severity, of unknown severity last."""
    values = _per_cell("severity", severity, split)
    known = np.where(pd.isna(values), -1, values).astype(float)
    levels = np.unique(known)
    return [
        {"severity": UNKNOWN if level < 0 else float(level)}
        | _part(_resample_rows(split, known == level), split.taxonomy)
        for level in [*levels[levels >= 0], *levels[levels < 0]]
    ]


def site_rows(split: Split, sites: Any) -> list[dict[str, Any]]:
    """Scores of each site; none where all cells are of one."""
    values = _per_cell("sites", sites, split)
    named = np.where(pd.isna(values), UNKNOWN, values).astype(str)
    names = np.unique(named)
    if len(names) < 2:
        return []
    return [
        {"site": str(name)} | _part(_resample_rows(split, named == name), split.taxonomy)
        for name in names
    ]


def _per_cell(name: str, values: Any, split: Split) -> Array:
    column = np.asarray(values, dtype=object)
    if column.shape != split.targets.shape:
        raise ShapeError(f"{name}: expected {len(split.targets)} cells, got {column.shape}")
    return column


def _part(of: Resamples, taxonomy: Taxonomy) -> dict[str, Any]:
    """Figures of some of the cells."""
    return {
        "n": int(of.observed.sum()),
        "classes": int((of.observed.sum(axis=1) > 0).sum()),
        "few": _few(of, taxonomy),
        "balanced_macro_f1": of.interval(metrics.class_weighted_macro_f1).to_dict(),
        "balanced_accuracy": of.interval(metrics.balanced_accuracy).to_dict(),
    }


def _few(of: Resamples, taxonomy: Taxonomy) -> list[str]:
    """Classes that have cells here, but so few that one of them moves the score by a lot."""
    support = of.observed.sum(axis=1)
    return [code for code, n in zip(taxonomy.codes, support, strict=True) if 0 < n < MIN_SUPPORT]


def _resample_rows(split: Split, keep: Array) -> Resamples:
    groups = None if split.patients is None else split.patients[keep]
    k = len(split.taxonomy)
    return resample(split.targets[keep], split.predicted[keep], k, groups, seed=split.seed)


def band_rows(split: Split, train_counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Scores of the classes that training had many, some and few cells of."""
    bands = split.taxonomy.bands(train_counts)
    support = split.confusion.sum(axis=1)
    rows = []
    for band in ("head", "medium", "tail"):
        columns = [
            i
            for i, code in enumerate(split.taxonomy.codes)
            if bands[code] == band and support[i] > 0
        ]
        if not columns:
            continue
        of = split.resamples
        rows.append(
            {
                "band": band,
                "classes": [split.taxonomy.codes[i] for i in columns],
                "n": int(support[columns].sum()),
                "macro_f1": of.interval(mean_of("f1", columns)).to_dict(),
                "sensitivity": of.interval(mean_of("sensitivity", columns)).to_dict(),
            }
        )
    return rows


def mean_of(name: str, columns: list[int]) -> Callable[[Array], Array]:
    """Mean of a score over some classes, of confusion matrices."""
    return lambda c: metrics.mean_of_classes(c, name, columns)
