"""A backbone's weights from cells without labels: a file, and a card of what it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from buffycoat.backbones.build import build
from buffycoat.backbones.weights import LICENCE
from buffycoat.cells import Manifest
from buffycoat.classify.pretrain import fit_backbone
from buffycoat.config import Config, DataConfig, to_hash
from buffycoat.images import only_writer, write_atomic, writing
from buffycoat.learn import unlabelled
from buffycoat.learn.stage_store import Outcome, StageStore, hash_of, of_weights
from buffycoat.learn.unlabelled import UnlabelledCells
from buffycoat.plurals import counted
from buffycoat.progress import Reporter, Silent

WEIGHTS, CARD = "backbone.safetensors", "CARD.md"


@dataclass(frozen=True)
class Pretrained:
    """What was made.

    Attributes:
        weights: The file; a path for `classify.weights`.
        card: What it learned from.
        sentence: Which cells were used.
    """

    weights: Path
    card: Path
    sentence: str


def pretrain(
    cells: Sequence[Path],
    out: Path,
    config: Config,
    known: Manifest | None = None,
    reporter: Reporter | None = None,
) -> Pretrained:
    """Train the backbone of a recipe further on unlabelled cells; killed, the same call goes on.

    Args:
        cells: Folders or tables of cells; labels are not read.
        out: Folder for the file and its card.
        config: The recipe whose backbone it is.
        known: All cells of the labelled data that it will be used for: copies of them and cells of
            their patients are left out, so that no held-out cell is learned from.
        reporter: Progress.

    Raises:
        BuffycoatError: The cells, the settings or the disk are at fault; the message says how.
    """
    with only_writer(out):
        return _pretrain(cells, out, config, known, reporter or Silent())


def _pretrain(
    cells: Sequence[Path], out: Path, config: Config, known: Manifest | None, reporter: Reporter
) -> Pretrained:
    manifest = unlabelled.read_cells(cells, reporter)
    recipe = config.classify
    build(recipe.backbone, recipe.weights, 0, recipe.input_px)  # what cannot be is refused now
    if known is None:
        known = Manifest.from_frame(pd.DataFrame(columns=["cell_id", "path"]), "none")
    store = StageStore(out / "stages")
    reporter.start("images", counted(len(manifest), "cell"))
    found = unlabelled.load(manifest, known, config, out, store, reporter)
    reporter.finish(f"{found.sentence}. {out / unlabelled.TABLE} lists them")
    reporter.start("backbone", config.classify.backbone)
    result = store.run(
        "backbone",
        {
            "cells": found.cells.key,
            "classify": hash_of(recipe),
            "weights": of_weights(recipe.weights),
            "pretrain": to_hash(config.pretrain),
            "seed": config.seed,
        },
        lambda folder: _fit(found, config, folder, reporter),
    )
    reporter.finish(f"loss {result.values['losses'][0]:.3f} -> {result.values['losses'][-1]:.3f}")
    licence = {LICENCE: _licence(result.values["licence"], config)}
    with writing(out / WEIGHTS) as part:
        save_file(load_file(result.folder / WEIGHTS), part, licence)
    reporter.say(
        f"The card states the archive: {config.data.unlabelled_name}, licence "
        f"{config.data.unlabelled_licence} (data.unlabelled_name, data.unlabelled_licence)"
    )
    write_atomic(out / CARD, _card(result.values, found, config).encode())
    return Pretrained(out / WEIGHTS, out / CARD, found.sentence)


def _fit(found: UnlabelledCells, config: Config, folder: Path, reporter: Reporter) -> Outcome:
    checkpoint = folder / "checkpoint.safetensors"
    model, built, history = fit_backbone(
        found.cells.images,
        config.classify,
        config.pretrain,
        config.seed,
        checkpoint,
        reporter.advance,
    )
    state = {name: _halved(value) for name, value in model.state_dict().items()}
    with writing(folder / WEIGHTS) as part:
        save_file(state, part)
    checkpoint.unlink(missing_ok=True)
    values = {
        "losses": [epoch["loss"] for epoch in history],
        "source": built.source,
        "licence": built.licence,
    }
    return {}, values


def _licence(initial: str, config: Config) -> str:
    """Of the weights: what they began with and what they saw. Bundles made from them state it."""
    data = config.data
    return (
        f"{initial}; trained further on {data.unlabelled_name}, licence {data.unlabelled_licence}"
    )


def _cited(data: DataConfig) -> str:
    return f"; cite {data.unlabelled_attribution}" if data.unlabelled_attribution else ""


def _halved(value: torch.Tensor) -> torch.Tensor:
    """Half the bytes; counters stay whole."""
    return (value.half() if value.is_floating_point() else value).cpu().contiguous()


def _card(values: Mapping[str, Any], found: UnlabelledCells, config: Config) -> str:
    recipe, settings, data = config.classify, config.pretrain, config.data
    first, *_, last = [*values["losses"][:1], *values["losses"]]
    return f"""# {recipe.backbone}, trained further on cells without labels

Weights of an encoder (`--set embed.weights={WEIGHTS}`) or the initial weights of a classifier
(`--set classify.weights={WEIGHTS}`), no classifier.

| | |
|-|-|
| cells | {found.sentence} |
| of | {data.unlabelled_name}, licence {data.unlabelled_licence}{_cited(data)} |
| made for | {data.name} |
| began with | {values["source"]}, licence {values["licence"]} |
| method | contrastive (SimCLR, arXiv 2002.05709): {counted(settings.epochs, "epoch")}, \
{settings.batch_size} cells a batch, temperature {settings.temperature:g}, {recipe.input_px} px, \
seed {config.seed} |
| loss | {first:.3f} after the first epoch, {last:.3f} after the last |
| stored in | half precision |

It saw no label. What it says of a cell is nothing until a classifier is trained on it.
"""
