"""Second opinions on one frozen encoder's embeddings, and what they make of a few rare cells.

    python -m benchmarks.heads PBC-LT --cache runs/embeddings --out runs/heads.json

A linear probe, a vote of the neighbours, class means, the published head and ours learn from the
same embeddings: the training cells as they are and once more degraded. All are scored on the
evaluation cells, whose labels are used for these figures alone. Then PMY and ERB in turn are cut to
2, 5 and 10 training cells, five draws each. This only reports; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import stored
from buffycoat.config import Config, EmbedConfig, load
from buffycoat.embed.cache import encode_cached
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.encoders import build_encoder
from buffycoat.embed.head_training import train_head
from buffycoat.embed.neighbours import NeighbourVote
from buffycoat.embed.prototypes import Prototypes
from buffycoat.evaluate.bootstrap import bootstrap_interval
from buffycoat.evaluate.metrics import (
    class_weighted_macro_f1,
    confusion,
    per_class,
    prior_weighted_macro_f1,
    reweighted,
)
from buffycoat.evaluate.paired import paired_interval
from buffycoat.fuse.calibrate import log_softmax
from buffycoat.fuse.prior import apply_prior, shares, uniform
from buffycoat.learn import prepare
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.training_set import build_training_set
from buffycoat.progress import Silent
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve

PAPER_SETTINGS = (
    "embed.head=paper", "embed.hidden=[1024, 512]", "embed.projection=256", "embed.dropout=0.05",
    "embed.feature_noise=0.06", "embed.epochs=150", "embed.learning_rate=1e-4",
    "embed.oversample={PMY=50, ERB=50, MMY=5, BNE=5, SNE=0.5, LY=0.5}",
)  # fmt: skip
"""The published head. Its oversampling of PLY and PC, which these cells lack, goes to PMY and ERB:
the rare classes that stand where those stood."""
REFERENCE = "published head"
CUT_CLASSES, CUT_COUNTS, DRAWS = ("PMY", "ERB"), (2, 5, 10), 5
SEEDS = 3


@dataclass(frozen=True, eq=False)
class Cells:
    """Embedded cells.

    Attributes:
        embeddings: Shape (n, d).
        targets: Shape (n,).
        groups: Shape (n,): a cell and its degraded twin share one.
    """

    embeddings: np.ndarray
    targets: np.ndarray
    groups: np.ndarray

    def subset(self, rows: np.ndarray) -> Cells:
        """Some of them."""
        return Cells(self.embeddings[rows], self.targets[rows], self.groups[rows])


Score = Callable[[np.ndarray], np.ndarray]
"""Embeddings (n, d) -> uniform-prior logits (n, k)."""
Method = Callable[[Cells, tuple[str, ...], int], Score]


def linear(cells: Cells, codes: tuple[str, ...], seed: int) -> Score:
    """Multinomial logistic regression, every class weighing the same, on standardised inputs."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = LogisticRegression(class_weight="balanced", max_iter=1000)
    model = make_pipeline(StandardScaler(), probe).fit(cells.embeddings, cells.targets)
    known = model.classes_

    def score(embeddings: np.ndarray) -> np.ndarray:
        logits = np.full((len(embeddings), len(codes)), -np.inf)
        logits[:, known] = model.decision_function(embeddings)
        return logits

    return score


def neighbours(cells: Cells, codes: tuple[str, ...], seed: int) -> Score:
    """The vote of all training cells."""
    return NeighbourVote.fit(cells.embeddings, cells.targets, len(codes), cells.groups).logits


def prototypes(cells: Cells, codes: tuple[str, ...], seed: int) -> Score:
    """Class means in the shared covariance."""
    return Prototypes.fit(cells.embeddings, cells.targets, len(codes)).logits


def head(config: EmbedConfig) -> Method:
    """A head of a recipe."""

    def fit(cells: Cells, codes: tuple[str, ...], seed: int) -> Score:
        return train_head(cells.embeddings, cells.targets, codes, config, seed).logits

    return fit


def methods(config: Config) -> dict[str, Method]:
    """Name -> how it is fitted."""
    return {
        "linear probe": linear,
        "neighbours": neighbours,
        "class means": prototypes,
        REFERENCE: head(load(config.preset, PAPER_SETTINGS).embed),
        "our head": head(config.embed),
    }


def embed(
    data: Path, config: Config, encoder: Encoder, cache: Path
) -> tuple[Cells, Cells, tuple[str, ...]]:
    """Training cells with their degraded twins, evaluation cells, and the classes."""
    manifest = read(data)
    learned = manifest.of_split("train")
    learned = learned.subset(learned.is_labelled)
    taxonomy = resolve(config.taxonomy, learned.frame["label"].dropna().tolist())
    cells = prepare.load_cells(learned, config, cache / "images", Silent(), 0)
    training = build_training_set(cells, taxonomy, config, StageStore(cache / "stages"))
    scored = manifest.of_split("eval")
    scored = scored.subset(scored.is_labelled)
    shown = prepare.load_cells(scored, config, cache / "images", Silent(), 0)
    parts = [
        encode_cached(encoder, images, cache)
        for images in (cells.images, training.degraded, shown.images)
    ]
    n = len(training.targets)
    train = Cells(np.concatenate(parts[:2]), np.tile(training.targets, 2), np.tile(np.arange(n), 2))
    targets = scored.targets(taxonomy)
    return train, Cells(parts[2], targets, np.arange(len(targets))), taxonomy.codes


