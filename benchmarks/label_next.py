"""Does it pay to label the cells that are suggested, and not any?

    python -m benchmarks.label_next ../shared/pbc-lt --cache runs/embeddings \
        --out benchmarks/results/labels/label_next.csv

PBC-LT's training cells are halved: one half is scored, of the other 100 cells drawn at random are
labelled. Logistic regression on frozen ImageNet embeddings learns from them; so many more cells are
chosen at once by its probabilities, get their labels, and it learns again. Scored is balanced
accuracy over the ten classes, since rare ones are what is missing. No patients are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.label_errors import COMPONENTS, training_cells
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from buffycoat.evaluate.label_next import choose_next
from buffycoat.tables import write_csv

Choice = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], list[int]]
"""Probabilities (n, k), labelled (n,) and a number -> rows to label next."""

LABELLED = 100
MORE = (25, 50, 100, 200)


def _lowest(scores: np.ndarray, known: np.ndarray, count: int) -> list[int]:
    return np.argsort(np.where(known, np.inf, scores), kind="stable")[:count].tolist()


def _margin(probs: np.ndarray) -> np.ndarray:
    first = np.sort(probs, axis=1)
    return first[:, -1] - first[:, -2]


CHOICES: Mapping[str, Choice] = {
    "any": lambda p, known, n, rng: rng.choice(np.flatnonzero(~known), n, replace=False).tolist(),
    "lowest probability": lambda p, known, n, rng: _lowest(p.max(axis=1), known, n),
    "lowest margin": lambda p, known, n, rng: _lowest(_margin(p), known, n),
    "suggested": lambda p, known, n, rng: choose_next(p, known, n),
}


def fit(features: np.ndarray, labels: np.ndarray, k: int) -> Callable[[np.ndarray], np.ndarray]:
    """Probabilities (n, k) by a model of these cells; 0 for a class that it has not seen."""
    model = LogisticRegression(C=300, max_iter=2000).fit(features, labels)

    def predict(rows: np.ndarray) -> np.ndarray:
        probs = np.zeros((len(rows), k))
        probs[:, model.classes_] = model.predict_proba(rows)
        return probs

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(description="Do suggestions of what to label pay?")
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, help="folder of embeddings to reuse")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    embeddings, truth, taxonomy = training_cells(arguments.data, arguments.cache)
    k = len(taxonomy)
    rows = []
    for seed in range(arguments.seeds):
        rng = np.random.default_rng(seed)
        pool, held = train_test_split(
            np.arange(len(truth)), test_size=0.5, stratify=truth, random_state=seed
        )
        reduce = PCA(COMPONENTS, random_state=0).fit(embeddings[pool])
        ours, others = reduce.transform(embeddings[pool]), reduce.transform(embeddings[held])
        known = np.zeros(len(pool), dtype=bool)
        known[rng.choice(len(pool), LABELLED, replace=False)] = True
        probs = fit(ours[known], truth[pool][known], k)(ours)
        for name, choose in CHOICES.items():
            for more in MORE:
                chosen = choose(probs, known, more, rng)
                now = known.copy()
                now[chosen] = True
                calls = fit(ours[now], truth[pool][now], k)(others).argmax(axis=1)
                row = {"seed": seed, "chosen": name, "labels_more": more}
                row["balanced_accuracy"] = balanced_accuracy_score(truth[held], calls)
                row["classes_labelled"] = len(set(truth[pool][now]))
                rows.append(row)
        print(seed, flush=True)
    write_csv(arguments.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
