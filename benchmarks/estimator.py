"""What does the scikit-learn estimator reach on real training cells, out of fold?

    python -m benchmarks.estimator PBC-LT --out estimator.json

Training cells of PBC-LT alone, in five folds that keep copies together: no cell of eval or test is
read. Features are computed once; imputation, scaling and regression are fitted in each fold on the
other four. Each line of the result is one choice of columns, C and class mix, scored on all training
cells by the model of the fold that has not seen them. Intervals are image-level.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier

import buffycoat
from buffycoat.api.classifier import CellClassifier
from buffycoat.api.features import CellFeatures
from buffycoat.evaluate import summary
from buffycoat.audit.pairs import photographs
from buffycoat.audit.scan import scan
from buffycoat.splits import assign_folds
from buffycoat.taxonomy import resolve

FOLDS, SEED = 5, 0
COLUMNS = ("embedding", "morphology", "both")
PENALTIES = (0.0003, 0.001, 0.01, 0.1, 1.0)
SHOWN = ("macro_f1", "balanced_macro_f1", "balanced_accuracy", "accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings")
    options = parser.parse_args()
    print(json.dumps(measure(options.data, options.out, options.cache), indent=1))


def measure(data: Path, out: Path, cache: Path | None = None) -> list[dict[str, Any]]:
    """Score every choice out of fold and write the rows."""
    cells = buffycoat.read_cells(data, split="train")
    labels = cells.frame["label"].to_numpy(dtype=str)
    taxonomy = resolve("auto", set(labels))
    paths = cells.frame["path"].tolist()
    start = time.process_time()
    every = CellFeatures(cache=cache).fit_transform(paths)
    seconds = time.process_time() - start
    width = every.shape[1] - CellFeatures(embedding=False).fit(paths).feature_names_out_.shape[0]
    parts = {"embedding": every[:, :width], "morphology": every[:, width:], "both": every}
    folds = assign_folds(
        taxonomy.encode(labels.tolist()), None, FOLDS, SEED, copies=photographs(scan(cells))
    ).fold
    rows = [_score("most frequent class", DummyClassifier(), every, labels, folds, taxonomy)]
    for columns in COLUMNS:
        for penalty in PENALTIES:
            for prior in ("uniform", "train"):
                model = CellClassifier("passthrough", C=penalty, prior=prior)
                name = f"{columns}, C={penalty:g}, prior={prior}"
                rows.append(_score(name, model, parts[columns], labels, folds, taxonomy))
    found = [{"cells": len(labels), "feature_cpu_seconds": round(seconds, 1)}, *rows]
    out.write_text(json.dumps(found, indent=1) + "\n")
    return found


def _score(
    name: str, model: ClassifierMixin, rows: np.ndarray, labels: np.ndarray, folds: np.ndarray,
    taxonomy: Any,
) -> dict[str, Any]:  # fmt: skip
    said = np.empty_like(labels)
    for fold in range(FOLDS):
        out = folds == fold
        said[out] = model.fit(rows[~out], labels[~out]).predict(rows[out])
    scores = summary.evaluate(said.tolist(), labels.tolist(), taxonomy)
    kept = {key: {k: scores[key][k] for k in ("estimate", "low", "high")} for key in SHOWN}
    print(name, {key: round(value["estimate"], 3) for key, value in kept.items()}, flush=True)
    return {"model": name, "n": scores["n"], **kept}


if __name__ == "__main__":
    main()
