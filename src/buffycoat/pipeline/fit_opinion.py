"""Fit the second opinion: embeddings, one head a fold, and what counts as strange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from buffycoat.config import Config, to_hash
from buffycoat.embed.cache import encode_cached
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.head import Head, train_head
from buffycoat.embed.outliers import OutlierModel
from buffycoat.fuse.calibrate import fit_temperature, log_probs
from buffycoat.images import writing
from buffycoat.pipeline.fingerprint import Outcome, StageStore
from buffycoat.pipeline.fit_restoration import CleanedSet
from buffycoat.pipeline.prepare import TrainingSet
from buffycoat.pipeline.progress import Reporter

HEAD_FILE = "head.safetensors"
OUTLIER_FILE = "outliers.safetensors"


@dataclass(frozen=True)
class Opinion:
    """What a frozen encoder and its heads say, and how strange a cell is to them.

    Attributes:
        heads: One a fold; empty where the head is off.
        temperatures: Of each head.
        log_probs: Out of fold, calibrated, uniform prior, shape (2n, k): cells, then twins.
            None where the head is off.
        outliers: Fitted on the training cells as they are.
    """

    heads: list[Head]
    temperatures: list[float]
    log_probs: np.ndarray | None
    outliers: OutlierModel


def fit(
    data: TrainingSet,
    cleaned: CleanedSet,
    encoder: Encoder,
    config: Config,
    store: StageStore,
    reporter: Reporter,
    cache: Path,
) -> Opinion:
    """Embed every cell and twin as they stand, train a head inside each fold, score the rest."""
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
    embeddings = np.concatenate([embedded.arrays["cells"], embedded.arrays["twins"]])
    reporter.finish()
    outliers = _outliers(config.embed.outliers, embeddings[:n], data, embedded.key, store)
    if config.embed.head == "off":
        return Opinion([], [], None, outliers)

    reporter.start("head", config.embed.head)
    targets, folds = np.tile(data.targets, 2), np.tile(data.folds.fold, 2)
    heads = [
        _head(
            fold,
            embeddings,
            targets,
            folds,
            data.taxonomy.codes,
            config,
            embedded.key,
            store,
            reporter,
        )
        for fold in range(data.folds.n_folds)
    ]
    logs = np.empty((len(targets), len(data.taxonomy)))
    temperatures = []
    for fold, head in enumerate(heads):
        inside = folds == fold
        logits = head.logits(embeddings[inside], config.fuse.prior != "as_trained")
        calibrated = fit_temperature(logits, targets[inside]) if config.fuse.calibrate else 1.0
        temperatures.append(calibrated)
        logs[inside] = log_probs(logits, temperatures[-1])
    reporter.finish()
    return Opinion(heads, temperatures, logs, outliers)


def _outliers(
    score: str, embeddings: np.ndarray, data: TrainingSet, key: str, store: StageStore
) -> OutlierModel:
    def compute(folder: Path) -> Outcome:
        model = OutlierModel.fit(score, embeddings, data.targets, len(data.taxonomy))
        with writing(folder / OUTLIER_FILE) as part:
            save_file(model.to_tensors(), part)
        return {}, {}

    inputs = {"score": score, "embeddings": key, "data": data.key}
    result = store.run("outliers", inputs, compute)
    return OutlierModel.from_tensors(score, load_file(result.folder / OUTLIER_FILE))


def _head(
    fold: int,
    embeddings: np.ndarray,
    targets: np.ndarray,
    folds: np.ndarray,
    codes: Sequence[str],
    config: Config,
    key: str,
    store: StageStore,
    reporter: Reporter,
) -> Head:
    n_folds = int(folds.max()) + 1

    def report(done: int, total: int) -> None:
        reporter.advance(fold * total + done, n_folds * total)

    def compute(folder: Path) -> Outcome:
        seen = folds != fold
        seed = config.seed * 100 + fold
        head = train_head(embeddings[seen], targets[seen], codes, config.embed, seed, report)
        with writing(folder / HEAD_FILE) as part:
            save_file(head.to_tensors(), part)
        return {}, {"head": head.to_dict()}

    inputs = {"embeddings": key, "embed": to_hash(config.embed), "seed": config.seed, "fold": fold}
    result = store.run(f"head{fold}", inputs, compute)
    return Head.from_tensors(load_file(result.folder / HEAD_FILE), result.values["head"])
