"""Do features that were trained on the other classes tell a class that training has never shown?

    python -m benchmarks.outliers_retrained PBC-LT --models runs/left-out --out runs/outliers.json

As `benchmarks.outliers`, but the encoder is a classifier trained anew without the class, from
ImageNet weights at 112 px: each score is fitted on its pooled features, and its own logits give two
scores more. Ten short trainings, a few minutes each on two cores; killed, it goes on where it was.
The default score was chosen by these figures (docs/adr/0012), and so on evaluation cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmarks.outliers import RESAMPLES, table, to_dict, to_markdown
from safetensors.torch import load_file, save_file

from benchmarks import stored
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import ClassifyConfig, Config, load
from buffycoat.embed.encoders import BackboneEncoder
from buffycoat.embed.outliers import OF_EMBEDDINGS
from buffycoat.images import writing
from buffycoat.learn import prepare
from buffycoat.progress import Silent
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve

RECIPE = ("classify.input_px=112", "classify.epochs=6", "classify.views=one")
OWN = ("classifier_energy", "one_less_top_probability")
"""By the retrained classifier's own logits: Liu et al., arXiv 2010.03759; Hendrycks and Gimpel,
arXiv 1610.02136."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Working images (n, w, w, 3), uint8, and the column of each one's class, shape (n,)."""

    images: np.ndarray
    targets: np.ndarray


def train_without(
    column: int, cells: Cells, k: int, config: ClassifyConfig, file: Path
) -> dict[str, torch.Tensor]:
    """Weights of a classifier that has not seen one of the k classes; stored in a file.

    The classes after it move up by one.
    """
    if not file.exists():
        rows = np.flatnonzero(cells.targets != column)
        targets = cells.targets[rows] - (cells.targets[rows] > column)
        seen = TrainingCells(cells.images, rows, targets, k - 1)
        checkpoint = file.with_suffix(".checkpoint")
        model, _ = fit_fold(seen, config, column, checkpoint)
        with writing(file) as part:
            save_file({name: v.contiguous() for name, v in model.state_dict().items()}, part)
        checkpoint.unlink(missing_ok=True)
    return load_file(file)


def own_scores(logits: np.ndarray) -> dict[str, np.ndarray]:
    """What a classifier's logits (n, k) say of how strange a cell is; the larger the stranger."""
    energy = -np.logaddexp.reduce(logits.astype(np.float64), axis=1)
    return dict(zip(OWN, (energy, 1 - np.exp(logits.max(axis=1) + energy)), strict=True))


def score_without(
    column: int, learned: Cells, scored: Cells, k: int, config: ClassifyConfig, file: Path
) -> dict[str, np.ndarray]:
    """Score -> how strange each scored cell is to what has not seen one of the classes."""
    state = train_without(column, learned, k, config, file)
    model = FoldModel.assemble(state, config, k - 1, np.zeros(k - 1))
    encoder = BackboneEncoder(config.backbone, str(file), config.input_px, config.crop_fraction)
    kept = learned.targets != column
    known = encoder.encode(learned.images[kept])
    fresh = encoder.encode(scored.images)
    found = {
        name: score.fit(known, learned.targets[kept], k).score_together(fresh)
        for name, score in OF_EMBEDDINGS.items()
    }
    return found | own_scores(model.view_logits(scored.images)[:, 0])


def leave_one_out(
    learned: Cells,
    scored: Cells,
    codes: Sequence[str],
    config: ClassifyConfig,
    models: Path,
    say: Callable[[str], None],
) -> dict[str, np.ndarray]:
    """Scores of the scored cells by fits without each class: name -> shape (k, n)."""
    rows = []
    for column, code in enumerate(codes):
        file = models / f"without-{code}.safetensors"
        rows.append(score_without(column, learned, scored, len(codes), config, file))
        say(f"{code} left out: {column + 1} of {len(codes)}")
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _cells(data: Path, split: str, config: Config, cache: Path) -> tuple[Cells, tuple[str, ...]]:
    manifest = read(data)
    codes = resolve(config.taxonomy, manifest.frame["label"].dropna().tolist())
    part = manifest.of_split(split)
    loaded = prepare.load_cells(part.subset(part.is_labelled), config, cache, Silent(), 0)
    return Cells(loaded.images, loaded.manifest.targets(codes)), codes.codes


def main() -> None:
    """Train without each class in turn, score, and print a table."""
    parser = argparse.ArgumentParser(description="Outlier scores on retrained features.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--weights", help="to begin with, such as what `pretrain` wrote")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recipe = [*RECIPE, *([f"classify.weights={options.weights}"] if options.weights else [])]
    config = load("cpu", recipe)
    options.models.mkdir(parents=True, exist_ok=True)
    (learned, codes), (scored, _) = (
        _cells(options.data, split, config, options.models / "cache") for split in ("train", "eval")
    )

    def say(line: str) -> None:
        print(line, flush=True)

    scores = leave_one_out(learned, scored, codes, config.classify, options.models, say)
    record: dict[str, Any] = {
        "encoder": {"backbone": config.classify.backbone, "recipe": recipe},
        "n_train": len(learned.targets),
        "n_eval": len(scored.targets),
        "interval": f"95 %, image-level, bootstrap within each class, {RESAMPLES} resamples",
        **to_dict(table(scores, scored.targets, codes)),
    }
    print(to_markdown(record["auroc"]), f"\n\n{record['interval']}")
    if options.out:
        stored.write_json(options.out, record)


if __name__ == "__main__":
    main()
