"""Fit the second opinions: embeddings, models of each kind, and what counts as strange."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from buffycoat.backbones.arrays import save_arrays
from buffycoat.config import Config, EmbedConfig
from buffycoat.embed.cache import encode_cached
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.gallery import Gallery
from buffycoat.embed.head import Head
from buffycoat.embed.head_training import train_head
from buffycoat.embed.neighbours import NeighbourVote
from buffycoat.embed.outliers import FALLBACK, SCORES, OutlierModel
from buffycoat.embed.panel import HEAD, LABELS, EmbeddingModel, Panel
from buffycoat.embed.prototypes import Prototypes
from buffycoat.errors import ConfigError, NotEstimableError
from buffycoat.fuse.calibrate import fit_temperature, log_probs
from buffycoat.images import writing
from buffycoat.learn.fit_restoration import CleanedSet
from buffycoat.learn.stage_store import Outcome, StageStore, hash_of
from buffycoat.learn.training_set import TrainingSet
from buffycoat.progress import Reporter
from buffycoat.taxonomy import Taxonomy

HEAD_FILE = "head.safetensors"
OUTLIERS = "outlier score"
"""What notes call it."""
OUTLIER_FILE = "outliers.safetensors"


@dataclass(frozen=True)
class Opinion:
    """What a frozen encoder and models on its embeddings say, and how strange a cell is to them.

    Attributes:
        panels: By kind; empty where the settings want none.
        log_probs: Of each kind, out of fold, calibrated, uniform prior, shape (2n, k): cells,
            then twins.
        outliers: Fitted on the training cells as they are.
        gallery: The same cells, to look up those that look like a new one.
        notes: What turned out not to be estimable, and is off: stage -> why.
    """

    panels: dict[str, Panel]
    log_probs: dict[str, np.ndarray]
    outliers: OutlierModel
    gallery: Gallery
    notes: dict[str, str]


@dataclass(frozen=True, eq=False)
class Embedded:
    """Cells, then their twins, as those models see them.

    Attributes:
        embeddings: Shape (2n, d).
        targets: Shape (2n,).
        folds: Shape (2n,).
        groups: Shape (2n,): rows of one cell or patient.
        codes: Classes in column order.
        key: Fingerprint of the embeddings.
    """

    embeddings: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    groups: np.ndarray
    codes: Sequence[str]
    key: str


def check(config: Config, taxonomy: Taxonomy) -> None:
    """Refuse settings of the head that no training could follow.

    Raises:
        ConfigError: A class that is to be oversampled is not in the taxonomy.
    """
    unknown = sorted({*config.embed.oversample} - {*taxonomy.codes})
    if unknown:
        raise ConfigError(
            f"embed.oversample names {', '.join(unknown)}, and the classes are "
            f"{', '.join(taxonomy.codes)}. Name some of these, or none: "
            "--set 'embed.oversample={}'"
        )


def fit(
    data: TrainingSet,
    cleaned: CleanedSet,
    encoder: Encoder,
    config: Config,
    store: StageStore,
    reporter: Reporter,
    cache: Path,
    logits: np.ndarray,
    too_few: Mapping[str, str],
) -> Opinion:
    """Embed every cell and twin as they stand, fit models inside each fold, score the rest.

    `logits`, shape (2n, k), are the classifier's, out of fold, for the outlier score of that kind.
    Kinds in `too_few`, of `least_data.plan`, are left out. So is one whose cells only now prove
    too alike: copies whose files differ.
    """
    cells = _embed(data, cleaned, encoder, config, store, reporter, cache)
    n = len(data.targets)
    notes: dict[str, str] = {}
    score = FALLBACK if OUTLIERS in too_few else config.embed.outliers
    try:
        outliers = _outliers(score, cells, logits[:n], data, store)
    except NotEstimableError as error:
        notes[OUTLIERS] = f"{score}: {error}; {FALLBACK} takes its place"
        outliers = _outliers(FALLBACK, cells, logits[:n], data, store)
    panels, scores = {}, {}
    for kind, fit_model in _wanted(cells, config, store, reporter).items():
        if kind in too_few:
            continue
        reporter.start(LABELS[kind])
        try:
            panels[kind], scores[kind] = _panel(cells, fit_model, config)
        except NotEstimableError as error:
            notes[kind] = str(error)
        reporter.finish(f"off: {notes[kind]}" if kind in notes else "")
    ids = data.cells.manifest.frame["cell_id"].astype(str).tolist()
    gallery = Gallery.fit(cells.embeddings[:n], ids, data.targets)
    return Opinion(panels, scores, outliers, gallery, notes)


def _embed(
    data: TrainingSet,
    cleaned: CleanedSet,
    encoder: Encoder,
    config: Config,
    store: StageStore,
    reporter: Reporter,
    cache: Path,
) -> Embedded:
    reporter.start("embed", f"{config.embed.encoder} at {config.embed.input_px} px")
    n = len(data.targets)
    embedded = store.run(
        "embed",
        {"cleaned": cleaned.key, "encoder": encoder.fingerprint},
        lambda _: (
            {
                "cells": encode_cached(
                    encoder, cleaned.cells.images, cache, lambda d, _: reporter.advance(d, 2 * n)
                ),
                "twins": encode_cached(
                    encoder,
                    cleaned.twins.images,
                    cache,
                    lambda d, _: reporter.advance(n + d, 2 * n),
                ),
            },
            {},
        ),
    )
    reporter.finish()
    return Embedded(
        np.concatenate([embedded.arrays["cells"], embedded.arrays["twins"]]),
        np.tile(data.targets, 2),
        np.tile(data.folds.fold, 2),
        data.groups,
        data.taxonomy.codes,
        embedded.key,
    )


FitModel = Callable[[int, np.ndarray], EmbeddingModel]
"""Fold and the rows of the other folds -> the model of that fold."""


def _wanted(
    cells: Embedded, config: Config, store: StageStore, reporter: Reporter
) -> dict[str, FitModel]:
    """Kinds that the settings want, in the order in which the stack is offered them."""
    k = len(cells.codes)
    recipe: EmbedConfig = config.embed
    kinds: dict[str, FitModel] = {}
    if recipe.head != "off":
        kinds[HEAD] = lambda fold, seen: _head(fold, seen, cells, config, store, reporter)
    if recipe.neighbours:
        kinds["neighbours"] = lambda _, seen: NeighbourVote.fit(
            cells.embeddings[seen], cells.targets[seen], k, cells.groups[seen]
        )
    if recipe.class_means:
        kinds["class_means"] = lambda _, seen: Prototypes.fit(
            cells.embeddings[seen], cells.targets[seen], k
        )
    return kinds


def _panel(cells: Embedded, fit_model: FitModel, config: Config) -> tuple[Panel, np.ndarray]:
    """One model a fold, and what each says of the cells that it has not seen."""
    logs = np.empty((len(cells.targets), len(cells.codes)))
    models, temperatures = [], []
    for fold in range(int(cells.folds.max()) + 1):
        inside = cells.folds == fold
        model = fit_model(fold, np.flatnonzero(~inside))
        logits = model.logits(cells.embeddings[inside], config.fuse.prior != "as_trained")
        calibrated = 1.0
        if config.fuse.calibrate:
            calibrated = fit_temperature(logits, cells.targets[inside])
        logs[inside] = log_probs(logits, calibrated)
        models.append(model)
        temperatures.append(calibrated)
    return Panel(tuple(models), tuple(temperatures)), logs


def _outliers(
    score: str, cells: Embedded, logits: np.ndarray, data: TrainingSet, store: StageStore
) -> OutlierModel:
    k, n = len(data.taxonomy), len(data.targets)
    if SCORES[score].looks_at == "logits":
        return OutlierModel.fit(score, logits, data.targets, k)

    def compute(folder: Path) -> Outcome:
        model = OutlierModel.fit(score, cells.embeddings[:n], data.targets, k)
        with writing(folder / OUTLIER_FILE) as part:
            save_arrays(model.to_tensors(), part)
        return {}, {}

    inputs = {"score": score, "embeddings": cells.key, "data": data.key}
    result = store.run("outliers", inputs, compute)
    return OutlierModel.from_tensors(score, load_file(result.folder / OUTLIER_FILE))


def _head(
    fold: int,
    seen: np.ndarray,
    cells: Embedded,
    config: Config,
    store: StageStore,
    reporter: Reporter,
) -> Head:
    n_folds = int(cells.folds.max()) + 1

    def report(done: int, total: int) -> None:
        reporter.advance(fold * total + done, n_folds * total)

    def compute(folder: Path) -> Outcome:
        seed = config.seed * 100 + fold
        head = train_head(
            cells.embeddings[seen], cells.targets[seen], cells.codes, config.embed, seed, report
        )
        with writing(folder / HEAD_FILE) as part:
            save_arrays(head.to_tensors(), part)
        return {}, {"head": head.to_dict()}

    inputs = {
        "embeddings": cells.key,
        "embed": hash_of(config.embed),
        "seed": config.seed,
        "fold": fold,
    }
    result = store.run(f"head{fold}", inputs, compute)
    return Head.from_tensors(load_file(result.folder / HEAD_FILE), result.values["head"])
