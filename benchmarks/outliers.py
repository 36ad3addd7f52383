"""Which outlier score tells cells of a class that training has never shown?

    python -m benchmarks.outliers PBC-LT --cache runs/embeddings --out runs/outliers.json

Each class in turn is left out of the training cells, and every score is fitted on the rest, at its
fixed settings. Figure: area under the ROC curve of the left-out class's evaluation cells against
all others. Cells are embedded as they are, without restoration. The default score was chosen by
this figure and that of `outliers_retrained` (docs/adr/0012), and so on evaluation cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks import stored
from buffycoat.cells import Manifest
from buffycoat.config import Config, load
from buffycoat.embed.cache import encode_cached
from buffycoat.embed.encoder import Encoder
from buffycoat.embed.encoders import build_encoder
from buffycoat.embed.outliers import OF_EMBEDDINGS
from buffycoat.errors import BadCellsError
from buffycoat.images import load_work
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve

SEED = 0
RESAMPLES = 2000
GROUPS = {
    "mean, other types": ("BA", "EO", "ERB", "LY", "MO", "SNE"),
    "mean, immature neutrophils": ("MY", "MMY", "PMY", "BNE"),
}
"""Apart, since an immature neutrophil looks like the stages beside it, which training does show."""
REFERENCE = "relative_mahalanobis"
"""The score that the others are compared with."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Embedded cells: embeddings (n, d), and the column of each one's class, shape (n,)."""

    embeddings: np.ndarray
    targets: np.ndarray


def embed(
    manifest: Manifest, codes: tuple[str, ...], encoder: Encoder, config: Config, cache: Path
) -> Cells:
    """Embed the labelled cells of a manifest.

    Raises:
        BadCellsError: A cell cannot be read.
    """
    known = manifest.subset(manifest.is_labelled)
    work = load_work(known, config.images)
    if work.bad:
        raise BadCellsError(
            f"{len(work.bad)} cells cannot be read, first {work.bad[0].path}: {work.bad[0].reason}",
            [(cell.cell_id, cell.path, cell.reason) for cell in work.bad],
        )
    column = {code: number for number, code in enumerate(codes)}
    targets = np.array([column[label] for label in known.column("label")])
    return Cells(encode_cached(encoder, work.images, cache), targets)


def leave_one_out(learned: Cells, scored: Cells, k: int) -> dict[str, np.ndarray]:
    """Scores of the scored cells by fits without each class: name -> shape (k, n)."""
    found = {name: np.empty((k, len(scored.targets))) for name in OF_EMBEDDINGS}
    for column in range(k):
        kept = learned.targets != column
        for name, score in OF_EMBEDDINGS.items():
            fitted = score.fit(learned.embeddings[kept], learned.targets[kept], k)
            found[name][column] = fitted.score_together(scored.embeddings)
    return found


def draw(targets: np.ndarray) -> np.ndarray:
    """How often each cell is in each sample, shape (1 + RESAMPLES, n); first the cells as they are.

    Cells are drawn within each class.
    """
    rng = np.random.default_rng(SEED)
    weights = np.ones((1 + RESAMPLES, len(targets)))
    for column in np.unique(targets):
        rows = np.flatnonzero(targets == column)
        weights[1:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), RESAMPLES)
    return weights


def areas(scores: np.ndarray, is_positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each sample.

    Args:
        scores: Shape (n,).
        is_positive: Shape (n,), bool.
        weights: Shape (r, n), from `draw`.

    Returns:
        Shape (r,).
    """
    ours, theirs = scores[is_positive][:, None], scores[~is_positive][None]
    wins = (ours > theirs) + 0.5 * (ours == theirs)
    above = (weights[:, is_positive] @ wins * weights[:, ~is_positive]).sum(axis=1)
    pairs = weights[:, is_positive].sum(axis=1) * weights[:, ~is_positive].sum(axis=1)
    return above / pairs


def table(
    scores: Mapping[str, np.ndarray], targets: np.ndarray, codes: tuple[str, ...]
) -> dict[str, dict[str, np.ndarray]]:
    """Row -> score -> area of each sample: a row a class, then one a group.

    A group has a row only if all its classes exist.
    """
    weights = draw(targets)
    rows = {
        code: {
            name: areas(found[column], targets == column, weights) for name, found in scores.items()
        }
        for column, code in enumerate(codes)
    }
    means = {
        group: {name: np.mean([rows[code][name] for code in members], axis=0) for name in scores}
        for group, members in GROUPS.items()
        if set(members) <= set(codes)
    }
    return rows | means


def interval(samples: np.ndarray) -> dict[str, float]:
    """The cells as they are, and the ends of the 95 % interval."""
    low, high = np.quantile(samples[1:], [0.025, 0.975])
    return {"estimate": float(samples[0]), "low": float(low), "high": float(high)}


def to_dict(found: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Areas with intervals, and their paired differences from the reference, as plain values."""
    return {
        "auroc": {
            row: {name: interval(samples) for name, samples in cells.items()}
            for row, cells in found.items()
        },
        f"less_{REFERENCE}": {
            row: {
                name: interval(samples - cells[REFERENCE])
                for name, samples in cells.items()
                if name != REFERENCE
            }
            for row, cells in found.items()
        },
    }


def to_markdown(areas_of: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """One row a class, one column a score."""
    names = list(next(iter(areas_of.values())))
    lines = ["| left out | " + " | ".join(names) + " |", "|-" * (1 + len(names)) + "|"]
    for row, cells in areas_of.items():
        shown = (f"{c['estimate']:.3f} ({c['low']:.3f}-{c['high']:.3f})" for c in cells.values())
        lines.append(f"| {row} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> None:
    """Embed, leave each class out, score and print a table."""
    parser = argparse.ArgumentParser(description="Outlier scores, each class left out in turn.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--input-px", type=int, default=224, help="side of the encoder's input")
    parser.add_argument("--cache", type=Path, required=True, help="folder of embeddings")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = load("cpu", [f"embed.input_px={options.input_px}"])
    encoder = build_encoder(config.embed)
    manifest = read(options.data)
    learned, scored = (manifest.of_split(split) for split in ("train", "eval"))
    codes = resolve(config.taxonomy, learned.frame["label"].dropna().tolist()).codes
    train, evaluation = (
        embed(part, codes, encoder, config, options.cache) for part in (learned, scored)
    )
    scores = leave_one_out(train, evaluation, len(codes))
    record = {
        "encoder": encoder.settings(),
        "n_train": len(train.targets),
        "n_eval": len(evaluation.targets),
        "interval": f"95 %, image-level, bootstrap within each class, {RESAMPLES} resamples",
        **to_dict(table(scores, evaluation.targets, codes)),
    }
    print(to_markdown(record["auroc"]), f"\n\n{record['interval']}")
    if options.out:
        stored.write_json(options.out, record)


if __name__ == "__main__":
    main()
