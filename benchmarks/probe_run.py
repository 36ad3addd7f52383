"""A weaker classifier on the folds of a finished run: regression on its stored embeddings.

    python -m benchmarks.probe_run RUN OUT
    python -m benchmarks.decide OUT PBC-LT --out benchmarks/results/decide/probe.json

Learns from the PBC-LT cells of RUN alone, each as it is and once degraded, by embeddings of an
encoder that saw no blood (ImageNet). Writes `out_of_fold.parquet` and `held_out.parquet` as a run
does, so that what reads those of a run can be tried on a classifier that errs more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from buffycoat.fuse.calibrate import fit_temperature, log_probs
from buffycoat.taxonomy import PBC

SCALE = 30.0
"""Embeddings have length 1: this makes the default penalty of the regression a mild one."""


def only(run: Path, pattern: str) -> Path:
    """The one folder of a stage, the newest where there are several."""
    found = sorted((run / "stages").glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit(f"{run / 'stages'}: no {pattern}. Give the folder of a finished run")
    return found[-1]


def logits_of(model: LogisticRegression, rows: np.ndarray) -> np.ndarray:
    """Logits (n, 1, k), one view; a class that the model has not seen gets very little."""
    logits = np.full((len(rows), 1, len(PBC)), -30.0)
    logits[:, 0, model.classes_] = model.decision_function(rows)
    return logits


def main() -> None:
    """Read the arguments, fit a model a fold, and write both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    embedded = only(options.run, "embed-*")
    rows = np.concatenate([np.load(embedded / f"{part}.npy") for part in ("cells", "twins")])
    table = pd.read_parquet(options.run / "out_of_fold.parquet")
    is_home = (table["site"] == "pbc-lt").to_numpy()
    table, rows = table.loc[is_home].reset_index(drop=True), SCALE * rows[is_home]
    held_out = pd.read_parquet(options.run / "held_out.parquet")
    seen = SCALE * np.load(only(options.run, "eval-embed-*") / "embeddings.npy")
    targets, folds = PBC.encode(table["label"].tolist()), table["fold"].to_numpy()
    columns = [f"prob_{code}" for code in PBC.codes]
    said = []
    for fold in np.unique(folds):
        inside = folds == fold
        model = LogisticRegression(class_weight="balanced", max_iter=300)
        model.fit(rows[~inside], targets[~inside])
        own = logits_of(model, rows[inside])
        temperature = fit_temperature(own, targets[inside])
        table.loc[inside, columns] = np.exp(log_probs(own, temperature))
        said.append(log_probs(logits_of(model, seen), temperature))
    mean = np.exp(np.mean(said, axis=0))
    held_out[columns] = mean / mean.sum(axis=1, keepdims=True)
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_parquet(options.out / "out_of_fold.parquet", index=False)
    held_out[["cell_id", "true_label", *columns]].to_parquet(
        options.out / "held_out.parquet", index=False
    )


if __name__ == "__main__":
    main()
