"""PMY and ERB cut to 2, 5 and 10 labelled cells: what the same laboratory's unlabelled cells bring.

    python -m benchmarks.active_cells ../shared BUNDLE CELLS.npz --cache runs/embeddings
    python -m benchmarks.extreme_tail CELLS.npz --out benchmarks/results/unlabelled/extreme_tail.csv

Labelled are PBC-LT's training cells, of PMY and ERB as many as stated, drawn five times; unlabelled
is `pbc-more`; scored is `phase2_eval`, n = 800. The classifier is a head (logistic regression in
which each class weighs the same) on embeddings of a network that has seen no label of blood, so
that a draw takes a second and not an hour. The cells are named by the package's own rule:
calibrated out of fold, class mix by expectation maximisation, a limit a class, strange cells of no
class.
`true` names all unlabelled cells by their hidden labels: more cannot be had. Image-level.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.active_cells import CODES, Cells, K, read_cells, reduce
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.fuse.calibrate import fit_temperature
from buffycoat.fuse.prior import apply_prior, estimate_prior, uniform
from buffycoat.fuse.pseudo_labels import NONE, pseudo_labels
from buffycoat.tables import write_csv

CUT = ("PMY", "ERB")
COUNTS, DRAWS, FOLDS = (2, 5, 10), 5, 5
PENALTY = 0.01
"""`C` of the head, as `benchmarks.active` found it."""
PRECISION, STRANGE_ABOVE = 0.95, 0.98
"""As `train --unlabelled` has them."""


def logits(features: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of `rows`, by a head that learned from the others; classes it has not seen are far below."""
    head = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=1000)
    head.fit(features, labels)
    found = np.full((len(rows), K), -30.0)
    found[:, head.classes_] = head.decision_function(rows)
    return found


def calibrated(features: np.ndarray, labels: np.ndarray, seed: int) -> tuple[float, float]:
    """Temperature out of fold, and the strangeness that few labelled cells surpass."""
    out = np.empty((len(labels), K))
    folds = min(FOLDS, int(np.bincount(labels, minlength=K).min()))
    for train, held in StratifiedKFold(folds, shuffle=True, random_state=seed).split(
        features, labels
    ):
        out[held] = logits(features[train], labels[train], features[held])
    strange = np.quantile(-logsumexp(out, axis=1), STRANGE_ABOVE)
    return fit_temperature(out, labels), float(strange)


def name(said: np.ndarray, temperature: float, limit: float) -> np.ndarray:
    """The class of each unlabelled cell, or `NONE`; `said` are logits."""
    probs = np.exp(said / temperature - logsumexp(said / temperature, axis=1, keepdims=True))
    is_known = -logsumexp(said, axis=1) <= limit
    mix = estimate_prior(probs[is_known], uniform(K))
    return pseudo_labels(apply_prior(probs, uniform(K), mix), is_known, PRECISION)


def scored(called: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Balanced macro-F1, and recall and precision of the classes that were cut."""
    table = confusion(labels, called, K)
    found = {"macro_f1": float(class_weighted_macro_f1(table))}
    for code in CUT:
        c = CODES.index(code)
        found[f"{code}_recall"] = float(table[c, c] / table[c].sum())
        found[f"{code}_precision"] = float(table[c, c] / max(table[:, c].sum(), 1))
    return found


def draw(
    cells: Cells, features: np.ndarray, count: int, seed: int
) -> Iterator[Mapping[str, float | int | str]]:
    """One row for the labels alone, one with the cells that were named, one with their labels."""
    rng = np.random.default_rng(seed)
    home, more, held = (cells.rows(origin) for origin in ("pbc-lt", "pbc-more", "eval"))
    for code in CUT:
        of_class = home[cells.labels[home] == CODES.index(code)]
        home = np.setdiff1d(home, rng.permutation(of_class)[count:])
    x, y, truth = features[home], cells.labels[home], cells.labels[more]
    named = name(logits(x, y, features[more]), *calibrated(x, y, seed))
    for what, given in (
        ("labels alone", np.full(len(more), NONE)),
        ("named", named),
        ("true", truth),
    ):
        rows = np.flatnonzero(given != NONE)
        learned = np.concatenate([x, features[more[rows]]])
        called = logits(learned, np.concatenate([y, given[rows]]), features[held]).argmax(axis=1)
        is_cut = np.isin(given[rows], [CODES.index(code) for code in CUT])
        yield {
            "cells": count,
            "draw": seed,
            "learned_from": what,
            "n_named": len(rows),
            "n_named_cut": int(is_cut.sum()),
            "n_named_cut_right": int((given[rows] == truth[rows])[is_cut].sum()),
            **scored(called, cells.labels[held]),
        }


def main() -> None:
    """Write the table, a row a draw, and print the means."""
    parser = argparse.ArgumentParser(description="Two classes of 2, 5 and 10 labelled cells.")
    parser.add_argument("cells", type=Path, help="what benchmarks.active_cells wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", default="frozen", help="which embedding")
    options = parser.parse_args()
    cells = read_cells(options.cells)
    features = reduce(cells, options.kind)
    rows = [
        row
        for count in COUNTS
        for seed in range(DRAWS)
        for row in draw(cells, features, count, seed)
    ]
    table = pd.DataFrame(rows)
    write_csv(options.out, table)
    print(table.groupby(["cells", "learned_from"], sort=False).mean().drop(columns="draw").round(3))


if __name__ == "__main__":
    main()
