"""Fit the fold models, and score every training cell by the model that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from safetensors.torch import load_file

from buffycoat.backbones.build import build
from buffycoat.backbones.frozen import freeze
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import check_training
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import ClassifyConfig, Config, to_hash
from buffycoat.errors import ConfigError
from buffycoat.fuse.prior import shares
from buffycoat.learn import prepare
from buffycoat.learn.fit_restoration import CleanedSet
from buffycoat.learn.stage_store import (
    StageResult,
    StageStore,
    digest,
    gather,
    hash_of,
    of_weights,
)
from buffycoat.learn.train_models import MODEL_FILE, Training, train_each
from buffycoat.learn.training_set import TrainingSet
from buffycoat.learn.unlabelled import PseudoLabelled
from buffycoat.losses.registry import build_loss
from buffycoat.progress import Reporter
from buffycoat.training.samplers import class_weights


def fit_folds(
    data: TrainingSet,
    cleaned: CleanedSet,
    config: Config,
    store: StageStore,
    reporter: Reporter,
    workers: int,
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
        workers: Models that are trained at the same time.

    Returns:
        The models, in order of fold, and their fingerprint.
    """
    images, images_key = learned_images(data, cleaned, config)
    masks = prepare.cell_masks(images, images_key, config, store)
    trainings = []
    n_folds = data.folds.n_folds
    for fold in range(n_folds):
        inputs = {
            "data": data.key,
            "images": images_key,
            "seed": config.seed,
            "fold": fold,
            **recipe_key(config),
        }
        rows = np.flatnonzero(data.learned_folds.fold != fold)
        cells = data.seen_by(images, rows, masks, np.flatnonzero(data.folds.fold == fold))
        title = f"fold {fold + 1} of {n_folds}"
        trainings.append(Training(f"fold{fold}", inputs, title, cells, config, fold))
    return assembled(trainings, train_each(trainings, workers, store, reporter, "classify"))


def assembled(
    trainings: Sequence[Training], results: Sequence[StageResult]
) -> tuple[list[FoldModel], str]:
    """The trained models, in order, and their fingerprint."""
    pairs = zip(trainings, results, strict=True)
    models = [assemble(result, one.config, one.cells) for one, result in pairs]
    return models, digest(*(result.key for result in results))


def refit(
    data: TrainingSet,
    cleaned: CleanedSet,
    folds_key: str,
    first: FoldModel,
    config: Config,
    store: StageStore,
    reporter: Reporter,
    workers: int,
    added: PseudoLabelled | None = None,
) -> list[FoldModel]:
    """Train more models, on the cells of all folds; none if that is off.

    Args:
        data: Targets and images.
        cleaned: The cells after restoration.
        folds_key: Fingerprint of the fold models.
        first: The first of them.
        config: The recipe.
        store: Keeps each model, and a checkpoint after each epoch.
        reporter: Progress.
        workers: Models that are trained at the same time.
        added: Cells without labels that they learn from too.
    """
    wanted = config.refit
    if not wanted.epochs:
        return []
    cells = learned_cells(data, cleaned, np.arange(len(data.labels)), config, store, added)
    # No cell is left over to pick an epoch on.
    recipe = config.classify.model_copy(
        update={
            "epochs": wanted.epochs,
            "learning_rate": wanted.learning_rate,
            "keep_epoch": "last",
        }
    )
    changed = config.model_copy(update={"classify": recipe})
    initial = first.state if wanted.start == "fold" else None
    trainings = []
    for number in range(wanted.models):
        seed_number = data.folds.n_folds + number
        inputs = {
            "folds": folds_key,
            "refit": to_hash(wanted.model_copy(update={"models": 1})),
            "seed": config.seed,
            "number": number,
            **({} if added is None else {"named": added.key}),
        }
        title = f"{number + 1} of {wanted.models}, on the cells of all folds"
        trainings.append(
            Training(f"refit{number}", inputs, title, cells, changed, seed_number, initial)
        )
    return assembled(trainings, train_each(trainings, workers, store, reporter, "refit"))[0]


def learned_cells(
    data: TrainingSet,
    cleaned: CleanedSet,
    rows: np.ndarray,
    config: Config,
    store: StageStore,
    added: PseudoLabelled | None = None,
) -> TrainingCells:
    """Cells as a classifier learns from them.

    Args:
        data: The labelled cells.
        cleaned: The same after restoration.
        rows: Those that the model may see.
        config: The recipe.
        store: Keeps the masks.
        added: Cells without labels that it learns from too.
    """
    images, images_key = learned_images(data, cleaned, config)
    masks = prepare.cell_masks(images, images_key, config, store)
    cells = data.seen_by(images, rows, masks)
    if added is None:
        return cells
    # One file for all models: a copy for each in memory would grow with the cells.
    parts = [(part, np.arange(len(part))) for part in (images, added.cells.images)]
    together = store.run(
        "student-images",
        {"images": images_key, "unlabelled": added.cells.key},
        lambda folder: ({"images": gather(folder / "images.npy", parts)}, {}),
    )
    others = prepare.cell_masks(added.cells.images, added.cells.key, config, store)
    if masks is not None and others is not None:
        masks = np.concatenate([masks, others])
    return replace(
        cells,
        images=together.arrays["images"],
        rows=np.concatenate([cells.rows, len(images) + added.rows]),
        targets=np.concatenate([cells.targets, added.labels[added.rows]]),
        masks=masks,
        patients=None,
    )


