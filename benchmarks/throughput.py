"""Training images a second: buffycoat's loop against a plain one on the same work.

    python -m benchmarks.throughput PBC-LT --out benchmarks/results/classify/throughput.json

Both train the network of a preset on the same cells with the same augmentation, loss and optimiser.
The plain loop is what one writes first: each image decoded when it is needed, fp32, default memory
layout, one step after the other. Each arm runs in a process of its own, in turns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from buffycoat import images
from buffycoat.backbones.build import build
from buffycoat.classify.augment import augment
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import Config, load
from buffycoat.images import load_work, to_work, write_atomic
from buffycoat.losses.registry import build_loss
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve

WARM_UP = 5
"""Steps before the clock starts."""


def plain(paths: list[Path], targets: np.ndarray, k: int, config: Config, steps: int) -> float:
    """Images a second of a loop without any care."""
    recipe = config.classify
    built = build(recipe.backbone, recipe.weights, k, recipe.input_px, recipe.dropout)
    model = built.model.train()
    loss = build_loss(recipe.loss, np.bincount(targets, minlength=k))
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate)
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (built.mean, built.std))
    rng = np.random.default_rng(0)
    start = 0.0
    for step in range(steps):
        if step == WARM_UP:
            start = time.perf_counter()
        chosen = rng.permutation(len(paths))[: recipe.batch_size]
        shown = []
        for row in chosen:
            work = to_work(
                images.read(paths[row]), config.images.work_px, config.images.frame_fraction
            )
            shown.append(augment(work, rng, recipe))
        pixels = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float()
        logits = model((pixels / 255 - mean) / std)
        value = loss(logits, torch.from_numpy(targets[chosen]))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return (steps - WARM_UP) * recipe.batch_size / (time.perf_counter() - start)


def ours(decoded: np.ndarray, targets: np.ndarray, k: int, config: Config, steps: int) -> float:
    """Images a second of `fit_fold`, decoded images at hand as in a training run."""
    size = config.classify.batch_size
    epochs = -(-steps // (len(targets) // size))
    recipe = config.classify.model_copy(update={"epochs": epochs})
    clock: list[float] = []
    record: Callable[[int, int], None] = lambda *_: clock.append(time.perf_counter())  # noqa: E731
    fit_fold(TrainingCells(decoded, np.arange(len(targets)), targets, k), recipe, 0, None, record)
    return (steps - WARM_UP) * size / (clock[steps - 1] - clock[WARM_UP - 1])


def run_arm(arm: str, data: Path, config: Config, steps: int, cache: Path) -> float:
    """One arm in this process."""
    cells = read(data).of_split("train")
    taxonomy = resolve(config.taxonomy, cells.frame["label"].dropna().tolist())
    targets = cells.targets(taxonomy)
    if arm == "plain":
        paths = [Path(path) for path in cells.frame["path"]]
        return plain(paths, targets, len(taxonomy), config, steps)
    decoded = load_work(cells, config.images, cache).images
    return ours(decoded, targets, len(taxonomy), config, steps)


def main() -> None:
    """Run both arms in turns and write the ratio."""
    parser = argparse.ArgumentParser(description="Training speed against a plain loop.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--arm", choices=("plain", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = load(options.preset, options.changes)
    if options.arm:
        print(run_arm(options.arm, options.data, config, options.steps, options.cache))
        return
    rates: dict[str, list[float]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as cache:
        load_work(read(options.data).of_split("train"), config.images, Path(cache))
        for _ in range(options.rounds):
            for arm, found in rates.items():
                command = [sys.executable, "-m", "benchmarks.throughput", *sys.argv[1:]]
                done = subprocess.run(
                    [*command, "--arm", arm, "--cache", cache],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                found.append(float(done.stdout.splitlines()[-1]))
                print(f"{arm}: {found[-1]:.1f} images/s", flush=True)
    ratios = [a / b for a, b in zip(rates["ours"], rates["plain"], strict=True)]
    result = {
        "backbone": config.classify.backbone,
        "input_px": config.classify.input_px,
        "batch_size": config.classify.batch_size,
        "threads": torch.get_num_threads(),
        "images_per_second": rates,
        "ratio": float(np.median(ratios)),
        "ratio_range": [min(ratios), max(ratios)],
    }
    print(f"ours / plain: {result['ratio']:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if options.out:
        write_atomic(options.out, (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
