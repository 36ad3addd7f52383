"""Morphology features against what pathologists said of the same cells (WBCAtt).

    python -m benchmarks.attributes PBC-LT --out benchmarks/results/morphology/attributes.json

PBC-LT's `attributes.csv` has eleven attributes that pathologists gave cells of six classes. For
each of six questions standard learners see `refine.features` alone: no embedding, no class, no
score. They are fitted on the training cells; which of them answers is chosen by cross-validation on
the training cells, with rows weighted 1/n of their class, since the evaluation split has equal
counts. It is scored once on the evaluation cells of severity 0 to 2. All figures are image-level.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.stored import write_json
from sklearn.base import ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from buffycoat.cells import Manifest
from buffycoat.predict.morphology import measure_manifest
from buffycoat.refine.features import NAMES
from buffycoat.sources.read import read

FOLDS = 5
SEED = 0
RESAMPLES = 1000
MAX_SEVERITY = 2
EARLIER = NAMES[:15]
"""The features that there were before this benchmark."""


@dataclass(frozen=True)
class Question:
    """One attribute.

    Attributes:
        column: Of the table of attributes.
        positive: The value that is looked for; None asks for the value itself, scored by macro-F1.
        target: What the score should reach.
    """

    column: str
    positive: str | None
    target: float


QUESTIONS = {
    "irregular cell shape": Question("cell_shape", "irregular", 0.80),
    "high N:C ratio": Question("nuclear_cytoplasmic_ratio", "high", 0.90),
    "loose chromatin": Question("chromatin_density", "loosely", 0.85),
    "vacuoles": Question("cytoplasm_vacuole", "yes", 0.75),
    "big cell": Question("cell_size", "big", 0.85),
    "nucleus shape": Question("nucleus_shape", None, 0.52),
}
LEARNERS: dict[str, Callable[[], ClassifierMixin]] = {
    "logistic": lambda: make_pipeline(
        SimpleImputer(strategy="median"),
        QuantileTransformer(n_quantiles=100, output_distribution="normal"),
        LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced"),
    ),
    "boosting": lambda: HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=10,
        l2_regularization=1.0, max_features=0.4, class_weight="balanced", random_state=SEED,
    ),
    "trees": lambda: make_pipeline(
        SimpleImputer(strategy="median"),
        ExtraTreesClassifier(
            300, min_samples_leaf=3, max_features=0.3, class_weight="balanced", random_state=SEED
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cells:
    """Measured cells that have attributes.

    Attributes:
        features: One row a cell, columns `NAMES`.
        attributes: Its attributes.
        labels: Its class, shape (n,); only for weights.
    """

    features: pd.DataFrame
    attributes: pd.DataFrame
    labels: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """1/n of a cell's class, shape (n,)."""
        counts = pd.Series(self.labels).value_counts()
        return 1.0 / pd.Series(self.labels).map(counts).to_numpy(dtype=np.float64)


def load(cells: Manifest, attributes: pd.DataFrame) -> Cells:
    """Measure the cells that have attributes."""
    has = cells.frame["cell_id"].isin(attributes.index)
    chosen = cells.subset(has.to_numpy(dtype=bool))
    found = measure_manifest(chosen).frame.set_index("cell_id")
    known = chosen.frame.set_index("cell_id").loc[found.index]
    return Cells(
        found[list(NAMES)], attributes.loc[found.index], known["label"].to_numpy(dtype=str)
    )


def score(question: Question, truth: np.ndarray, said: np.ndarray, weights: Any = None) -> float:
    """AUROC, or macro-F1 where the value itself is asked for."""
    if question.positive is None:
        return float(f1_score(truth, said, average="macro", sample_weight=weights))
    return float(roc_auc_score(truth, said, sample_weight=weights))


def truth_of(question: Question, cells: Cells) -> np.ndarray:
    """What the pathologists said, shape (n,): a bool, or the value itself."""
    values = cells.attributes[question.column].to_numpy(dtype=str)
    return values if question.positive is None else values == question.positive


def answers(question: Question, model: Any, features: np.ndarray) -> np.ndarray:
    """What a fitted learner says, shape (n,): a probability, or a value."""
    if question.positive is None:
        return model.predict(features)
    return model.predict_proba(features)[:, 1]


