"""Which method trains a backbone without labels: contrast, variance, self-distillation, masks.

    python -m benchmarks.pretrain_methods SHARED OUT --epochs 5
    python -m benchmarks.unlabelled_draws OUT/cells.npz --kind variance --out FOLDER

The backbone, the cells (`pbc-more` without its labels, no copies of PBC-LT), the views and the
steps are the same for all. OUT gets weights and a checkpoint of each method, so that a killed run
goes on, embeddings of all cells for `unlabelled_draws`, and `methods.csv`: balanced macro-F1 of a
linear head out of fold on PBC-LT's training cells, which is what a method is chosen by, and on
`phase2_eval`, n = 800. Image-level.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from benchmarks.active_cells import CODES, Cells, reduce
from benchmarks.unlabelled_draws import folds_of, logits, scored
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from buffycoat import config
from buffycoat.classify.pretrain import PretextTask, contrastive, fit_backbone
from buffycoat.embed.encoders import BackboneEncoder
from buffycoat.images import load_work, writing
from buffycoat.learn import unlabelled
from buffycoat.learn.stage_store import StageStore
from buffycoat.progress import Silent
from buffycoat.sources.read import read
from buffycoat.tables import write_csv

WIDTH = 512
"""Of the projections that `variance` and `self-distillation` compare."""
HIDDEN = 32
"""Side in px of the squares that `masked` hides, and the share of them:"""
SHARE_HIDDEN = 0.5


def variance(width: int) -> PretextTask:
    """VICReg (Bardes et al., arXiv 2105.04906): alike, spread out, and not redundant."""

    def loss(found: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        a, b = found.chunk(2)
        total = 25 * F.mse_loss(a, b)
        for part in (a, b):
            centred = part - part.mean(dim=0)
            total = total + 12.5 * F.relu(1 - (centred.var(dim=0) + 1e-4).sqrt()).mean()
            shared = centred.T @ centred / (len(part) - 1)
            off = shared - torch.diag(torch.diagonal(shared))
            total = total + off.square().sum() / width
        return total

    def head(n: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(n, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width)
        )

    return PretextTask(head, loss)


class _Predicted(nn.Module):
    """A projection and what predicts the other view's from it, side by side."""

    def __init__(self, n: int, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Linear(n, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.BatchNorm1d(width, affine=False),
        )
        self.predict = nn.Sequential(
            nn.Linear(width, width // 4),
            nn.BatchNorm1d(width // 4),
            nn.ReLU(),
            nn.Linear(width // 4, width),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Shape (2b, 2 * width)."""
        projected = self.project(features)
        return torch.cat([projected, self.predict(projected)], dim=1)


def self_distillation(width: int) -> PretextTask:
    """SimSiam (Chen and He, arXiv 2011.10566): predict the other view, no gradient through it."""

    def loss(found: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        projected, predicted = found.chunk(2, dim=1)
        (za, zb), (pa, pb) = projected.detach().chunk(2), predicted.chunk(2)
        alike = F.cosine_similarity(pa, zb) + F.cosine_similarity(pb, za)
        return 1 - alike.mean() / 2

    return PretextTask(lambda n: _Predicted(n, width), loss)


def masked(whole: PretextTask) -> PretextTask:
    """A method whose second view is half hidden (compare Jing et al., arXiv 2206.07700)."""

    def mask(views: torch.Tensor) -> torch.Tensor:
        half = len(views) // 2
        side = -(-views.shape[-1] // HIDDEN)
        seen = torch.rand(len(views) - half, 1, side, side) >= SHARE_HIDDEN
        seen = F.interpolate(seen.float(), scale_factor=HIDDEN)[
            ..., : views.shape[-2], : views.shape[-1]
        ]
        return torch.cat([views[:half], views[half:] * seen])

    return PretextTask(whole.head, whole.loss, mask)


def embed(weights: str, images: list[np.ndarray], px: int, crop: float, name: str) -> np.ndarray:
    """Features of all cells, shape (n, d)."""
    encoder = BackboneEncoder(name, weights, px, crop, engine="openvino")
    return np.concatenate([encoder.encode(part) for part in images])


def out_of_fold(cells: Cells, kind: str) -> dict[str, float]:
    """Balanced macro-F1 of a linear head with all labels of PBC-LT."""
    features, home, held = reduce(cells, kind), cells.rows("pbc-lt"), cells.rows("eval")
    x, y = features[home], cells.labels[home]
    called = np.empty(len(y), int)
    for learned, scored_rows in folds_of(y):
        called[scored_rows] = logits(x[learned], y[learned], x[scored_rows]).argmax(axis=1)
    on_eval = logits(x, y, features[held]).argmax(axis=1)
    return {
        "out_of_fold": scored(called, y)["macro_f1"],
        "eval": scored(on_eval, cells.labels[held])["macro_f1"],
    }


def minutes_of(weights: Path) -> float:
    """What the training took; NaN of a file that something else made, or after a resume."""
    with safe_open(str(weights), "np") as file:
        return float((file.metadata() or {}).get("minutes", "nan"))


def main() -> None:
    """Train what is not trained yet, embed, score."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--methods", nargs="+", default=["contrastive", "variance", "self-distillation", "masked"]
    )
    options = parser.parse_args()
    preset = config.load("cpu")
    recipe = preset.classify
    settings = preset.pretrain.model_copy(update={"epochs": options.epochs})
    tasks = {
        "contrastive": contrastive(settings),
        "variance": variance(WIDTH),
        "self-distillation": self_distillation(WIDTH),
        "masked": masked(contrastive(settings)),
    }
    home = read(options.shared / "pbc-lt")
    more = read(options.shared / "pbc-more")
    store = StageStore(options.out / "stages")
    others = unlabelled.load(more, home, preset, options.out, store, Silent())
    frames = [home.of_split("train"), home.of_split("eval"), more]
    images = [load_work(part, preset.images).images for part in frames]
    sizes = [len(part) for part in images]
    labels = np.concatenate([part.frame["label"].to_numpy(dtype=str) for part in frames])
    origin = np.repeat(["pbc-lt", "eval", "pbc-more"], sizes)
    features: dict[str, np.ndarray] = {}
    rows = []
    for method in options.methods:
        place = options.out / f"{method}.safetensors"
        checkpoint = options.out / f"{method}.checkpoint"
        if not place.exists():
            started, is_whole = time.monotonic(), not checkpoint.exists()
            model, _, history = fit_backbone(
                others.cells.images,
                recipe,
                settings,
                options.seed,
                checkpoint,
                None,
                tasks[method],
            )
            print(method, [round(epoch["loss"], 3) for epoch in history], flush=True)
            with writing(place) as part:
                state = {k: v.contiguous() for k, v in model.state_dict().items()}
                minutes = f"{(time.monotonic() - started) / 60:.1f}"
                save_file(state, part, {"minutes": minutes if is_whole else "nan"})
        features[method] = embed(
            str(place), images, recipe.input_px, recipe.crop_fraction, recipe.backbone
        )
        cells = Cells(
            features,
            np.array([CODES.index(label) for label in labels]),
            origin,
        )
        rows.append(
            {
                "method": method,
                "epochs": options.epochs,
                "minutes": minutes_of(place),
                **out_of_fold(cells, method),
            }
        )
        print(rows[-1], flush=True)
        write_csv(options.out / "methods.csv", pd.DataFrame(rows))
    arrays: dict[str, Any] = {**features, "label": labels, "origin": origin}
    np.savez(options.out / "cells.npz", **arrays)


if __name__ == "__main__":
    main()
