"""Fold models of several trainings, scoring the same cells as they are and restored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from benchmarks import stored
from buffycoat.bundle.fitted import Fitted
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.errors import ConfigError, WeightsNotFoundError
from buffycoat.fuse.calibrate import fit_temperature
from buffycoat.learn.fit_classifier import MODEL_FILE, log_prior
from buffycoat.learn.fit_scores import seen
from buffycoat.learn.stage_store import StageStore, digest
from buffycoat.learn.training_set import TrainingSet
from buffycoat.optional import choose
from buffycoat.predict import cleaning, stages
from buffycoat.predict.stages import mean_of_probs

ARMS = {
    "none": "trained on images as they are",
    "augmentation": "trained on images degraded at random",
}
"""Name -> how its models were trained."""
Views = Mapping[str, np.ndarray]
"""Logits of every view (n, v, k) of "original" and of "restored" images."""


@dataclass(frozen=True)
class Arm:
    """Models of one training recipe.

    Attributes:
        models: Fold -> the model that has not seen that fold's cells.
        folders: Names of the stages that they come from, which carry their fingerprints.
    """

    models: dict[int, FoldModel]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Cells that are scored together: a name, images (n, w, w, 3), uint8, and a fingerprint."""

    name: str
    images: np.ndarray
    key: str


@dataclass(frozen=True)
class Stands:
    """What restoration left of a part.

    Attributes:
        restored: Images that the gate accepted, in order, shape (m, w, w, 3), uint8.
        is_restored: Shape (n,), bool, m of them true.
        key: Fingerprint.
    """

    restored: np.ndarray
    is_restored: np.ndarray
    key: str


def load_arms(
    named: Sequence[str], data: TrainingSet, fitted: Fitted, views: str
) -> dict[str, Arm]:
    """Arms from "NAME=FOLDER" texts.

    Raises:
        ConfigError: Not such a text, or no such arm.
        WeightsNotFoundError: A folder without any finished model, or arms without a common fold.
    """
    models = {}
    for text in named:
        name, equals, folder = text.partition("=")
        if not equals:
            raise ConfigError(f"--arm {text!r}: expected NAME=FOLDER")
        choose(ARMS, name, "arm")
        models[name] = load_arm(Path(folder), data, fitted, views)
    if not common_folds(models):
        raise WeightsNotFoundError("the arms have no fold in common; wait for their trainings")
    return models


def load_arm(folder: Path, data: TrainingSet, fitted: Fitted, views: str) -> Arm:
    """The newest finished model of each fold in a folder of stages.

    A model that was trained on other cells or folds is refused: it may have seen what it is to
    score.
    """
    models, names = {}, []
    for fold in range(data.folds.n_folds):
        found = [path.parent for path in folder.glob(f"fold{fold}-*/done.json")]
        if not found:
            continue
        newest = max(found, key=lambda path: (path / "done.json").stat().st_mtime)
        inputs = json.loads((newest / "done.json").read_text(encoding="utf-8"))["inputs"]
        if inputs["data"] != data.key or inputs["fold"] != fold:
            raise WeightsNotFoundError(
                f"{newest}: trained on other cells or folds (data {inputs['data']}, fold "
                f"{inputs['fold']}; expected {data.key}, {fold})"
            )
        models[fold] = _assemble(newest, fold, data, fitted, views)
        names.append(newest.name)
    if not models:
        raise WeightsNotFoundError(f"{folder}: no finished fold model in it (fold0-*/done.json)")
    return Arm(models, tuple(names))


def _assemble(folder: Path, fold: int, data: TrainingSet, fitted: Fitted, views: str) -> FoldModel:
    config = fitted.config.classify.model_copy(update={"views": views})
    rows = np.flatnonzero(data.folds.fold != fold)
    k = len(data.taxonomy)
    carried = log_prior(TrainingCells(data.cells.images, rows, data.targets[rows], k), config)
    return FoldModel.assemble(load_file(folder / MODEL_FILE), config, k, carried)


def common_folds(models: Mapping[str, Arm]) -> tuple[int, ...]:
    """Folds of which every arm has its model."""
    return tuple(sorted(set.intersection(*(set(arm.models) for arm in models.values()))))


def clean(part: Part, fitted: Fitted, store: StageStore) -> Stands:
    """Restore and gate a part, or take the result from the store."""

    def compute() -> dict[str, np.ndarray]:
        print(f"{part.name}: restore {len(part.images)} cells", flush=True)
        accepted, images = [], []
        for rows in stages.batches(len(part.images)):
            found = cleaning.clean(np.array(part.images[rows]), fitted.restoration)
            accepted.append(found.is_restored)
            images.append(found.images[found.is_restored])
        return {"is_restored": np.concatenate(accepted), "restored": np.concatenate(images)}

    inputs = {"part": part.key, "restoration": stored.restoration_key(fitted)}
    result = store.run("restored", inputs, lambda _: (compute(), {}))
    return Stands(result.arrays["restored"], np.array(result.arrays["is_restored"]), result.key)


def score(
    part: Part, cleaned: Stands, arm: Arm, fold: int, rows: np.ndarray, store: StageStore
) -> Views:
    """Logits of some rows of a part by one fold's model, or from the store.

    Args:
        part: The cells.
        cleaned: The same after restoration.
        arm: Gives the model.
        fold: Which one.
        rows: Positions in the part, shape (m,).
        store: Keeps the logits.
    """
    model = arm.models[fold]

    def compute() -> dict[str, np.ndarray]:
        print(f"{part.name}: {len(rows)} cells by {name}", flush=True)
        inside = cleaned.is_restored[rows]
        place = np.cumsum(cleaned.is_restored) - 1
        second = cleaned.restored[place[rows[inside]]]
        original = model.view_logits(part.images[rows])
        restored = original.copy()
        restored[inside] = model.view_logits(second)
        return {"original": original, "restored": restored}

    name = next(folder for folder in arm.folders if folder.startswith(f"fold{fold}-"))
    inputs = {
        "part": part.key,
        "cleaned": cleaned.key,
        "model": name,
        "views": model.config.views,
        "rows": digest(rows.tolist()),
    }
    return store.run("logits", inputs, lambda _: (compute(), {})).arrays


def temperature(views: Views, targets: np.ndarray, use: str) -> float:
    """Temperature of a model on cells that it has not seen, for what it is to see."""
    names = ("original", "restored") if use == "both" else (use,)
    return fit_temperature(np.concatenate([views[name] for name in names], axis=1), targets)


def ensemble(scored: Mapping[int, Views], degrees: Mapping[int, float], use: str) -> np.ndarray:
    """Log of the mean of the fold models' calibrated probabilities, shape (n, k)."""
    return mean_of_probs(
        [seen(views, degrees[fold], use).log_probs for fold, views in scored.items()]
    )
