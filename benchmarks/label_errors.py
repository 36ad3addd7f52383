"""Are wrong training labels found among the first that are suggested?

    python -m benchmarks.label_errors ../shared/pbc-lt --cache runs/embeddings \
        --out benchmarks/results/labels/label_errors.csv

A share of the training labels is flipped, in three ways: to any other class alike (so most wrong
labels are in rare classes), to another class by how frequent it is, and to a neighbour on the line
of maturation (what people confuse; cells without one are not flipped). Probabilities are out of
fold: logistic regression on frozen ImageNet embeddings, five folds by given label. Every ranking
sees the same given labels and probabilities. The first so many cells as labels were flipped are
looked at: precision and recall are then one number. Seeds 0 to 4 (--first-seed 0) chose between the
rankings, seeds from 100 on report. Right labels of rare classes that are listed are counted too, as
a share of all of them. No patients are known: image-level.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from buffycoat.bundle import files
from buffycoat.evaluate.label_errors import rank_labels
from buffycoat.images import decode
from buffycoat.predict.embedder import make_embedder
from buffycoat.sources.read import read
from buffycoat.tables import write_csv
from buffycoat.taxonomy import Taxonomy, resolve

Ranking = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Given columns (n,) and probabilities (n, k) -> scores (n,), the lowest the most suspect."""

FOLDS = 5
COMPONENTS = 128
TAIL = 50
"""Cells up to which a class is rare here."""


def training_cells(data: Path, cache: Path | None) -> tuple[np.ndarray, np.ndarray, Taxonomy]:
    """Embeddings (n, d), columns of the true labels (n,) and the taxonomy."""
    frame = read(data).frame
    frame = frame.loc[frame["split"] == "train"]
    taxonomy = resolve("auto", set(frame["label"]))
    photographs = [decode(Path(path).read_bytes(), path) for path in frame["path"]]
    embeddings = make_embedder(files.read("starter"), cache)(photographs)
    return embeddings, taxonomy.encode(frame["label"].tolist()), taxonomy


def flip(truth: np.ndarray, taxonomy: Taxonomy, how: str, share: float, seed: int) -> np.ndarray:
    """Labels of which a share is wrong, shape (n,)."""
    rng = np.random.default_rng(seed)
    k = len(taxonomy)
    counts = np.bincount(truth, minlength=k).astype(float)
    weights = {
        "uniform": np.ones((k, k)),
        "frequency": np.tile(counts, (k, 1)),
        "neighbour": taxonomy.neighbours().astype(float),
    }[how]
    np.fill_diagonal(weights, 0)
    can = np.flatnonzero(weights[truth].sum(axis=1) > 0)
    given = truth.copy()
    for row in rng.choice(can, round(share * len(truth)), replace=False):
        odds = weights[truth[row]]
        given[row] = rng.choice(k, p=odds / odds.sum())
    return given


def out_of_fold(embeddings: np.ndarray, given: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Probabilities (n, k) by models that have not seen the cell."""
    model = make_pipeline(
        StandardScaler(),
        PCA(COMPONENTS, random_state=0),
        LogisticRegression(C=0.05, max_iter=500),
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    probs = np.zeros((len(given), k))
    probs[:, np.unique(given)] = cross_val_predict(
        model, embeddings, given, cv=folds, method="predict_proba"
    )
    return probs


def pruned(method: str) -> Ranking:
    """Cleanlab's issues first, in its order by normalised margin; the rest by the same score."""

    def rank(given: np.ndarray, probs: np.ndarray) -> np.ndarray:
        found = find_label_issues(
            given, probs, return_indices_ranked_by="normalized_margin", filter_by=method, n_jobs=1
        )
        scores = 10 + get_label_quality_scores(given, probs, method="normalized_margin")
        scores[found] = np.arange(len(found)) / (len(found) + 1)
        return scores

    return rank


def quality(method: str, adjust: bool = False) -> Ranking:
    """Cleanlab's score of each label."""
    return lambda given, probs: get_label_quality_scores(
        given, probs, method=method, adjust_pred_probs=adjust
    )


def margin(given: np.ndarray, probs: np.ndarray, tau: float) -> np.ndarray:
    """Ours: log odds to the likeliest other class, with class frequency taken out by a power."""
    counts = np.bincount(given, minlength=probs.shape[1])
    logits = np.log(np.maximum(probs, 1e-12)) - tau * np.log(np.maximum(counts, 1))
    rows = np.arange(len(given))
    stated = logits[rows, given]
    logits[rows, given] = -np.inf
    return stated - logits.max(axis=1)


def by_noise(given: np.ndarray, probs: np.ndarray, prior: float) -> np.ndarray:
    """Ours: log odds that the label is right, given how often each class is labelled as another.

    Rates are those of the confident joint, drawn to one rate alike for all pairs by so many cells.
    """
    k = probs.shape[1]
    joint = compute_confident_joint(given, probs, calibrate=True).T.astype(float)
    rate = 1 - np.trace(joint) / joint.sum()
    alike = rate / k + (1 - rate) * np.eye(k)
    labelled = (joint + prior * alike) / (joint.sum(axis=1, keepdims=True) + prior)
    weights = np.maximum(probs, 1e-12) * labelled[:, given].T
    right = weights[np.arange(len(given)), given]
    return np.log(right) - np.log(np.maximum(weights.sum(axis=1) - right, 1e-300))


def suspects(given: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """What `buffycoat suspects` lists first: place in its order."""
    scores = np.empty(len(given))
    scores[rank_labels(given, probs).order] = np.arange(len(given))
    return scores


RANKINGS: Mapping[str, Ranking] = {
    "self-confidence": lambda given, probs: probs[np.arange(len(given)), given],
    "cleanlab: normalised margin": quality("normalized_margin"),
    "cleanlab: class-adjusted self-confidence": quality("self_confidence", True),
    "cleanlab: entropy": quality("confidence_weighted_entropy"),
    "cleanlab: pruned by noise rate": pruned("prune_by_noise_rate"),
    "cleanlab: confident learning": pruned("confident_learning"),
    "buffycoat suspects": suspects,
    "ours, tried: margin, half frequency": lambda given, probs: margin(given, probs, 0.5),
    "ours, tried: odds by noise": lambda given, probs: by_noise(given, probs, 100),
}


def scored(
    scores: np.ndarray, given: np.ndarray, truth: np.ndarray, n: int
) -> dict[str, float | int]:
    """What the n most suspect cells hold."""
    first = np.argsort(scores, kind="stable")[:n]
    is_wrong = given != truth
    counts = np.bincount(truth, minlength=truth.max() + 1)
    is_rare = counts[truth] <= TAIL
    right_rare = is_rare & ~is_wrong
    return {
        "n_wrong": int(is_wrong.sum()),
        "n_looked_at": n,
        "precision": float(is_wrong[first].mean()),
        "recall": float(is_wrong[first].sum() / is_wrong.sum()),
        "right_rare_listed": float(right_rare[first].sum() / right_rare.sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Are flipped labels found?")
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, help="folder of embeddings to reuse")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    embeddings, truth, taxonomy = training_cells(arguments.data, arguments.cache)
    rows = []
    for how in ("uniform", "frequency", "neighbour"):
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            given = flip(truth, taxonomy, how, arguments.share, seed)
            probs = out_of_fold(embeddings, given, len(taxonomy), seed)
            n = round(arguments.share * len(truth))
            for name, ranking in RANKINGS.items():
                found = scored(ranking(given, probs), given, truth, n)
                rows.append({"flipped": how, "seed": seed, "ranking": name, **found})
            print(how, seed, flush=True)
    write_csv(arguments.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