def cross_validated(question: Question, cells: Cells, names: tuple[str, ...]) -> dict[str, float]:
    """Each learner's score on held-out training cells, rows weighted 1/n of their class."""
    features, truth = cells.features[list(names)].to_numpy(), truth_of(question, cells)
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(features, truth))
    found = {}
    for name, make in LEARNERS.items():
        said = np.empty(len(truth), dtype=truth.dtype if question.positive is None else float)
        for seen, held_out in folds:
            model: Any = make()
            model.fit(features[seen], truth[seen])
            said[held_out] = answers(question, model, features[held_out])
        found[name] = score(question, truth, said, cells.weights)
    return found


def interval(question: Question, truth: np.ndarray, said: np.ndarray) -> dict[str, float]:
    """Score with its 95 % interval from resampled cells."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(truth), len(truth))
        if len(np.unique(truth[rows])) > 1:
            drawn.append(score(question, truth[rows], said[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"estimate": score(question, truth, said), "low": float(low), "high": float(high)}


def ask(
    question: Question, train: Cells, held_out: Cells, names: tuple[str, ...]
) -> dict[str, Any]:
    """Choose a learner on the training cells, and score it once on the others."""
    validated = cross_validated(question, train, names)
    chosen = max(validated, key=lambda name: validated[name])
    model: Any = LEARNERS[chosen]()
    model.fit(train.features[list(names)].to_numpy(), truth_of(question, train))
    said = answers(question, model, held_out.features[list(names)].to_numpy())
    truth = truth_of(question, held_out)
    return {
        "learner": chosen,
        "cross_validated": validated,
        "evaluation": interval(question, truth, said),
    }


def spikiness_alone(train: Cells, held_out: Cells) -> dict[str, Any]:
    """Irregular shape by spikiness, without any fit; cells without a contour count as smooth."""
    question = QUESTIONS["irregular cell shape"]
    own, other = (cells.features["spikiness"].fillna(1.0).to_numpy() for cells in (train, held_out))
    return {
        "training": score(question, truth_of(question, train), own, train.weights),
        "evaluation": interval(question, truth_of(question, held_out), other),
    }


def measure(data: Path) -> dict[str, Any]:
    """All questions, by all features and by the earlier ones."""
    attributes = pd.read_csv(data / "attributes.csv").set_index("ID")
    cells = read(data)
    train = load(cells.of_split("train"), attributes)
    clear = cells.of_split("eval")
    severity = clear.frame["severity"].fillna(MAX_SEVERITY + 1).to_numpy(dtype=int)
    held_out = load(clear.subset(severity <= MAX_SEVERITY), attributes)
    rows = {}
    for name, question in QUESTIONS.items():
        share = float(truth_of(question, held_out).mean()) if question.positive else None
        rows[name] = asdict(question) | {
            "positives": share,
            "all": ask(question, train, held_out, NAMES),
            "earlier": ask(question, train, held_out, EARLIER),
        }
        _print(name, rows[name])
    alone = spikiness_alone(train, held_out)
    print(f"{'spikiness alone':<22} {_words(alone['evaluation'])}")
    return {
        "train_cells": len(train.labels),
        "evaluation_cells": len(held_out.labels),
        "evaluation_severity": f"0 to {MAX_SEVERITY}",
        "features": len(NAMES),
        "earlier_features": len(EARLIER),
        "level": "image-level",
        "questions": rows,
        "spikiness_alone": alone,
    }


def _words(found: dict[str, float]) -> str:
    return f"{found['estimate']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _print(name: str, row: dict[str, Any]) -> None:
    kind = "macro-F1" if row["positive"] is None else "AUROC"
    validated = row["all"]["cross_validated"][row["all"]["learner"]]
    print(
        f"{name:<22} {_words(row['all']['evaluation'])} {kind}, target {row['target']:.2f}; "
        f"{row['all']['learner']}, cross-validated {validated:.3f}; "
        f"earlier features {_words(row['earlier']['evaluation'])}",
        flush=True,
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Morphology against pathologists' attributes.")
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/morphology/attributes.json")
    )
    options = parser.parse_args()
    write_json(options.out, measure(options.data))


if __name__ == "__main__":
    main()
