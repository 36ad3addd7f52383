r"""Preset `default` on a GPU: images a second against a plain loop, bf16, torch.compile, memory.

    python -m benchmarks.gpu --data ../shared/pbc-lt --out gpu.json     # five minutes on one GPU
    python -m benchmarks.gpu --tiny                                     # the same code, on a CPU

Without a CUDA device and without --tiny it says so and measures nothing. Without --data cells are
drawn: speed does not depend on what they show. Each arm takes the same steps with weights that
start random. "network" repeats one batch that is on the device; the others make theirs as they go,
in a thread ("ours") or in turn ("plain"). At the end the tests marked gpu run.
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
from buffycoat.config import ClassifyConfig, load
from buffycoat.images import load_work, write_atomic
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read
from buffycoat.taxonomy import WBCBENCH, resolve
from buffycoat.training.devices import make_fabric

WARM_UP = 3
"""Steps before the clock starts; torch.compile compiles in the first."""
TINY = (
    "classify.backbone=tf_efficientnet_lite0", "classify.input_px=32", "classify.batch_size=4",
    "images.work_px=64",
)  # fmt: skip
Step = Callable[[], Any]


def cells_of(data: Path | None, changes: list[str], n_drawn: int) -> TrainingCells:
    """Training cells of a data set, or drawn ones."""
    images = load("default", changes).images
    if data is None:
        rng = np.random.default_rng(0)
        targets = np.arange(n_drawn) % len(WBCBENCH)
        drawn = [render_cell(WBCBENCH.codes[t], rng, images.work_px).image for t in targets]
        return TrainingCells(np.stack(drawn), np.arange(n_drawn), targets, len(WBCBENCH))
    manifest = read(data).of_split("train")
    taxonomy = resolve("auto", manifest.frame["label"].dropna().tolist())
    pixels = load_work(manifest, images, None).images
    return TrainingCells(pixels, np.arange(len(pixels)), manifest.targets(taxonomy), len(taxonomy))


def endless(cells: TrainingCells, recipe: ClassifyConfig) -> Iterator[Any]:
    """Augmented batches, epoch after epoch."""
    epoch = 0
    while True:
        yield from batches(cells, recipe, recipe.batch_size, 0, epoch)
        epoch += 1


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
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets).to(device()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def ours(cells: TrainingCells, recipe: ClassifyConfig, backend: str, repeats: bool) -> Step:
    """A step of `fit_fold`; with a backend the network is compiled."""
    fabric = make_fabric(recipe.precision)
    built = build(recipe.backbone, "random", cells.n_classes, recipe.input_px)
    if backend:
        built.model.compile(backend=backend)  # before Fabric wraps it, whose wrapper cannot
    trainee = Classifier(fabric, built, recipe, cells, 1_000_000)
    shown = prefetch(endless(cells, recipe))
    first = next(shown)
    return lambda: trainee.step(first if repeats else next(shown))


def infer(cells: TrainingCells, recipe: ClassifyConfig, precision: str, backend: str) -> Step:
    """A batch through the network as prediction has it."""
    built = build(recipe.backbone, "random", cells.n_classes, recipe.input_px)
    network: Any = PixelClassifier(built.model, built.mean, built.std, np.zeros(cells.n_classes))
    network = network.eval().to(device())
    if backend:
        network.compile(backend=backend)
    side = recipe.input_px
    batch = np.zeros((GPU_CELLS_AT_ONCE, side, side, 3), np.uint8)
    results = TorchEngine(network, precision).run(iter(lambda: batch, None))
    return lambda: next(results)


def measure(step: Step, steps: int, cells_a_step: int) -> dict[str, float]:
    """Images a second and peak memory of the device."""
    is_cuda = device().type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats()
    for done in range(WARM_UP + steps):
        if done == WARM_UP:
            torch.cuda.synchronize() if is_cuda else None
            began = time.perf_counter()
        step()
    torch.cuda.synchronize() if is_cuda else None
    rate = steps * cells_a_step / (time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() / 2**30 if is_cuda else 0.0
    return {"images_per_second": round(rate, 1), "peak_gib": round(peak, 2)}


def arms(
    cells: TrainingCells, recipe: ClassifyConfig, backend: str
) -> dict[str, Callable[[], Step]]:
    """Name -> what makes the step of an arm."""
    fp32 = recipe.model_copy(update={"precision": "fp32"})
    shown = endless(cells, recipe)
    return {
        "train: batches alone": lambda: lambda: next(shown),
        "train: plain, fp32": lambda: plain(cells, recipe),
        "train: ours, fp32": lambda: ours(cells, fp32, "", False),
        "train: ours": lambda: ours(cells, recipe, "", False),
        "train: network": lambda: ours(cells, recipe, "", True),
        "train: network, compiled": lambda: ours(cells, recipe, backend, True),
        "predict: fp32": lambda: infer(cells, recipe, "fp32", ""),
        "predict: ours": lambda: infer(cells, recipe, recipe.precision, ""),
        "predict: ours, compiled": lambda: infer(cells, recipe, recipe.precision, backend),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a data set, such as PBC-LT")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--tiny", action="store_true", help="a small network, on any device")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    if not (torch.cuda.is_available() or options.tiny):
        print("No CUDA device here: nothing was measured. --tiny tries the code on a CPU.")
        return
    changes = list(TINY) if options.tiny else []
    recipe = load("default", changes).classify
    cells = cells_of(options.data, changes, 4 * recipe.batch_size)
    steps, backend = (2, "eager") if options.tiny else (options.steps, "inductor")
    found: dict[str, Any] = {"device": "cpu", "backbone": recipe.backbone, "arms": {}}
    if device().type == "cuda":
        found["device"] = torch.cuda.get_device_name()
    for name, make in arms(cells, recipe, backend).items():
        at_once = GPU_CELLS_AT_ONCE if name.startswith("predict") else recipe.batch_size
        found["arms"][name] = measure(make(), steps, at_once)
        print(name, found["arms"][name], flush=True)
        if options.out:
            write_atomic(options.out, (json.dumps(found, indent=1) + "\n").encode())
    if not options.tiny:
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "gpu"], check=True)


if __name__ == "__main__":
    main()
