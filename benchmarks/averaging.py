"""Which mean of several models keeps their calibration?

    python -m benchmarks.averaging PBC-LT runs/detail runs/final --out averaging.json

Reads the folders of `buffycoat bench classify` on the same cells and folds: there each cell, as it
is and once more degraded, has been scored by several models that have not seen it, one a recipe.
Each is calibrated on its fold. All sets of one to five recipes are averaged, by the arithmetic and
by the geometric mean of their probabilities; a figure is the mean over the sets of one size. Rows
weigh 1/n of their class.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stored
from buffycoat.config import load
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.fuse.calibrate import balanced_weights, fit_temperature, log_probs, nll
from buffycoat.predict.stages import MEANS
from buffycoat.sources.read import read
from buffycoat.splits import assign_folds
from buffycoat.taxonomy import resolve

LARGEST = 5
BINS = 15


def balanced_ece(probs: np.ndarray, targets: np.ndarray, n_bins: int = BINS) -> float:
    """Top-label calibration error with rows weighted 1/n of their class, bins of equal weight.

    Args:
        probs: Shape (n, k).
        targets: Shape (n,).
        n_bins: Number of bins.
    """
    weights = balanced_weights(targets)
    stated, is_right = probs.max(axis=1), probs.argmax(axis=1) == targets
    order = np.argsort(stated, kind="stable")
    reached = np.cumsum(weights[order]) - weights[order] / 2
    bins = np.minimum((reached * n_bins).astype(int), n_bins - 1)
    gaps = weights[order] * (stated[order] - is_right[order])
    return float(np.abs(np.bincount(bins, gaps, n_bins)).sum())


def figures(logs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Balanced macro-F1, log loss, calibration error, mean stated and true share; shape (5,)."""
    weights = balanced_weights(targets)
    probs = np.exp(logs)
    called = probs.argmax(axis=1)
    return np.array(
        [
            class_weighted_macro_f1(confusion(targets, called, probs.shape[1])),
            nll(logs, targets, weights),
            balanced_ece(probs, targets),
            weights @ probs.max(axis=1),
            weights @ (called == targets),
        ]
    )


NAMES = ("balanced_macro_f1", "log_loss", "calibration_error", "stated", "right")


def compare(models: Sequence[np.ndarray], targets: np.ndarray) -> list[dict[str, Any]]:
    """One row a number of models and mean.

    Args:
        models: Calibrated out-of-fold log probabilities of each, shape (n, k).
        targets: Shape (n,).
    """
    rows = []
    for size in range(1, min(LARGEST, len(models)) + 1):
        sets = list(combinations(models, size))
        for name, mean in MEANS.items():
            found = np.mean([figures(mean(part), targets) for part in sets], axis=0)
            named = dict(zip(NAMES, found.tolist(), strict=True))
            rows.append({"models": size, "sets": len(sets), "mean": name, **named})
    return rows


def read_models(
    folders: Sequence[Path], targets: np.ndarray, folds: np.ndarray
) -> list[np.ndarray]:
    """Calibrated out-of-fold log probabilities of each recipe and seed, each once.

    Args:
        folders: Of `buffycoat bench classify`.
        targets: Of the n training cells.
        folds: Of the same.
    """
    parts: dict[tuple[str, int], dict[int, np.ndarray]] = defaultdict(dict)
    for folder in folders:
        for done in sorted(folder.glob("stages/recipe-fold*/done.json")):
            inputs = json.loads(done.read_text())["inputs"]
            logits = np.load(done.parent / "logits.npy")
            parts[inputs["classify"], inputs["seed"]][inputs["fold"]] = logits
    models: list[np.ndarray] = []
    n = len(targets)
    for scored in parts.values():
        if len(scored) < folds.max() + 1:
            continue
        logs = np.empty((2 * n, next(iter(scored.values())).shape[-1]))
        for fold, logits in scored.items():
            rows = np.flatnonzero(folds == fold)
            both = np.concatenate([rows, rows + n])
            temperature = fit_temperature(logits, np.tile(targets[rows], 2))
            logs[both] = log_probs(logits, temperature)
        if not any(np.array_equal(logs, other) for other in models):
            models.append(logs)
    return models


def main() -> None:
    """Read, average, print and write."""
    parser = argparse.ArgumentParser(description="Means of several calibrated models.")
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of bench classify")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    config = load("cpu")
    cells = read(options.data).of_split("train")
    cells = cells.subset(cells.is_labelled)
    taxonomy = resolve(config.taxonomy, cells.frame["label"].dropna().tolist())
    targets = cells.targets(taxonomy)
    patients = cells.column("patient_id") if cells.has_patients else None
    made = assign_folds(targets, patients, config.classify.folds, config.seed, taxonomy.codes)
    models = read_models(options.runs, targets, made.fold)
    rows = compare(models, np.tile(targets, 2))
    print(f"{len(models)} models\n\n| models | mean | {' | '.join(NAMES)} |\n|-|-|-|-|-|-|-|")
    for row in rows:
        shown = " | ".join(f"{row[name]:.3f}" for name in NAMES)
        print(f"| {row['models']} | {row['mean']} | {shown} |")
    if options.out:
        stored.write_json(
            options.out, {"n_models": len(models), "n": 2 * len(targets), "rows": rows}
        )


if __name__ == "__main__":
    main()