def compare(
    train: Cells, scored: Cells, codes: tuple[str, ...], counts: np.ndarray, config: Config
) -> dict[str, dict[str, Any]]:
    """Each method's figures: of the first seed with intervals, and the spread over seeds."""
    k = len(codes)
    logits = {
        name: [fit(train, codes, seed)(scored.embeddings) for seed in range(SEEDS)]
        for name, fit in methods(config).items()
    }
    reference = logits[REFERENCE][0].argmax(axis=1)
    table = {}
    for name, found in logits.items():
        called = found[0].argmax(axis=1)
        gain = paired_interval(scored.targets, reference, called, class_weighted_macro_f1, k=k)
        probs = apply_prior(np.exp(log_softmax(found[0])), uniform(k), shares(counts))
        given = probs.argmax(axis=1)
        weighted = bootstrap_interval(
            scored.targets, given, lambda c: prior_weighted_macro_f1(c, counts), k=k
        )
        over_seeds = [
            float(class_weighted_macro_f1(confusion(scored.targets, one.argmax(axis=1), k)))
            for one in found
        ]
        score = bootstrap_interval(scored.targets, called, class_weighted_macro_f1, k=k)
        table[name] = {
            "balanced_macro_f1": vars(score),
            "over_seeds": over_seeds,
            "prior_weighted_macro_f1": vars(weighted),
            f"less_{REFERENCE.replace(' ', '_')}": vars(gain),
        }
    return table


def cut(train: Cells, column: int, count: int, rng: np.random.Generator) -> Cells:
    """The training cells with so many of one class; a cell's twin goes or stays with it."""
    own = np.unique(train.groups[train.targets == column])
    kept = rng.choice(own, min(count, len(own)), replace=False)
    stays = (train.targets != column) | np.isin(train.groups, kept)
    return train.subset(np.flatnonzero(stays))


def few_cells(
    train: Cells, scored: Cells, codes: tuple[str, ...], config: Config
) -> Iterator[dict[str, Any]]:
    """Recall and precision of a class of which few training cells are left, mean and spread."""
    for code in CUT_CLASSES:
        column = codes.index(code)
        for count in CUT_COUNTS:
            drawn = [
                cut(train, column, count, np.random.default_rng((column, count, draw)))
                for draw in range(DRAWS)
            ]
            for name, fit in methods(config).items():
                found = [
                    _of_class(fit(part, codes, draw)(scored.embeddings), scored, column)
                    for draw, part in enumerate(drawn)
                ]
                recall, precision = np.array(found).T
                yield {
                    "class": code,
                    "cells": count,
                    "method": name,
                    "recall": float(recall.mean()),
                    "recall_sd": float(recall.std(ddof=1)),
                    "precision": float(precision.mean()),
                    "precision_sd": float(precision.std(ddof=1)),
                }


def _of_class(logits: np.ndarray, scored: Cells, column: int) -> tuple[float, float]:
    k = logits.shape[1]
    table = reweighted(confusion(scored.targets, logits.argmax(axis=1), k), np.ones(k))
    found = per_class(table)
    return float(found.sensitivity[column]), float(found.precision[column])


def main() -> None:
    """Embed, fit, score, and write."""
    parser = argparse.ArgumentParser(description="Heads on frozen embeddings.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--input-px", type=int, default=224, help="side of the encoder's input")
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--cache", type=Path, required=True, help="folder of embeddings")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    config = load("cpu", [f"embed.input_px={options.input_px}", *options.changes])
    encoder = build_encoder(config.embed)
    train, scored, codes = embed(options.data, config, encoder, options.cache)
    cells_once = train.targets[: len(train.targets) // 2]
    counts = np.bincount(cells_once, minlength=len(codes))
    record: dict[str, Any] = {
        "encoder": encoder.settings(),
        "n_train": len(cells_once),
        "n_eval": len(scored.targets),
        "level": "image-level",
        "methods": compare(train, scored, codes, counts, config),
    }
    stored.write_json(options.out, record)
    print(to_markdown(record["methods"]), flush=True)
    record["few_cells"] = []
    for row in few_cells(train, scored, codes, config):
        record["few_cells"].append(row)
        stored.write_json(options.out, record)
        print(
            f"{row['class']}, {row['cells']} cells, {row['method']}: recall {row['recall']:.2f} "
            f"(sd {row['recall_sd']:.2f}), precision {row['precision']:.2f} "
            f"(sd {row['precision_sd']:.2f})",
            flush=True,
        )


def to_markdown(table: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a method."""
    lines = [
        f"| method | balanced macro-F1 | less the {REFERENCE} | seeds | prior-weighted |",
        "|-|-|-|-|-|",
    ]
    for name, row in table.items():
        score, gain, given = (
            f"{v['estimate']:.3f} ({v['low']:.3f} to {v['high']:.3f})"
            for v in (
                row["balanced_macro_f1"],
                row[f"less_{REFERENCE.replace(' ', '_')}"],
                row["prior_weighted_macro_f1"],
            )
        )
        seeds = ", ".join(f"{value:.3f}" for value in row["over_seeds"])
        lines.append(f"| {name} | {score} | {gain} | {seeds} | {given} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
