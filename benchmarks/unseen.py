"""A kind of degradation that training has never shown: how much does the classifier lose?

    python -m benchmarks.unseen PBC-LT --work runs/unseen \
        --out benchmarks/results/classify/unseen.json

For each of noise, blur and light: a model that learns without it (the simulator does not draw it,
and training cells that the severity estimator says suffer it are left out), beside one that learns
with all three on as many cells. Both are scored on clean evaluation cells degraded by that kind
alone at severity 2-4. This only reports; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks import stored, twins
from buffycoat.bundle import files
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import fit_fold
from buffycoat.config import Config, load, to_hash
from buffycoat.evaluate.bootstrap import bootstrap_interval
from buffycoat.evaluate.metrics import class_weighted_macro_f1
from buffycoat.evaluate.paired import paired_interval
from buffycoat.images import writing
from buffycoat.learn import prepare
from buffycoat.learn.fit_classifier import log_prior
from buffycoat.learn.stage_store import Outcome, StageStore
from buffycoat.learn.training_set import TrainingSet, build_training_set
from buffycoat.progress import Silent
from buffycoat.simulate.degrade import GROUPS, degrade
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve

SEVERITIES = (2, 3, 4)
SUFFERS_FROM = 1.0
"""Estimated severity from which a training cell counts as degraded: rather too many than few."""
MODEL = "model.safetensors"


def cells_without(data: TrainingSet, kind: str) -> np.ndarray:
    """Rows of the training cells that do not suffer from a kind, by the starter's estimate."""
    found = files.read("starter").restoration.severity.estimate(data.cells.images)
    return np.array(
        [row for row in range(len(data.targets)) if kind not in found.names(row, SUFFERS_FROM)]
    )


def train(
    data: TrainingSet, rows: np.ndarray, config: Config, store: StageStore, name: str
) -> FoldModel:
    """One model that learns from some rows, or the stored one."""
    masks = prepare.cell_masks(data.cells.images, data.cells.key, config, store)
    cells = data.seen_by(data.cells.images, rows, masks)

    def compute(folder: Path) -> Outcome:
        print(f"train {name}: {len(rows)} cells", flush=True)
        checkpoint = folder / "checkpoint.safetensors"
        model, _ = fit_fold(cells, config.classify, config.seed, checkpoint)
        with writing(folder / MODEL) as part:
            save_file({k: v.cpu().contiguous() for k, v in model.state_dict().items()}, part)
        checkpoint.unlink(missing_ok=True)
        return {}, {}

    inputs = {
        "data": data.key,
        "rows": rows.tolist(),
        "classify": to_hash(config.classify),
        "seed": config.seed,
    }
    folder = store.run(f"unseen-{name}", inputs, compute).folder
    return FoldModel.assemble(
        load_file(folder / MODEL),
        config.classify,
        cells.n_classes,
        log_prior(cells, config.classify),
    )


def degraded_by(clean: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Each cell degraded once by a group of faults, at a severity of 2-4 that the seed draws."""
    out = np.empty_like(clean)
    for row, image in enumerate(clean):
        rng = np.random.default_rng((seed, row))
        severity = int(rng.choice(SEVERITIES))
        out[row] = degrade(np.ascontiguousarray(image), severity, rng, groups=(kind,))
    return out


def compare(
    images: np.ndarray, targets: np.ndarray, without: FoldModel, with_all: FoldModel
) -> dict[str, Any]:
    """Scores of both models on the same cells, and their paired difference."""
    calls = {
        name: model.view_logits(images).mean(axis=1).argmax(axis=1)
        for name, model in (("without", without), ("with_all", with_all))
    }
    k = len(without.log_prior)
    found: dict[str, Any] = {
        name: vars(bootstrap_interval(targets, called, class_weighted_macro_f1, k=k))
        for name, called in calls.items()
    }
    found["difference"] = vars(
        paired_interval(targets, calls["with_all"], calls["without"], class_weighted_macro_f1, k=k)
    )
    return found


def main() -> None:
    """Train, score and print a table."""
    parser = argparse.ArgumentParser(description="A kind of degradation left out of training.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--work", type=Path, required=True, help="folder to resume from")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    config = load(options.preset, options.changes)
    learned = read(options.data).of_split("train")
    taxonomy = resolve(config.taxonomy, learned.frame["label"].dropna().tolist())
    store = StageStore(options.work / "stages")
    cells = prepare.load_cells(learned, config, options.work / "cache", Silent(), 0)
    data = build_training_set(cells, taxonomy, config, store)
    evaluation, pairs = twins.load_eval(options.data, config, options.work / "cache")
    targets = evaluation.targets(taxonomy)
    table: dict[str, Any] = {
        "recipe": {"preset": options.preset, "set": options.changes},
        "level": "image-level",
        "kinds": {},
    }
    for number, kind in enumerate(GROUPS):
        rows = cells_without(data, kind)
        # As many cells of each class, whatever they suffer, so that only the kind differs.
        others = _as_many(data, rows, np.random.default_rng(number))
        groups = tuple(group for group in GROUPS if group != kind)
        recipe = config.classify.model_copy(update={"degrade_groups": groups})
        models = (
            train(data, rows, config.model_copy(update={"classify": recipe}), store, f"no-{kind}"),
            train(data, others, config, store, f"all-for-{kind}"),
        )
        table["kinds"][kind] = {
            "training_cells": len(rows),
            "left_out": len(data.targets) - len(rows),
            "degraded": compare(degraded_by(pairs.clean, kind, number), targets, *models),
            "clean": compare(pairs.clean, targets, *models),
        }
        stored.write_json(options.out, table)
        print(row_of(kind, table["kinds"][kind]), flush=True)


def _as_many(data: TrainingSet, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    counts = np.bincount(data.targets[rows], minlength=len(data.taxonomy))
    drawn = [
        rng.choice(np.flatnonzero(data.targets == column), count, replace=False)
        for column, count in enumerate(counts)
    ]
    return np.sort(np.concatenate(drawn))


def row_of(kind: str, found: dict[str, Any]) -> str:
    """A line for people."""

    def span(value: dict[str, Any]) -> str:
        return f"{value['estimate']:+.3f} ({value['low']:+.3f} to {value['high']:+.3f})"

    parts = [
        f"{where}: {span(found[where]['without'])} without, {span(found[where]['with_all'])} with, "
        f"difference {span(found[where]['difference'])}"
        for where in ("degraded", "clean")
    ]
    return f"{kind}, {found['training_cells']} cells. " + "; ".join(parts)


if __name__ == "__main__":
    main()
