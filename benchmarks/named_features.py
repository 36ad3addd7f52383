"""What do named features say of a cell's class, alone and beside networks?

    python -m benchmarks.named_features PBC-LT runs/final runs/cost --out named-features.json

A logistic regression on `refine.features`, the learner of `benchmarks.attributes` with its settings
as they are there, sees each training cell as it is and once more degraded at severity 1-4; no
image, embedding or score. Alone it is scored out of fold and, fitted on all training cells, on
eval. Beside networks it is offered to the stack (`fuse.stack`), whose share and temperature are
fitted on the other folds: beside each recipe and seed in the folders of `buffycoat bench classify`,
and beside the mean of them all. Rows weigh 1/n of their class; intervals resample cells with their
twins. All is image-level.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.attributes import LEARNERS
from benchmarks.averaging import read_models
from sklearn.base import ClassifierMixin, clone

from benchmarks import stored
from buffycoat.cells import Manifest
from buffycoat.config import Config, load
from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.metrics import class_weighted_macro_f1
from buffycoat.fuse.calibrate import FLOOR, fit_temperature, log_probs
from buffycoat.fuse.stack import fit_stack
from buffycoat.learn import prepare
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.training_set import TrainingSet, build_training_set
from buffycoat.predict import stages
from buffycoat.progress import Silent
from buffycoat.refine.features import measure_all
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sources.read import read
from buffycoat.taxonomy import Taxonomy, resolve

LEARNER = "logistic"
BASE, MEMBER = "ensemble", "named features"


@dataclass(frozen=True, eq=False)
class Measured:
    """Training cells, then their degraded twins.

    Attributes:
        features: Shape (2n, f).
        targets: Shape (2n,).
        folds: Shape (2n,).
        groups: Shape (2n,): a cell and its twin share one.
    """

    features: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    groups: np.ndarray


def measure(images: np.ndarray, config: Config) -> np.ndarray:
    """Features of working images, shape (n, f)."""
    segment = build_segmenter(config.segment)
    return np.concatenate(
        [measure_all(images[rows], segment(images[rows])) for rows in stages.batches(len(images))]
    )


def measure_training(data: TrainingSet, config: Config) -> Measured:
    """Measure every training cell and its twin."""
    return Measured(
        np.concatenate([measure(data.cells.images, config), measure(data.degraded, config)]),
        np.tile(data.targets, 2),
        np.tile(data.folds.fold, 2),
        data.groups,
    )


def logs_of(learner: ClassifierMixin, features: np.ndarray) -> np.ndarray:
    """Log probabilities, shape (n, k)."""
    return np.log(np.maximum(learner.predict_proba(features), FLOOR))  # type: ignore[attr-defined]


def out_of_fold(cells: Measured, learner: ClassifierMixin) -> np.ndarray:
    """Calibrated log probabilities by what has not seen a row's cell, shape (2n, k)."""
    logs = np.empty((len(cells.targets), int(cells.targets.max()) + 1))
    for fold in np.unique(cells.folds):
        inside = cells.folds == fold
        fitted = clone(learner).fit(cells.features[~inside], cells.targets[~inside])
        raw = logs_of(fitted, cells.features[inside])
        logs[inside] = log_probs(raw, fit_temperature(raw, cells.targets[inside]))
    return logs


def beside(base: np.ndarray, member: np.ndarray, cells: Measured) -> dict[str, Any]:
    """What the stack says of the features beside a base."""
    members = {BASE: base, MEMBER: member}
    stack = fit_stack(members, cells.targets, cells.folds, BASE, groups=cells.groups)
    row = stack.rows[1]
    return {name: getattr(row, name) for name in ("share", "gain", "low", "high", "is_kept")}


def score(
    targets: np.ndarray, called: np.ndarray, k: int, groups: np.ndarray | None
) -> list[float]:
    """Balanced macro-F1 with its interval."""
    found = resample(targets, called, k, groups).interval(class_weighted_macro_f1)
    return [found.estimate, found.low, found.high]


def load_training(
    manifest: Manifest, taxonomy: Taxonomy, config: Config, work: Path
) -> TrainingSet:
    """Training cells as `bench classify` sees them."""
    learned = manifest.of_split("train")
    learned = learned.subset(learned.is_labelled)
    cells = prepare.load_cells(learned, config, work / "cache", Silent(), 0)
    return build_training_set(cells, taxonomy, config, StageStore(work / "stages"))


def main() -> None:
    """Measure, fit, print and write."""
    parser = argparse.ArgumentParser(description="Named features alone and beside networks.")
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of bench classify")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    config = load("cpu")
    manifest = read(options.data)
    taxonomy = resolve(config.taxonomy, manifest.frame["label"].dropna().tolist())
    data = load_training(manifest, taxonomy, config, options.runs[0])
    cells, k = measure_training(data, config), len(taxonomy)
    learner = LEARNERS[LEARNER]()
    member = out_of_fold(cells, learner)
    alone = score(cells.targets, member.argmax(axis=1), k, cells.groups)

    held_out = manifest.of_split("eval")
    held_out = held_out.subset(held_out.is_labelled)
    images = prepare.load_cells(held_out, config, options.runs[0] / "cache", Silent(), 0).images
    fitted = clone(learner).fit(cells.features, cells.targets)
    called = logs_of(fitted, measure(images, config)).argmax(axis=1)
    on_eval = score(held_out.targets(taxonomy), called, k, None)
    print(f"alone: out of fold {alone}, eval {on_eval}")

    models = read_models(options.runs, data.targets, data.folds.fold)
    rows = [beside(model, member, cells) for model in models]
    together = beside(stages.MEANS["geometric"](models), member, cells)
    for row in (*rows, together):
        print(row)
    if options.out:
        values = {
            "level": "image-level",
            "n": len(cells.targets),
            "n_eval": len(called),
            "out_of_fold": alone,
            "eval": on_eval,
            "beside_one_model": rows,
            "beside_the_mean_of_all": together,
        }
        stored.write_json(options.out, values)


if __name__ == "__main__":
    main()
