"""Fold models trained at the same time against one after the other, on the same work.

    python -m benchmarks.models_at_once PBC-LT --out benchmarks/results/classify/models_at_once.json

All ways train the same models of preset `cpu` on the same cells by `train_each`, with all CPUs
that there are, the start of processes included; in turns, each turn in new folders. For a quiet
machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from buffycoat.backbones.threads import cpus
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import Config, load
from buffycoat.images import load_work, write_atomic
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.train_models import Training, train_each
from buffycoat.progress import Silent
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve


def main() -> None:
    """Time each way by turns, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=2, help="of each model; a real run has 20")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    settings = load("cpu", [f"classify.epochs={options.epochs}"])
    cells = read(options.data).of_split("train")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "images.npy"
        np.save(place, load_work(cells, settings.images).images)
        taxonomy = resolve("auto", cells.frame["label"].tolist())
        targets = np.array([taxonomy.codes.index(label) for label in cells.frame["label"]])
        shown = TrainingCells(
            np.load(place, mmap_mode="r"), np.arange(len(targets)), targets, len(taxonomy)
        )
        seconds = [
            {
                workers: timed(shown, settings, options.models, workers, Path(folder), turn)
                for workers in options.workers
            }
            for turn in range(options.rounds)
        ]
    first = options.workers[0]
    found = {
        "models": options.models,
        "cells": len(targets),
        "epochs": options.epochs,
        "cpus": cpus(),
        "seconds": {n: [round(turn[n], 1) for turn in seconds] for n in options.workers},
        f"times_as_fast_as_{first}": {
            n: sorted(round(turn[first] / turn[n], 2) for turn in seconds)
            for n in options.workers[1:]
        },
    }
    write_atomic(options.out, json.dumps(found, indent=1).encode())
    print(json.dumps(found, indent=1))


def timed(
    cells: TrainingCells, settings: Config, models: int, workers: int, folder: Path, turn: int
) -> float:
    """Seconds that some models take."""
    trainings = [
        Training(f"fold{n}", {"n": n}, f"model {n + 1}", cells, settings, n) for n in range(models)
    ]
    store = StageStore(folder / f"{workers}-{turn}")
    began = time.perf_counter()
    train_each(trainings, workers, store, Silent(), "classify")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
