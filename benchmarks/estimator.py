"""What does the scikit-learn estimator reach on real training cells, out of fold?

    python -m benchmarks.estimator PBC-LT --out estimator.json

Training cells of PBC-LT alone, in five folds that keep exact copies together: no cell of eval or
test is read. Features are computed once; imputation, scaling and regression are fitted in each fold
on the other four. Each row of the result is one choice of columns, C and class mix, scored on all
training cells by the model of the fold that has not seen them. Intervals are image-level.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

import buffycoat
from buffycoat import images
from buffycoat.evaluate import summary
from buffycoat.splits import assign_folds
from buffycoat.taxonomy import Taxonomy, resolve

FOLDS, SEED = 5, 0
PENALTIES = (0.001, 0.01, 0.1, 1.0)
PRIORS = ("uniform", "train")
SHOWN = ("macro_f1", "balanced_macro_f1", "balanced_accuracy", "accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings")
    options = parser.parse_args()
    measure(options.data, options.out, options.cache)


def measure(data: Path, out: Path, cache: Path | None = None) -> list[dict[str, Any]]:
    """Score every choice out of fold and write the rows."""
    cells = buffycoat.read_cells(data, split="train").frame
    labels, paths = cells["label"].to_numpy(dtype=str), cells["path"].tolist()
    taxonomy = resolve("auto", set(labels))
    start = time.process_time()
    embedding = buffycoat.CellFeatures(morphology=False, cache=cache).fit_transform(paths)
    middle = time.process_time()
    morphology = buffycoat.CellFeatures(embedding=False).fit_transform(paths)
    cost = {
        "cells": len(labels),
        "embedding_cpu_seconds": round(middle - start, 1),
        "morphology_cpu_seconds": round(time.process_time() - middle, 1),
    }
    print(cost, flush=True)
    parts = {
        "embedding": embedding,
        "morphology": morphology,
        "both": np.concatenate([embedding, morphology], axis=1),
    }
    copies = np.array([hashlib.sha256(images.read(path).tobytes()).hexdigest() for path in paths])
    targets = taxonomy.encode(labels.tolist())
    folds = assign_folds(targets, None, FOLDS, SEED, copies=copies).fold
    found: list[dict[str, Any]] = [cost]
    for columns, rows in parts.items():
        for penalty in PENALTIES:
            found += _score(columns, penalty, rows, labels, folds, taxonomy)
            out.write_text(json.dumps(found, indent=1) + "\n")
    return found


def _score(
    columns: str, penalty: float, rows: np.ndarray, labels: np.ndarray, folds: np.ndarray,
    taxonomy: Taxonomy,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each class mix; the prior is applied to what was fitted once."""
    said = {prior: np.empty_like(labels) for prior in PRIORS}
    for fold in range(FOLDS):
        left = folds == fold
        model = clone(buffycoat.CellClassifier("passthrough", C=penalty))
        model.fit(rows[~left], labels[~left])
        for prior, calls in said.items():
            calls[left] = model.set_params(prior=prior).predict(rows[left])
    found = []
    for prior, calls in said.items():
        scores = summary.evaluate(calls.tolist(), labels.tolist(), taxonomy)
        kept = {key: {k: scores[key][k] for k in ("estimate", "low", "high")} for key in SHOWN}
        found.append({"columns": columns, "C": penalty, "prior": prior, "n": scores["n"], **kept})
        print(columns, penalty, prior, scores["macro_f1"], flush=True)
    return found


if __name__ == "__main__":
    main()
