"""Make the starter bundle from a finished run, and measure that very file on the evaluation split.

    python -m benchmarks.make_starter RUN DATA --models 1

The last models are kept, none of them chosen by its score: the refit, which has seen the cells of
all folds, and fold models before it. (The mean of all their weights, a "model soup", was tried:
balanced macro-F1 0.82 against 0.92 of all models.) Weights are stored in fp16. The result is read
back, scored on DATA's evaluation split and written again with those figures in its metrics and
model card.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.add_home import home_of

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.embed.gallery import Gallery
from buffycoat.evaluate.summary import evaluate
from buffycoat.learn import summary
from buffycoat.predict.predictor import Pipeline
from buffycoat.report.model_card import model_card
from buffycoat.sources.read import read

STARTER = Path(__file__).resolve().parents[1] / "src" / "buffycoat" / "starter"
LIMIT_BYTES = 20_000_000
GALLERY_CELLS = 200
"""Cells of a class that the gallery keeps, drawn by chance."""


def condense(fitted: Fitted, n_models: int) -> Fitted:
    """The same system with fewer models."""
    return replace(
        fitted,
        models=fitted.models[-n_models:],
        temperatures=fitted.temperatures[-n_models:],
    )


def thinned(gallery: Gallery) -> Gallery:
    """A gallery with at most `GALLERY_CELLS` cells of each class."""
    rng = np.random.default_rng(0)
    parts = [
        rng.permutation(np.flatnonzero(gallery.targets == column))[:GALLERY_CELLS]
        for column in np.unique(gallery.targets)
    ]
    rows = np.sort(np.concatenate(parts))
    ids = tuple(gallery.cell_ids[row] for row in rows)
    return Gallery(ids, gallery.targets[rows], gallery.rows[rows], gallery.axes)


def describe(fitted: Fitted, population: str) -> Fitted:
    """The same system, saying whose cells it learned from."""
    record = dict(fitted.provenance)
    record["data"] = record["data"] | {"population": population}
    record["notice"] = summary.notice(population, record["never_seen"])
    return replace(fitted, provenance=record)


def measure(folder: Path, data: Path) -> dict[str, Any]:
    """Figures of a bundle, as read from its files, on the evaluation split."""
    pipeline = Pipeline.load(folder)
    cells = read(data).of_split("eval")
    found = pipeline.predict_manifest(cells)
    probs = np.array([p.probs for p in found.predictions])
    counts = dict(zip(pipeline.taxonomy.codes, pipeline.fitted.counts.tolist(), strict=True))
    return evaluate(
        probs,
        cells.targets(pipeline.taxonomy),
        pipeline.taxonomy,
        counts,
        cells.column("severity"),
        labels=[p.label for p in found.predictions],
    )


def main() -> None:
    """Read the arguments, then make, measure and write."""
    parser = argparse.ArgumentParser(description="Make the starter bundle from a finished run.")
    parser.add_argument("run", type=Path, help="folder that `buffycoat train` was given as --out")
    parser.add_argument("data", type=Path, help="the data set of that run")
    parser.add_argument("--models", type=int, default=1, help="models to keep, the last ones")
    parser.add_argument("--population", default="", help="whose cells, in a sentence")
    parser.add_argument("--out", type=Path, default=STARTER)
    options = parser.parse_args()
    fitted = condense(files.read(options.run / "bundle"), options.models)
    # Logits of few models are not on the scale of those that the run recorded.
    fitted = replace(fitted, home=home_of(fitted, options.data))
    fitted = replace(fitted, gallery=thinned(fitted.gallery))
    if options.population:
        fitted = describe(fitted, options.population)
    files.write(options.out, fitted, {}, "", is_half=True)
    figures = {"eval": measure(options.out, options.data)}
    card = model_card(
        replace(summary.card(fitted, figures), name="buffycoat starter", load="starter")
    )
    files.write(options.out, fitted, {"evaluations": figures}, card, is_half=True)
    size = sum(path.stat().st_size for path in options.out.iterdir())
    score = figures["eval"]["balanced_macro_f1"]
    print(
        f"{options.out}: {size / 1e6:.1f} MB, balanced macro-F1 {score['estimate']:.3f} "
        f"({score['low']:.3f} to {score['high']:.3f}, {score['unit']}, n = {score['n']})"
    )
    if size > LIMIT_BYTES:
        raise SystemExit(f"over {LIMIT_BYTES / 1e6:.0f} MB: keep fewer models or cells")


if __name__ == "__main__":
    main()
