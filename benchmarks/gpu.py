r"""Preset `default` on a GPU: images a second against a plain loop, bf16, torch.compile, memory.

    python -m benchmarks.gpu ../shared/pbc-lt --out gpu.json     # about five minutes on one GPU
    python -m benchmarks.gpu --tiny                              # the same code, on a CPU

Without a CUDA device and without --tiny it says so and measures nothing. Without a data set cells
are drawn: speed does not depend on what they show. Weights start random. "network" repeats one
batch; "ours" makes batches in a thread, "plain" in turn. At the end the tests marked gpu run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from buffycoat.backbones.build import build
from buffycoat.backbones.devices import device
from buffycoat.backbones.prefetch import prefetch
from buffycoat.backbones.torch_engine import GPU_CELLS_AT_ONCE, TorchEngine
from buffycoat.classify.network import PixelClassifier
from buffycoat.classify.trainee import Classifier
from buffycoat.classify.training_cells import TrainingCells, batches
from buffycoat.config import ClassifyConfig, Config, load
from buffycoat.images import load_work, write_atomic
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read
from buffycoat.taxonomy import WBCBENCH, resolve
from buffycoat.training.devices import make_fabric

WARM_UP = 3
"""Steps before the clock starts; torch.compile compiles in the first."""
TINY = ("backbone=tf_efficientnet_lite0", "weights=random", "input_px=32", "batch_size=4")
Step = Callable[[], Any]


def cells_of(data: Path | None, config: Config) -> TrainingCells:
    if data is None:
        targets = np.arange(4 * config.classify.batch_size) % len(WBCBENCH)
        rng, px = np.random.default_rng(0), config.images.work_px
        drawn = np.stack([render_cell(WBCBENCH.codes[t], rng, px).image for t in targets])
        return TrainingCells(drawn, np.arange(len(drawn)), targets, len(WBCBENCH))
    manifest = read(data).of_split("train")
    classes = resolve("auto", manifest.frame["label"].dropna().tolist())
    pixels = load_work(manifest, config.images, None).images
    return TrainingCells(pixels, np.arange(len(pixels)), manifest.targets(classes), len(classes))


def endless(cells: TrainingCells, recipe: ClassifyConfig) -> Iterator[Any]:
    for epoch in range(1_000_000):
        yield from batches(cells, recipe, recipe.batch_size, 0, epoch)


def plain(cells: TrainingCells, recipe: ClassifyConfig) -> Step:
    """A training step as one writes it first: fp32, one thing after the other."""
    built = build(recipe.backbone, "random", cells.n_classes, recipe.input_px)
    model = built.model.train().to(device())
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate)
    mean, std = (torch.tensor(v, device=device()).view(1, 3, 1, 1) for v in (built.mean, built.std))
    shown = endless(cells, recipe)

    def step() -> None:
        mixed, targets = next(shown)
        pixels = torch.from_numpy(mixed.pixels).to(device()).permute(0, 3, 1, 2).float()
        logits = model((pixels / 255 - mean) / std)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets).to(device())).backward()
        optimiser.step()

    return step


def ours(cells: TrainingCells, recipe: ClassifyConfig, repeats: bool, backend: str = "") -> Step:
    """A step of `fit_fold`; with a backend the network is compiled."""
    built = build(recipe.backbone, "random", cells.n_classes, recipe.input_px)
    if backend:
        built.model.compile(backend=backend)  # before Fabric wraps it, whose wrapper cannot
    trainee = Classifier(make_fabric(recipe.precision), built, recipe, cells, 1_000_000)
    shown = endless(cells, recipe)
    ahead, first = prefetch(shown), next(shown)
    return lambda: trainee.step(first if repeats else next(ahead))


def infer(cells: TrainingCells, recipe: ClassifyConfig, precision: str, backend: str = "") -> Step:
    """A batch through the network as prediction has it."""
    built = build(recipe.backbone, "random", cells.n_classes, recipe.input_px)
    network: Any = PixelClassifier(built.model, built.mean, built.std, np.zeros(cells.n_classes))
    if backend:
        network.compile(backend=backend)
    batch = np.zeros((GPU_CELLS_AT_ONCE, recipe.input_px, recipe.input_px, 3), np.uint8)
    results = TorchEngine(network.eval(), precision).run(batch for _ in range(1_000_000))
    return lambda: next(results)


def measure(step: Step, steps: int, cells_a_step: int) -> dict[str, float]:
    """Images a second and peak memory of the GPU."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    torch.cuda.reset_peak_memory_stats() if torch.cuda.is_available() else None
    for count in (WARM_UP, steps):
        began = time.perf_counter()
        for _ in range(count):
            step()
        wait()
    rate = steps * cells_a_step / (time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    return {"images_per_second": round(rate, 1), "peak_gib": round(peak, 2)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="a data set, such as PBC-LT")
    parser.add_argument("--tiny", action="store_true", help="a small network, on any device")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    if not (torch.cuda.is_available() or options.tiny):
        print("No CUDA device here: nothing was measured. --tiny tries the code on a CPU.")
        return
    config = load("default", [f"classify.{change}" for change in TINY if options.tiny])
    recipe, cells = config.classify, cells_of(options.data, config)
    steps, compiler = (1, "eager") if options.tiny else (30, "inductor")
    shown = endless(cells, recipe)
    arms: dict[str, Callable[[], Step]] = {
        "train: batches alone": lambda: lambda: next(shown),
        "train: plain, fp32": lambda: plain(cells, recipe),
        "train: ours": lambda: ours(cells, recipe, False),
        "train: network": lambda: ours(cells, recipe, True),
        "train: network, compiled": lambda: ours(cells, recipe, True, compiler),
        "predict: fp32": lambda: infer(cells, recipe, "fp32"),
        "predict: ours": lambda: infer(cells, recipe, recipe.precision),
        "predict: compiled": lambda: infer(cells, recipe, recipe.precision, compiler),
    }
    found: dict[str, Any] = {"device": str(device()), "backbone": recipe.backbone, "arms": {}}
    for name, make in arms.items():
        at_once = GPU_CELLS_AT_ONCE if name.startswith("predict") else recipe.batch_size
        found["arms"][name] = measure(make(), steps, at_once)
        print(name, found["arms"][name], flush=True)
        if options.out:
            write_atomic(options.out, (json.dumps(found, indent=1) + "\n").encode())
    if not options.tiny:
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "gpu"], check=True)


if __name__ == "__main__":
    main()
