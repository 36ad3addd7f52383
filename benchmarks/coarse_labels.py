"""What labels coarser than a class are worth.

    python -m benchmarks.coarse_labels PBC-LT --work FOLDER --out benchmarks/results/groups

A share of the SNE and BNE training cells is known only as NE. One classifier a seed learns from
each version of the training cells: the coarse cells with the summed loss ("groups"), without them
("left_out"; and once more with as many steps as the others, "left_out_longer"), and with their true
labels ("known"). The recipe is the classify section of preset cpu at 112 px and 10 epochs, the same
seed for all. The evaluation split is scored when all is trained; nothing is chosen on it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import load_file, save_file

from buffycoat.cells import Manifest
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import ClassifyConfig, load
from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.interval import Interval, Metric
from buffycoat.evaluate.metrics import macro_f1, per_class
from buffycoat.evaluate.paired import paired_resample
from buffycoat.images import load_work, writing
from buffycoat.learn.fit_classifier import log_prior
from buffycoat.predict.stages import MEANS, of_views
from buffycoat.sources.read import read
from buffycoat.taxonomy import Taxonomy, resolve

ARMS = ("groups", "left_out", "left_out_longer", "known")
GROUP = "NE"
COARSE_SHARE = 0.8
DRAW_SEED = 17
"""Of the cells that become coarse."""
RECIPE = {"input_px": 112, "epochs": 10}


@dataclass(frozen=True)
class Data:
    """Training cells of which some are known only coarsely.

    Attributes:
        images: Working images, shape (n, w, w, 3), uint8.
        targets: True class, shape (n,).
        is_coarse: Shape (n,), bool: known only as `GROUP`.
        taxonomy: The classes.
    """

    images: np.ndarray
    targets: np.ndarray
    is_coarse: np.ndarray
    taxonomy: Taxonomy

    def arm(self, name: str) -> TrainingCells:
        """What a model of one arm learns from."""
        k = len(self.taxonomy)
        rows = np.arange(len(self.targets))
        if name.startswith("left_out"):
            rows = np.flatnonzero(~self.is_coarse)
        targets, groups = self.targets[rows], None
        if name == "groups":
            targets = np.where(self.is_coarse, k, targets)
            groups = self.taxonomy.allowed([GROUP])
        return TrainingCells(
            self.images, rows, targets, k, self.taxonomy.neighbours(), groups=groups
        )


def draw_coarse(targets: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
    """Which cells are known only as the group, shape (n,), bool: the same share of each class."""
    rng = np.random.default_rng(DRAW_SEED)
    is_coarse = np.zeros(len(targets), dtype=bool)
    for column in taxonomy.members[GROUP]:
        cells = np.flatnonzero(targets == column)
        is_coarse[rng.permutation(cells)[: round(COARSE_SHARE * len(cells))]] = True
    return is_coarse


def train(data: Data, arm: str, seed: int, recipe: ClassifyConfig, work: Path) -> FoldModel:
    """One arm's model, from the folder where it is finished."""
    cells = data.arm(arm)
    epochs = recipe.epochs
    if arm == "left_out_longer":
        steps = epochs * (len(data.targets) // recipe.batch_size)
        epochs = round(steps / (len(cells.rows) // recipe.batch_size))
    config = recipe.model_copy(update={"epochs": epochs})
    stored = work / f"{arm}-{seed}.safetensors"
    if not stored.exists():
        print(f"{arm}, seed {seed}: {len(cells.rows)} cells, {epochs} epochs", flush=True)
        checkpoint = work / f"{arm}-{seed}.checkpoint.safetensors"
        model, history = fit_fold(cells, config, seed, checkpoint, _every_hundredth)
        print(f"loss {history[-1]['loss']:.3f}, accuracy {history[-1]['accuracy']:.3f}", flush=True)
        with writing(stored) as part:
            save_file({name: t.cpu().contiguous() for name, t in model.state_dict().items()}, part)
        checkpoint.unlink(missing_ok=True)
    carried = log_prior(cells, config)
    return FoldModel.assemble(load_file(stored), config, len(data.taxonomy), carried)


def _every_hundredth(done: int, total: int) -> None:
    if done % 100 == 0:
        print(f"  step {done} of {total}", flush=True)


def figures(targets: np.ndarray, called: dict[str, np.ndarray], taxonomy: Taxonomy) -> pd.DataFrame:
    """Macro-F1 and the F1 of the group's classes, each arm's and its paired gains.

    Args:
        targets: Shape (n,).
        called: Arm -> predicted classes, shape (n,).
        taxonomy: The classes.
    """
    k = len(taxonomy)
    metrics: dict[str, Metric] = {"macro_f1": macro_f1}
    for column in taxonomy.members[GROUP]:
        name = f"f1_{taxonomy.codes[column]}"
        metrics[name] = lambda c, column=column: per_class(c).f1[..., column]
    rows = []
    for name, metric in metrics.items():
        for arm, predicted in called.items():
            rows.append(_row(name, arm, "", resample(targets, predicted, k).interval(metric)))
        for other in (name for name in called if name != "groups"):
            pair = paired_resample(targets, called[other], called["groups"], k)
            rows.append(_row(name, "groups", other, pair.interval(metric)))
    return pd.DataFrame(rows)


def _row(metric: str, arm: str, less: str, interval: Interval) -> dict[str, object]:
    return {
        "metric": metric,
        "arm": arm,
        "less": less,
        "estimate": round(interval.estimate, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
    }


def _images(manifest: Manifest, work_px: int, cache: Path) -> np.ndarray:
    images = load("cpu").images.model_copy(update={"work_px": work_px})
    return load_work(manifest, images, cache).images


def _labelled(manifest: Manifest, split: str) -> Manifest:
    cells = manifest.of_split(split)
    return cells.subset(cells.is_labelled)


def run(data_path: Path, work: Path, seeds: Sequence[int]) -> pd.DataFrame:
    """Train what is not trained yet, then score."""
    work.mkdir(parents=True, exist_ok=True)
    config = load("cpu")
    recipe = config.classify.model_copy(update=RECIPE)
    manifest = read(data_path)
    learned, scored = _labelled(manifest, "train"), _labelled(manifest, "eval")
    taxonomy = resolve(config.taxonomy, learned.frame["label"].tolist())
    targets = learned.targets(taxonomy)
    is_coarse = draw_coarse(targets, taxonomy)
    images = _images(learned, config.images.work_px, work / "cache")
    data = Data(images, targets, is_coarse, taxonomy)
    models = {(arm, seed): train(data, arm, seed, recipe, work) for seed in seeds for arm in ARMS}
    scored = {}
    shown = _images(scored, config.images.work_px, work / "cache")
    for (arm, seed), model in models.items():
        stored = work / f"{arm}-{seed}.logits.npy"
        if not stored.exists():
            print(f"{arm}, seed {seed}: score {len(shown)} cells", flush=True)
            with writing(stored) as part, part.open("wb") as file:
                np.save(file, model.view_logits(shown))
        scored[arm, seed] = of_views([np.load(stored)], 1.0).log_probs
    truth = scored.targets(taxonomy)
    tables = []
    for name, part in {**{str(seed): [seed] for seed in seeds}, "mean": list(seeds)}.items():
        if name == "mean" and len(seeds) == 1:
            continue
        called = {
            arm: MEANS[config.fuse.average]([scored[arm, seed] for seed in part]).argmax(axis=1)
            for arm in ARMS
        }
        tables.append(figures(truth, called, taxonomy).assign(seed=name))
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Train, score, print and write."""
    parser = argparse.ArgumentParser(description="What labels coarser than a class are worth.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, models, logits")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, help="folder for coarse_labels.csv")
    options = parser.parse_args()
    table = run(options.data, options.work, options.seeds)
    print(table.to_string(index=False))
    if options.out:
        with writing(options.out / "coarse_labels.csv") as part:
            table.to_csv(part, index=False)


if __name__ == "__main__":
    main()
