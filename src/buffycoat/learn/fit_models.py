"""The classifiers of a bundle: fold models, students taught by unlabelled cells, refits."""

from __future__ import annotations

from dataclasses import dataclass

from buffycoat.classify.ensemble import FoldModel
from buffycoat.config import Config
from buffycoat.learn import fit_classifier, fit_scores, fit_students
from buffycoat.learn.fit_restoration import CleanedSet
from buffycoat.learn.fit_scores import OutOfFold
from buffycoat.learn.fit_students import Taught
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.training_set import TrainingSet
from buffycoat.learn.unlabelled import PseudoLabelled, UnlabelledCells
from buffycoat.progress import Reporter


@dataclass(frozen=True)
class Models:
    """The classifiers.

    Attributes:
        folds: One a fold.
        key: Their fingerprint.
        scores: Of each training cell, by the model that has not seen it.
        refits: Models that learned from the cells of all folds.
        taught: What the unlabelled cells brought; None where there were none.
    """

    folds: list[FoldModel]
    key: str
    scores: OutOfFold
    refits: list[FoldModel]
    taught: Taught | None = None


def fit(
    data: TrainingSet,
    cleaned: CleanedSet,
    others: UnlabelledCells | None,
    config: Config,
    store: StageStore,
    reporter: Reporter,
    workers: int,
) -> Models:
    """Train them.

    Args:
        data: The labelled cells.
        cleaned: The same after restoration.
        others: Cells without labels; None where there are none.
        config: The recipe.
        store: Keeps each model.
        reporter: Progress.
        workers: Models that are trained at the same time.
    """
    folds, key = fit_classifier.fit_folds(data, cleaned, config, store, reporter, workers)
    scores = fit_scores.fit(data, cleaned, folds, key, config, store, reporter)
    taught, added = None, None
    if others is not None:
        taught = fit_students.fit(
            data, cleaned, others, folds, key, scores, config, store, reporter, workers
        )
        if taught.named is not None:
            folds, key, scores = taught.models, taught.key, taught.scores
            added = PseudoLabelled(others.cells, taught.named.labels)
    refits = fit_classifier.refit(
        data, cleaned, key, folds[0], config, store, reporter, workers, added
    )
    return Models(folds, key, scores, refits, taught)
