"""Fit the fold models, and score every training cell by the model that has not seen it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file

from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import TrainingCells, fit_fold
from buffycoat.config import ClassifyConfig, Config, to_hash
from buffycoat.images import writing
from buffycoat.losses.registry import build_loss
from buffycoat.pipeline.fingerprint import Outcome, StageResult, StageStore
from buffycoat.pipeline.prepare import TrainingSet
from buffycoat.pipeline.progress import Reporter
from buffycoat.training.samplers import class_share, class_weights

MODEL_FILE = "model.safetensors"
MIN_SHARE = 1e-8
"""A class without a single cell has no finite log share."""


def fit_folds(
    data: TrainingSet,
    images: np.ndarray,
    images_key: str,
    config: Config,
    store: StageStore,
    reporter: Reporter,
) -> list[FoldModel]:
    """Train one model a fold on the cells of the others.

    Args:
        data: Targets and folds.
        images: What the models see, shape (n, w, w, 3), uint8.
        images_key: Fingerprint of `images`.
        config: The recipe.
        store: Keeps each model, and a checkpoint after each epoch.
        reporter: Progress.

    Returns:
        The models, in order of fold.
    """
    models = []
    n_folds = int(data.folds.fold.max()) + 1
    for fold in range(n_folds):
        reporter.start("classify", f"fold {fold + 1} of {n_folds}")
        inputs = {
            "data": data.key,
            "images": images_key,
            "classify": to_hash(config.classify),
            "seed": config.seed,
            "fold": fold,
        }
        rows = np.flatnonzero(data.folds.fold != fold)
        cells = TrainingCells(images, rows, data.targets[rows], len(data.taxonomy))
        result = store.run(
            f"fold{fold}", inputs, lambda folder, c=cells, f=fold: _fit(c, config, f, folder, reporter)
        )
        models.append(_assemble(result, config, len(data.taxonomy)))
        last = result.values["history"][-1]
        reporter.finish(f"training loss {last['loss']:.3f}, accuracy {last['accuracy']:.3f}")
    return models


def _fit(
    cells: TrainingCells, config: Config, fold: int, folder: Path, reporter: Reporter
) -> Outcome:
    checkpoint = folder / "checkpoint.safetensors"
    model, history = fit_fold(
        cells, config.classify, config.seed * 100 + fold, checkpoint, reporter.advance
    )
    with writing(folder / MODEL_FILE) as part:
        save_file({name: value.cpu().contiguous() for name, value in model.state_dict().items()}, part)
    checkpoint.unlink(missing_ok=True)
    return {}, {"history": history, "log_prior": log_prior(cells, config.classify).tolist()}


def log_prior(cells: TrainingCells, config: ClassifyConfig) -> np.ndarray:
    """Log of the class shares that a model's logits carry, shape (k,); 0 if the loss removes it.

    Class weights in the loss move the optimum just as resampling does, so they count too.
    """
    if not build_loss(config.loss, class_counts=cells.counts).carries_prior:
        return np.zeros(cells.n_classes)
    share = class_share(cells.counts, config.sampler)
    weights = class_weights(cells.counts, config.class_weights)
    if weights is not None:
        share = share * weights
    return np.log(np.maximum(share / share.sum(), MIN_SHARE))


def _assemble(result: StageResult, config: Config, n_classes: int) -> FoldModel:
    state = load_file(result.folder / MODEL_FILE)
    prior = np.array(result.values["log_prior"])
    return FoldModel.assemble(state, config.classify, n_classes, prior)