def check_cells(data: TrainingSet, config: Config) -> None:
    """Refuse, before any model is trained, cells that one of them could not be trained on.

    Raises:
        ConfigError: No cells are left to pick an epoch on, or batches cannot be shared evenly.
    """
    for fold in range(data.folds.n_folds):
        rows, held_out = (
            np.flatnonzero(m) for m in (data.folds.fold != fold, data.folds.fold == fold)
        )
        cells = data.seen_by(data.cells.images, rows, None, held_out)
        check_training(cells, config.classify, config.seed * 100 + fold)


def recipe_key(config: Config) -> dict[str, str | None]:
    """What a model's training depends on besides its cells, for its stage's fingerprint."""
    return {
        "classify": hash_of(config.classify),
        "weights": of_weights(config.classify.weights),
        "masks": prepare.segment_key(config) if config.classify.cuts_cells else None,
    }


def learned_images(
    data: TrainingSet, cleaned: CleanedSet, config: Config
) -> tuple[np.ndarray, str]:
    """The images that models learn from, and their fingerprint."""
    if config.restore.use == "restored":
        return cleaned.learned, cleaned.key
    return data.learned.images, data.learned.key


def check(config: Config, n_classes: int, groups: Sequence[str] = ()) -> dict[str, str]:
    """Build the network once, so that a wrong name, size or weight file fails in a second.

    Args:
        config: The settings.
        n_classes: k.
        groups: Labels coarser than a class that it is to learn from.

    Returns:
        `source` and `licence` of its initial weights.

    Raises:
        ConfigError: No such model, an input size that it cannot take, more parts to freeze than
            it has, or a loss that cannot learn from groups.
        WeightsNotFoundError: Its weights are not where the settings say.
    """
    recipe = config.classify
    if groups:
        _check_groups(recipe, groups)
    built = build(
        recipe.backbone,
        recipe.weights,
        n_classes,
        recipe.input_px,
        recipe.dropout,
        recipe.head,
    )
    freeze(built.model, recipe.frozen_parts)
    return {"source": built.source, "licence": built.licence}


def _check_groups(recipe: ClassifyConfig, groups: Sequence[str]) -> None:
    reason = ""
    if recipe.loss == "ldam":
        reason = "loss 'ldam' has a margin a class, and probabilities with different margins have "
        reason += "no sum. Set classify.loss to another, such as logit_adjustment"
    elif recipe.maturation_smoothing:
        reason = "maturation_smoothing shares a cell of one class with its neighbours. "
        reason += "Set classify.maturation_smoothing=0"
    if reason:
        raise ConfigError(
            f"the data hold labels of several classes ({', '.join(groups)}), and {reason}, or "
            f"leave these cells out: {' '.join(f'--leave-out {code}' for code in groups)}"
        )


def log_prior(cells: TrainingCells, config: ClassifyConfig) -> np.ndarray:
    """What training left of the class mix in a model's logits, shape (k,); 0 if nothing.

    Class weights in the loss move the optimum just as resampling does, so they count too. A class
    without cells counts for half a one (`fuse.prior.shares`). A normalised head
    (tau-normalisation) counts as free of the prior, as its authors take it.
    """
    config = config.last_phase
    if config.head_norm:
        return np.zeros(cells.n_classes)
    loss = build_loss(config.loss, class_counts=cells.expected_counts, tau=config.logit_tau)
    left = loss.prior_left * np.log(shares(cells.drawn_counts(config, config.sampler)))
    weights = class_weights(cells.expected_counts, config.class_weights)
    # + 0.0 makes of the -0.0 of nothing left a plain 0.
    return left + (0.0 if weights is None else np.log(np.where(weights > 0, weights, 1.0)))


def assemble(result: StageResult, config: Config, cells: TrainingCells) -> FoldModel:
    """The model that `train_model` left, ready to score the cells that it has not seen."""
    state = load_file(result.folder / MODEL_FILE)
    carried = np.zeros(cells.n_classes)
    if config.fuse.prior != "as_trained":
        carried = log_prior(cells, config.classify)
    return FoldModel.assemble(state, config.classify, cells.n_classes, carried)
