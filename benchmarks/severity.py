"""How well severity and kind of degradation are told from an image alone.

    python -m benchmarks.severity DATA [--bundle B] [--cache FOLDER] [--out FILE]

Without a bundle, an estimator is fitted on DATA's training cells that are known to be pristine. It
is scored on the evaluation split with its true severities. The groups (noise, blur, light) are not
known there: they are scored on a half of those training cells, degraded by simulation, with an
estimator that is fitted on the other half.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from buffycoat.config import Config, load
from buffycoat.learn.prepare import load_cells
from buffycoat.predict.predictor import Pipeline
from buffycoat.progress import Silent
from buffycoat.restore.graded import GROUPS
from buffycoat.restore.severity import Degradation, SeverityEstimator, fit_severity
from buffycoat.simulate.degrade import degrade_labelled
from buffycoat.sources.read import read

SEED = 0
RESAMPLES = 2000
TIMED_CELLS = 200
REPEATS = 2
"""Times that each held-out cell is degraded at each severity."""


def score(found: Degradation, severity: np.ndarray) -> dict[str, Any]:
    """Figures of one split; `severity` is the truth, shape (n,), 0 to 4."""
    estimate = found.severity
    is_degraded = severity > 0
    reaches = estimate >= found.restore_above
    table = np.zeros((5, 5), dtype=int)
    np.add.at(table, (severity, np.rint(estimate).astype(int)), 1)
    return {
        "n": len(severity),
        "mean_absolute_error": np.abs(estimate - severity).mean(),
        "mean_absolute_error_of_median": np.abs(np.median(severity) - severity).mean(),
        "auroc_degraded": interval(estimate, is_degraded),
        "auroc_degraded_by_severity": {
            str(s): roc_auc_score(is_degraded[rows], estimate[rows])
            for s in range(1, 5)
            for rows in [np.isin(severity, (0, s))]
        },
        "confusion_true_by_rounded": table.tolist(),
        "restore_above": found.restore_above,
        "share_reaching_restore_above": {
            str(s): float(reaches[severity == s].mean()) for s in range(5)
        },
        "n_by_severity": {str(s): int((severity == s).sum()) for s in range(5)},
    }


def interval(scores: np.ndarray, is_positive: np.ndarray) -> dict[str, float]:
    """Area under the ROC curve, with a 95 % bootstrap interval over images."""
    rng = np.random.default_rng(SEED)
    areas = []
    while len(areas) < RESAMPLES:
        rows = rng.integers(0, len(scores), len(scores))
        if 0 < is_positive[rows].sum() < len(rows):
            areas.append(roc_auc_score(is_positive[rows], scores[rows]))
    low, high = np.percentile(areas, [2.5, 97.5])
    return {"estimate": roc_auc_score(is_positive, scores), "low": low, "high": high}


def score_simulated(estimator: SeverityEstimator, clean: np.ndarray) -> dict[str, Any]:
    """The same on cells degraded by simulation, and for each group."""
    rng = np.random.default_rng(SEED + 1)
    severity = np.tile(np.arange(5), REPEATS * len(clean))
    images = np.repeat(clean, 5 * REPEATS, axis=0)
    groups = np.zeros((len(images), len(GROUPS)), dtype=bool)
    for row, level in enumerate(severity.tolist()):
        images[row], drawn = degrade_labelled(images[row], level, rng)
        groups[row] = [name in drawn for name in GROUPS]
    found = estimator.estimate(images)
    figures = score(found, severity)
    figures["cells"] = len(clean)
    figures["groups"] = {
        name: {
            "n": int(groups[:, column].sum()),
            "auroc": roc_auc_score(groups[:, column], found.kinds[:, column]),
            "accuracy": float(((found.kinds[:, column] >= 0.5) == groups[:, column]).mean()),
        }
        for column, name in enumerate(GROUPS)
    }
    return figures


def time_ms(estimator: SeverityEstimator, images: np.ndarray) -> dict[str, float]:
    """Wall and processor time of one cell on one core, medians."""
    rows = []
    for image in images[:TIMED_CELLS]:
        start = (time.perf_counter(), time.process_time())
        estimator.estimate(image[None])
        rows.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = 1000 * np.median(rows, axis=0)
    return {"cells": len(rows), "side_px": images.shape[1], "wall_ms": wall, "processor_ms": cpu}


def of_split(data: Path, split: str, config: Config, cache: Path | None) -> tuple:
    """Working images (n, h, w, 3) of a split, and their severity, -1 where unknown."""
    cells = load_cells(read(data).of_split(split), config, cache, Silent(), 0)
    severity = cells.manifest.frame["severity"].fillna(-1).to_numpy(dtype=np.int64)
    return cells.images, severity


def main() -> None:
    """Fit or load, score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pipeline = Pipeline.load(arguments.bundle) if arguments.bundle else None
    config = pipeline.fitted.config if pipeline else load("cpu")

    images, severity = of_split(arguments.data, "train", config, arguments.cache)
    clean = images[severity == 0]
    halves = np.random.default_rng(SEED).permutation(len(clean)) % 2
    half = fit_severity(clean[halves == 0], SEED)
    simulated = score_simulated(half, clean[halves == 1])
    start = time.process_time()
    whole = pipeline.fitted.restoration.severity if pipeline else fit_severity(clean, SEED)
    fit_s = time.process_time() - start

    images, severity = of_split(arguments.data, "eval", config, arguments.cache)
    is_known = severity >= 0
    record = {
        "level": "image",
        "fitted_on": str(arguments.bundle or f"{len(clean)} pristine training cells"),
        "fit_processor_s": None if pipeline else fit_s,
        "eval": {"split": "eval"} | score(whole.estimate(images[is_known]), severity[is_known]),
        "simulated": {"split": "train, pristine cells, held-out half"} | simulated,
        "time_per_cell": time_ms(whole, images),
    }
    text = json.dumps(record, indent=1, default=float)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
