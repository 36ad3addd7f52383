r"""Whether the classifier gains from restoration, beside training on degraded images or instead.

    python -m benchmarks.downstream DATA --bundle B --arm none=RUN1/stages \
        --arm augmentation=RUN2/stages --out downstream.json [--split train]

Each arm is a folder of stages with one model a fold, trained without or with degradation as
augmentation. Every arm sees images as they are, restored where the gate accepted, and both,
averaged. First each training cell and its degraded twin is scored by the fold model that has not
seen it: this decides, and gives the temperatures. Unless `--split train` is asked for, the
evaluation split is scored too, with its clean twins degraded again by five seeds: this only
reports. Killed, the same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmarks.arms import ARMS, Arm, Part, Views

from benchmarks import arms, stored, twins
from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.evaluate.bootstrap import bootstrap_interval
from buffycoat.evaluate.interval import Interval
from buffycoat.evaluate.metrics import class_weighted_macro_f1
from buffycoat.evaluate.paired import paired_interval
from buffycoat.learn import prepare
from buffycoat.learn.fit_scores import seen
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.training_set import TrainingSet, build_training_set
from buffycoat.progress import Silent
from buffycoat.report.wording import ends, number, signed
from buffycoat.sources.read import read

SEEDS = (1, 2, 3, 4, 5)
METHODS = {
    "none": ("none", "original"),
    "augmentation": ("augmentation", "original"),
    "restoration": ("none", "restored"),
    "restoration, averaged": ("none", "both"),
    "both": ("augmentation", "restored"),
    "both, averaged": ("augmentation", "both"),
}
"""Name -> the arm, and what it sees."""
COMPARED = (
    ("both", "augmentation"),
    ("both, averaged", "augmentation"),
    ("augmentation", "none"),
    ("restoration", "none"),
    ("restoration, averaged", "none"),
    ("augmentation", "restoration"),
)
"""Pairs of methods; a difference is the first minus the second."""
NOTES = (
    "balanced macro-F1; 95 % intervals; a cell is resampled with all of its versions and all "
    "methods' calls; image-level, since patients are not known",
    "out_of_fold decides: each cell, and its twin degraded at severity 1-4, is scored by the model "
    "of its fold. The restorer has learned from the clean ones among these cells",
    "evaluation only reports: each cell as photographed, and its clean twin degraded again once a "
    "seed; the mean of the fold models' calibrated probabilities",
    "one training of each model: what another seed of training would change is not in the "
    "intervals",
)


@dataclass(frozen=True)
class Rows:
    """Scored versions of cells.

    Attributes:
        targets: Class of each row, shape (n,).
        cell: Which cell it shows, shape (n,).
        groups: Name -> rows (n,), bool, that are scored together.
        calls: Method -> class that it names, shape (n,).
        is_restored: Whether the gate accepted, shape (n,), bool.
    """

    targets: np.ndarray
    cell: np.ndarray
    groups: dict[str, np.ndarray]
    calls: dict[str, np.ndarray]
    is_restored: np.ndarray


def tabulate(rows: Rows, k: int) -> dict[str, Any]:
    """Score of each method and paired differences, for each group of rows."""
    table: dict[str, Any] = {}
    for name, inside in rows.groups.items():
        truth, cell = rows.targets[inside], rows.cell[inside]
        calls = {method: found[inside] for method, found in rows.calls.items()}
        table[name] = {
            "n": len(truth),
            "cells": len(np.unique(cell)),
            "share_restored": float(rows.is_restored[inside].mean()),
            "macro_f1": {
                method: _plain(bootstrap_interval(truth, found, class_weighted_macro_f1, cell, k=k))
                for method, found in calls.items()
            },
            "differences": {
                f"{one} - {other}": _plain(
                    paired_interval(
                        truth, calls[other], calls[one], class_weighted_macro_f1, cell, k=k
                    )
                )
                for one, other in COMPARED
                if one in calls and other in calls
            },
        }
    return table


def _plain(found: Interval) -> dict[str, Any]:
    return {"estimate": found.estimate, "low": found.low, "high": found.high}


def out_of_fold(
    data: TrainingSet, models: Mapping[str, Arm], fitted: Fitted, options: Any
) -> tuple[Rows, dict[str, dict[str, dict[int, float]]]]:
    """Each training cell and its twin by the model that saw neither, and the temperatures.

    Returns:
        The rows, and arm -> what it sees -> fold -> temperature.
    """
    store = StageStore(options.cache / "stages")
    folds = arms.common_folds(models)
    rows = twins.spread(len(data.targets), options.limit)
    rows = rows[np.isin(data.folds.fold[rows], folds)]
    both = np.concatenate([data.cells.images[rows], data.degraded[rows]])
    part = Part("training", both, twins.of_images(both))
    cleaned = arms.clean(part, fitted, store)
    fold = np.tile(data.folds.fold[rows], 2)
    targets = np.tile(data.targets[rows], 2)
    calls = {}
    temperatures: dict[str, dict[str, dict[int, float]]] = {}
    for name, (arm, use) in METHODS.items():
        if arm not in models:
            continue
        logs = np.zeros((len(targets), len(data.taxonomy)))
        fitted_here = temperatures.setdefault(arm, {}).setdefault(use, {})
        for index in folds:
            inside = np.flatnonzero(fold == index)
            views = arms.score(part, cleaned, models[arm], index, inside, store)
            fitted_here[index] = arms.temperature(views, targets[inside], use)
            logs[inside] = seen(views, fitted_here[index], use).log_probs
        calls[name] = logs.argmax(axis=1)
    severity = data.degraded_severity[rows]
    n = len(rows)
    is_twin = np.arange(2 * n) >= n
    level = np.concatenate([np.zeros(n, dtype=np.int64), severity])
    groups = {"as they are": ~is_twin, "degraded twins": is_twin, "all": is_twin | True}
    groups |= {f"twins, severity {s}": level == s for s in np.unique(severity)}
    groups["twins, severity 2-4"] = level >= 2
    found = Rows(targets, np.tile(rows, 2), groups, calls, cleaned.is_restored)
    return found, temperatures


def evaluation(
    models: Mapping[str, Arm],
    temperatures: Mapping[str, Mapping[str, Mapping[int, float]]],
    fitted: Fitted,
    options: Any,
) -> tuple[Rows, Rows]:
    """The evaluation split with its twins degraded again, and the clean twins as they are."""
    store = StageStore(options.cache / "stages")
    manifest, as_is = twins.load_eval(
        options.data, fitted.config, options.cache / "images", options.limit
    )
    again = [twins.degrade_again(as_is.clean, seed) for seed in SEEDS]
    sets = [as_is, *again, twins.as_they_are(as_is.clean)]
    calls: dict[str, list[np.ndarray]] = {}
    restored = []
    for cells in sets:
        part = Part(cells.name, cells.degraded, cells.key)
        cleaned = arms.clean(part, fitted, store)
        restored.append(cleaned.is_restored)
        every = np.arange(len(cells))
        scored: dict[str, dict[int, Views]] = {
            arm: {
                fold: arms.score(part, cleaned, model, fold, every, store)
                for fold in arms.common_folds(models)
            }
            for arm, model in models.items()
        }
        for name, (arm, use) in METHODS.items():
            if arm in models:
                logs = arms.ensemble(scored[arm], temperatures[arm][use], use)
                calls.setdefault(name, []).append(logs.argmax(axis=1))
    targets = manifest.targets(fitted.taxonomy)

    def rows(chosen: slice) -> Rows:
        parts = sets[chosen]
        severity = np.concatenate([cells.severity for cells in parts])
        one = replace(parts[0], severity=severity)
        return Rows(
            np.tile(targets, len(parts)),
            np.concatenate([cells.cell for cells in parts]),
            dict(one.by_severity()),
            {name: np.concatenate(found[chosen]) for name, found in calls.items()},
            np.concatenate(restored[chosen]),
        )

    return rows(slice(0, -1)), rows(slice(-1, None))


def markdown(table: Mapping[str, Any]) -> str:
    """A table for people: a line a method or difference, a column a group."""
    names = list(table)
    lines = ["| balanced macro-F1 | " + " | ".join(names) + " |", "|-" * (len(names) + 1) + "|"]
    for what in ("n", "share_restored"):
        figures = [f"{table[name][what]:.3g}" for name in names]
        lines.append(f"| {what.replace('_', ' ')} | " + " | ".join(figures) + " |")
    for what, written in (("macro_f1", number), ("differences", signed)):
        for method in table[names[0]][what]:
            found = [table[name][what][method] for name in names]
            figures = [f"{written(f['estimate'], 3)} ({ends(f, 3, written)})" for f in found]
            lines.append(f"| {method} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Does the classifier gain from restoration?")
    parser.add_argument("data", type=Path, help="PBC-LT, with phase2/eval_pristine/")
    parser.add_argument("--bundle", required=True, help="gives severity, restorer and gate")
    parser.add_argument(
        "--arm", action="append", required=True, metavar="NAME=STAGES",
        help=f"a folder of stages with a model a fold; NAME is {' or '.join(ARMS)}",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--cache", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--split", choices=("train", "eval"), default="eval")
    parser.add_argument("--views", choices=("one", "d4"), default="one")
    parser.add_argument("--limit", type=int, help="take so many cells of each set, for a trial")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Score, write JSON, print tables for people."""
    options = read_arguments()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    fitted = files.read(options.bundle)
    learned = read(options.data).of_split("train")
    learned = learned.subset(learned.is_labelled)
    cells = prepare.load_cells(learned, fitted.config, options.cache / "images", Silent(), 0)
    store = StageStore(options.cache / "stages")
    data = build_training_set(cells, fitted.taxonomy, fitted.config, store)
    models = arms.load_arms(options.arm, data, fitted, options.views)
    decided, temperatures = out_of_fold(data, models, fitted, options)
    found: dict[str, Any] = {
        "notes": list(NOTES),
        "bundle": stored.restoration_key(fitted),
        "arms": {name: {"models": list(arm.folders)} for name, arm in models.items()},
        "views": options.views,
        "folds": list(arms.common_folds(models)),
        "seeds": list(SEEDS),
        "temperatures": temperatures,
        "out_of_fold": tabulate(decided, len(fitted.taxonomy)),
    }
    tables = ["out_of_fold"]
    if options.split == "eval":
        worse, clean = evaluation(models, temperatures, fitted, options)
        found["evaluation"] = tabulate(worse, len(fitted.taxonomy))
        found["clean_twins_as_they_are"] = tabulate(clean, len(fitted.taxonomy))
        tables += ["evaluation", "clean_twins_as_they_are"]
    stored.write_json(options.out, found)
    for name in tables:
        print(f"\n{name}\n\n{markdown(found[name])}")


if __name__ == "__main__":
    main()
