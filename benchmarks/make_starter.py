"""Make the starter bundle from a finished run, and measure that very file on the evaluation split.

    python -m benchmarks.make_starter RUN DATA

The models of a run, of the folds and refitted, began at the same weights, so the mean of their
weights is a model too ("model soup"; Wortsman et al., ICML 2022, arXiv 2203.05482): one network in
place of several, none of them chosen by its score. Its batch-norm statistics are those of DATA's
training cells. Weights are stored in fp16. The result is read back, scored on DATA's evaluation
split and written again with those figures in its metrics and model card.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.classify.ensemble import FoldModel
from buffycoat.evaluate.summary import evaluate
from buffycoat.images import load_work
from buffycoat.learn import summary
from buffycoat.learn.batch_norm import reestimate
from buffycoat.predict.predictor import Pipeline
from buffycoat.report.model_card import model_card
from buffycoat.sources.read import read

STARTER = Path(__file__).resolve().parents[1] / "src" / "buffycoat" / "starter"
LIMIT_BYTES = 34_600_000
"""33 MiB: 14 of them are the frozen encoder in fp32, without which the gate would need torch."""


def averaged(fitted: Fitted, images: np.ndarray) -> Fitted:
    """The same system with one model, the mean of all in their weights.

    Args:
        fitted: Of a run.
        images: Training cells as the classifier sees them, shape (n, w, w, 3), uint8; batch-norm
            statistics of a mean of weights are not the mean of statistics.
    """
    first = fitted.models[0]
    states = [model.state for model in fitted.models]
    mean = {name: np.mean([state[name] for state in states], axis=0) for name in first.state}
    state = {name: value.astype(first.state[name].dtype) for name, value in mean.items()}
    log_prior = np.mean([model.log_prior for model in fitted.models], axis=0)
    model = FoldModel.assemble(state, first.config, len(log_prior), log_prior)
    temperature = float(np.mean(fitted.temperatures))
    return replace(
        fitted,
        models=(reestimate(model, images, share=1.0),),
        temperatures=(temperature,),
    )


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
    parser.add_argument("--population", default="", help="whose cells, in a sentence")
    parser.add_argument("--out", type=Path, default=STARTER)
    options = parser.parse_args()
    fitted = files.read(options.run / "bundle")
    cells = read(options.data).of_split("train")
    fitted = averaged(fitted, load_work(cells, fitted.config.images).images)
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
        raise SystemExit(
            f"over {LIMIT_BYTES / 1e6:.0f} MB: make the gallery or the networks smaller"
        )


if __name__ == "__main__":
    main()
