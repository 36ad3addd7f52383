"""What unlabelled cells bring where classes have few labels, or none: draws by a head.

    python -m benchmarks.active_cells ../shared BUNDLE CELLS.npz --backbone FILE --cache runs/emb
    python -m benchmarks.unlabelled_draws CELLS.npz --kind pretrained --out FOLDER

`tail`: PBC-LT's training cells are labelled, of PMY and ERB only 2, 5 or 10, drawn five times.
`open`: no MO and EO is labelled, which are 27 % of the unlabelled cells. Unlabelled is `pbc-more`;
scored is `phase2_eval`, n = 800, in `open` its cells of known classes. Image-level.

The classifier is a head (logistic regression in which each class weighs the same) on embeddings of
a network that has seen no label of blood, so that a draw takes seconds. Unlabelled cells are named
by the package's own rule: calibrated out of fold, class mix by expectation maximisation, a limit a
class, strange cells of no class. `true` names them by their hidden labels: more cannot be had.
`gain_out_of_fold` is what the package would go by: it keeps what was learned where that is over 0.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
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
UNKNOWN = ("MO", "EO")
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


def folds_of(labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to score; of a class with one cell some folds have none."""
    least = int(np.unique(labels, return_counts=True)[1].min())
    folds = StratifiedKFold(min(FOLDS, max(least, 2)), shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer cells than folds
        return list(folds.split(labels, labels))


def calibrated(features: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Temperature out of fold, and the strangeness that few labelled cells surpass."""
    out = np.empty((len(labels), K))
    for train, held in folds_of(labels):
        out[held] = logits(features[train], labels[train], features[held])
    strange = np.quantile(-logsumexp(out, axis=1), STRANGE_ABOVE)
    return fit_temperature(out, labels), float(strange)


def name(said: np.ndarray, temperature: float, limit: float) -> np.ndarray:
    """The class of each unlabelled cell, or `NONE`; `said` are logits."""
    probs = np.exp(said / temperature - logsumexp(said / temperature, axis=1, keepdims=True))
    is_known = -logsumexp(said, axis=1) <= limit
    mix = estimate_prior(probs[is_known], uniform(K))
    # A class without labels has a share of nothing.
    return pseudo_labels(apply_prior(probs, uniform(K), mix), is_known, PRECISION)


def gain_out_of_fold(features: np.ndarray, labels: np.ndarray, others: np.ndarray) -> float:
    """Balanced macro-F1 out of fold with named cells, less that without.

    Args:
        features: Of the labelled cells.
        labels: Their classes.
        others: Features of the cells without labels, named for each fold by its own head.
    """
    alone, taught = np.empty(len(labels), int), np.empty(len(labels), int)
    for train, held in folds_of(labels):
        x, y = features[train], labels[train]
        alone[held] = logits(x, y, features[held]).argmax(axis=1)
        named = name(logits(x, y, others), *calibrated(x, y))
        rows = np.flatnonzero(named != NONE)
        more, classes = np.concatenate([x, others[rows]]), np.concatenate([y, named[rows]])
        taught[held] = logits(more, classes, features[held]).argmax(axis=1)
    before, after = (scored(called, labels)["macro_f1"] for called in (alone, taught))
    return after - before


def scored(called: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Balanced macro-F1, and recall and precision of the classes that may be cut."""
    table = confusion(labels, called, K)
    present = table.sum(axis=1) > 0
    found = {"macro_f1": float(class_weighted_macro_f1(table[np.ix_(present, present)]))}
    for code in CUT:
        c = CODES.index(code)
        found[f"{code}_recall"] = float(table[c, c] / table[c].sum())
        found[f"{code}_precision"] = float(table[c, c] / max(table[:, c].sum(), 1))
    return found


def draw(
    features: np.ndarray, labels: np.ndarray, home: np.ndarray, more: np.ndarray, held: np.ndarray
) -> Iterator[dict[str, float | int | str]]:
    """One row for the labels alone, one with the cells that were named, one with their labels.

    Args:
        features: Of all cells, shape (n, d).
        labels: Shape (n,).
        home: Rows of the labelled cells.
        more: Rows of those without labels.
        held: Rows of those that are scored.
    """
    x, y, truth = features[home], labels[home], labels[more]
    named = name(logits(x, y, features[more]), *calibrated(x, y))
    known = np.isin(truth, y)
    gain = gain_out_of_fold(x, y, features[more])
    nothing = np.full(len(more), NONE)
    true = np.where(known, truth, NONE)
    for what, given in (("labels alone", nothing), ("named", named), ("true", true)):
        rows = np.flatnonzero(given != NONE)
        learned = np.concatenate([x, features[more[rows]]])
        called = logits(learned, np.concatenate([y, given[rows]]), features[held]).argmax(axis=1)
        is_cut = np.isin(given[rows], [CODES.index(code) for code in CUT])
        is_right = given[rows] == truth[rows]
        yield {
            "learned_from": what,
            "n_named": len(rows),
            "n_named_right": int(is_right.sum()),
            "n_named_cut": int(is_cut.sum()),
            "n_named_cut_right": int(is_right[is_cut].sum()),
            "n_named_unknown": int((~known[rows]).sum()),
            "gain_out_of_fold": gain if what == "named" else 0.0,
            **scored(called, labels[held]),
        }


def tail(cells: Cells, features: np.ndarray) -> Iterator[dict[str, float | int | str]]:
    """Two classes cut to a few labelled cells, each count drawn several times."""
    labels = cells.labels
    for count in COUNTS:
        for seed in range(DRAWS):
            rng, home = np.random.default_rng(seed), cells.rows("pbc-lt")
            for code in CUT:
                of_class = home[labels[home] == CODES.index(code)]
                home = np.setdiff1d(home, rng.permutation(of_class)[count:])
            for row in draw(features, labels, home, cells.rows("pbc-more"), cells.rows("eval")):
                yield {"cells": count, "draw": seed, **row}


def open_set(cells: Cells, features: np.ndarray) -> Iterator[dict[str, float | int | str]]:
    """Two classes of the unlabelled cells have no label."""
    unknown = [CODES.index(code) for code in UNKNOWN]
    home, held = (
        rows[~np.isin(cells.labels[rows], unknown)]
        for rows in (cells.rows("pbc-lt"), cells.rows("eval"))
    )
    for row in draw(features, cells.labels, home, cells.rows("pbc-more"), held):
        yield {"cells": 0, "draw": 0, **row}


def main() -> None:
    """Write a table a scenario, a row a draw, and print the means."""
    parser = argparse.ArgumentParser(description="Classes of few labels, and of none.")
    parser.add_argument("cells", type=Path, help="what benchmarks.active_cells wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument("--kind", default="frozen", help="which embedding")
    options = parser.parse_args()
    cells = read_cells(options.cells)
    features = reduce(cells, options.kind)
    for scenario in (tail, open_set):
        table = pd.DataFrame(scenario(cells, features))
        write_csv(options.out / f"{scenario.__name__}-{options.kind}.csv", table)
        means = table.groupby(["cells", "learned_from"], sort=False).mean()
        print(means.drop(columns="draw").round(3).to_string())


if __name__ == "__main__":
    main()
