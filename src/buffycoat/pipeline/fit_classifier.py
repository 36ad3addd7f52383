"""Fit the fold models, and score every training cell by the model that has not seen it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file

from buffycoat.backbones.build import build
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import TrainingCells, fit_fold
from buffycoat.config import ClassifyConfig, Config, to_hash
from buffycoat.images import writing
from buffycoat.losses.registry import build_loss
from buffycoat.pipeline.fingerprint import Outcome, StageResult, StageStore, digest
from buffycoat.pipeline.fit_restoration import CleanedSet
from buffycoat.pipeline.prepare import TrainingSet
from buffycoat.pipeline.progress import Reporter
from buffycoat.training.samplers import class_share, class_weights

MODEL_FILE = "model.safetensors"
MIN_SHARE = 1e-8
"""A class without a single cell has no finite log share."""


def fit_folds(
    data: TrainingSet,
    cleaned: CleanedSet,
    config: Config,
    store: StageStore,
    reporter: Reporter,
) -> tuple[list[FoldModel], str]:
    """Train one model a fold on the cells of the others.

    The models learn from the cells as they are, degraded at random while they learn; only where
    the settings fix `restore.use = "restored"`, as the paper does, from restored ones.

    Args:
        data: Targets, folds and images.
        cleaned: The cells after restoration.
        config: The recipe.
        store: Keeps each model, and a checkpoint after each epoch.
        reporter: Progress.

    Returns:
        The models, in order of fold, and their fingerprint.
    """
    is_restored = config.restore.use == "restored"
    images = cleaned.cells.images if is_restored else data.cells.images
    images_key = cleaned.key if is_restored else data.cells.key
    models, keys = [], []
    n_folds = data.folds.n_folds
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
            f"fold{fold}",
            inputs,
            lambda folder, c=cells, f=fold: _fit(c, config, f, folder, reporter),
        )
        models.append(_assemble(result, config, cells))
        keys.append(result.key)
        last = result.values["history"][-1]
        reporter.finish(f"training loss {last['loss']:.3f}, accuracy {last['accuracy']:.3f}")
    return models, digest(*keys)


def check(config: Config, n_classes: int) -> dict[str, str]:
    """Build the network once, so that a wrong name, size or weight file fails in a second.

    Returns:
        `source` and `licence` of its initial weights.

    Raises:
        ConfigError: No such model, or an input size that it cannot take.
        WeightsNotFoundError: Its weights are not where the settings say.
    """
    recipe = config.classify
    built = build(recipe.backbone, recipe.weights, n_classes, recipe.input_px, recipe.dropout)
    return {"source": built.source, "licence": built.licence}


def _fit(
    cells: TrainingCells, config: Config, fold: int, folder: Path, reporter: Reporter
) -> Outcome:
    checkpoint = folder / "checkpoint.safetensors"
    model, history = fit_fold(
        cells, config.classify, config.seed * 100 + fold, checkpoint, reporter.advance
    )
    with writing(folder / MODEL_FILE) as part:
        save_file(
            {name: value.cpu().contiguous() for name, value in model.state_dict().items()}, part
        )
    checkpoint.unlink(missing_ok=True)
    return {}, {"history": history}


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


def _assemble(result: StageResult, config: Config, cells: TrainingCells) -> FoldModel:
    state = load_file(result.folder / MODEL_FILE)
    carried = np.zeros(cells.n_classes)
    if config.fuse.prior != "as_trained":
        carried = log_prior(cells, config.classify)
    return FoldModel.assemble(state, config.classify, cells.n_classes, carried)
