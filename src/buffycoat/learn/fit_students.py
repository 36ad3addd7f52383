"""Students: models that learn once more, from labelled cells and from others that a teacher named.

The method is self-training with a noisy student (Xie et al., arXiv 1911.04252): the teacher looks
at clean views of a cell, the student at augmented and degraded ones. What a long tail needs besides
is that a class is named under the class mix of the unlabelled cells, which is estimated, and that
each class has a limit of its own.

A fold's student starts from that fold's model, which is its teacher, so it has seen no labelled
cell of its fold, and none was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from buffycoat.classify.cascade import order_of
from buffycoat.classify.ensemble import FoldModel
from buffycoat.config import Config, to_hash
from buffycoat.evaluate.metrics import class_weighted_macro_f1
from buffycoat.evaluate.paired import paired_interval
from buffycoat.fuse.prior import apply_prior, estimate_prior, uniform
from buffycoat.fuse.pseudo_labels import NONE, pseudo_labels
from buffycoat.learn import fit_classifier, fit_scores
from buffycoat.learn.fit_restoration import CleanedSet
from buffycoat.learn.fit_scores import OutOfFold, macro_f1
from buffycoat.learn.stage_store import StageStore, digest
from buffycoat.learn.train_models import Training, train_each
from buffycoat.learn.training_set import TrainingSet
from buffycoat.learn.unlabelled import PseudoLabelled, UnlabelledCells
from buffycoat.predict.stages import Classified, of_views, together
from buffycoat.progress import Reporter

NAMING_VIEWS = 2
"""Views by which a teacher names a cell: of the sure ones more would change few."""


@dataclass(frozen=True)
class Named:
    """What a teacher makes of unlabelled cells.

    Attributes:
        labels: Shape (m,), int64: the class of each cell, or `NONE`.
        mix: Estimated class shares of those that resemble a class, shape (k,).
        is_strange: Shape (m,), bool: cells that resemble no class.
        expected_right: Mean probability of the names, 0 to 1; None where no cell has one.
    """

    labels: np.ndarray
    mix: np.ndarray
    is_strange: np.ndarray
    expected_right: float | None = None

    @property
    def rows(self) -> np.ndarray:
        """Cells that have a class."""
        return np.flatnonzero(self.labels != NONE)

    def to_dict(self, codes: Sequence[str]) -> dict[str, Any]:
        """Plain values, for the run's record."""
        counts = np.bincount(self.labels[self.rows], minlength=len(codes))
        return {
            "n_cells": len(self.labels),
            "n_strange": int(self.is_strange.sum()),
            "expected_right": self.expected_right,
            "named": dict(zip(codes, counts.tolist(), strict=True)),
            "estimated_mix": dict(zip(codes, np.round(self.mix, 4).tolist(), strict=True)),
        }


@dataclass(frozen=True)
class Taught:
    """Models after the unlabelled cells, or as they were where that did not help.

    Attributes:
        models: One a fold.
        key: Their fingerprint.
        scores: Of these models, out of fold.
        each: What the teacher of each fold made of the unlabelled cells.
        named: What all of them together make of the unlabelled cells, for models that learn from
            the cells of all folds; None where the students lost.
        record: What was learned, and the gain out of fold, plain values.
    """

    models: list[FoldModel]
    key: str
    scores: OutOfFold
    each: list[Named]
    named: Named | None
    record: dict[str, Any]


def fit(
    data: TrainingSet,
    cleaned: CleanedSet,
    unlabelled: UnlabelledCells,
    teachers: Sequence[FoldModel],
    teachers_key: str,
    before: OutOfFold,
    config: Config,
    store: StageStore,
    reporter: Reporter,
    workers: int,
) -> Taught:
    """Train a student of each fold model, and keep them if they score better out of fold.

    Args:
        data: The labelled cells.
        cleaned: The same after restoration.
        unlabelled: Cells without labels.
        teachers: The fold models.
        teachers_key: Their fingerprint.
        before: Their scores out of fold.
        config: The recipe.
        store: Keeps each student, and a checkpoint after each epoch.
        reporter: Progress.
        workers: Students that are trained at the same time.
    """
    reporter.start("unlabelled", "each teacher names the cells that it is sure of")
    looks = naming_views(config)
    views = _views(unlabelled, teachers, teachers_key, looks, store, reporter)
    each = []
    for fold, (view, heat) in enumerate(zip(views, _of_others(before), strict=True)):
        said_by_one = of_views([view], heat)
        limit = limit_of(before, before.folds != fold, config)
        each.append(name(said_by_one, are_strange([said_by_one], [limit]), config))
    reporter.finish("; ".join(f"fold {f + 1}: {len(n.rows)} named" for f, n in enumerate(each)))
    taxonomy = data.taxonomy
    learned = [code for code, n in zip(taxonomy.codes, data.counts, strict=True) if n]
    record = {
        "classes": learned,
        "fingerprint": unlabelled.cells.key,
        "left_out": unlabelled.left_out,
        "folds": [named.to_dict(taxonomy.codes) for named in each],
    }
    if not any(len(named.rows) for named in each):  # more passes over the same cells are no gain
        return Taught(
            list(teachers), teachers_key, before, each, None, record | _no_gain(data, before)
        )
    trainings = []
    short = student_config(config)
    for fold, (teacher, named) in enumerate(zip(teachers, each, strict=True)):
        rows = np.flatnonzero(data.learned_folds.fold != fold)
        added = PseudoLabelled(unlabelled.cells, named.labels)
        cells = fit_classifier.learned_cells(data, cleaned, rows, config, store, added)
        inputs = {
            "data": data.key,
            "teacher": teachers_key,
            "unlabelled": unlabelled.cells.key,
            "named": digest(named.labels.tolist()),
            "settings": to_hash(config.unlabelled),
            "seed": config.seed,
            "fold": fold,
            **fit_classifier.recipe_key(config),
        }
        title = f"fold {fold + 1} of {len(teachers)}"
        trainings.append(
            Training(f"student{fold}", inputs, title, cells, short, fold, teacher.state)
        )
    results = train_each(trainings, workers, store, reporter, "student")
    students, key = fit_classifier.assembled(trainings, results)
    after = fit_scores.fit(data, cleaned, students, key, config, store, reporter)
    record |= _gain(data, before, after)
    if not record["is_kept"]:
        return Taught(list(teachers), teachers_key, before, each, None, record)
    views = _views(unlabelled, students, key, looks, store, reporter)
    pairs = zip(views, after.temperatures, strict=True)
    named = name_together([of_views([v], heat) for v, heat in pairs], after, config)
    record |= {"all": named.to_dict(taxonomy.codes)}
    return Taught(students, key, after, each, named, record)


def _of_others(scores: OutOfFold) -> list[float]:
    """Temperature of each fold's teacher: the mean of the others'.

    Its own rests on labels of its fold, where the student is scored.
    """
    heats = np.array(scores.temperatures)
    return [float(np.delete(heats, fold).mean()) for fold in range(len(heats))]


def name_together(each: Sequence[Classified], scores: OutOfFold, config: Config) -> Named:
    """Name cells by the models of all folds.

    Each model is asked by its own limit whether a cell is strange. The mean of their logits is not
    compared with a limit: models differ in scale, and a mean is less extreme than a single model,
    so that the limit would stand for another share of the labelled cells.

    Args:
        each: What the model of each fold says of m unlabelled cells, under a uniform prior.
        scores: Of labelled cells, by the model that has not seen them.
        config: The settings.
    """
    limits = [limit_of(scores, scores.folds == fold, config) for fold in range(len(each))]
    return name(together(each, config.fuse.average), are_strange(each, limits), config)


def limit_of(scores: OutOfFold, rows: np.ndarray, config: Config) -> float:
    """The strangeness that a stated share of labelled cells stays under, by as many views.

    Args:
        scores: Of labelled cells, out of fold.
        rows: Shape (2n,), bool: of `scores`, those that are looked at.
        config: The settings.
    """
    if scores.view_logits is None:
        logits = scores.logits
    else:  # more views make a flatter mean, and so a stranger cell
        logits = scores.view_logits[:, naming_views(config)].mean(axis=1)
    return float(np.quantile(_strangeness(logits[rows]), config.unlabelled.strange_above))


def are_strange(each: Sequence[Classified], limits: Sequence[float]) -> np.ndarray:
    """Which of m cells more than half of the models find stranger than their limits, (m,), bool."""
    pairs = zip(each, limits, strict=True)
    votes = [_strangeness(found.logits) > limit for found, limit in pairs]
    return np.mean(votes, axis=0) > 0.5


def naming_views(config: Config) -> list[int]:
    """Views by which a cell is named: indices into the recipe's set."""
    return list(order_of(config.classify.views))[:NAMING_VIEWS]


def _strangeness(logits: np.ndarray) -> np.ndarray:
    """Energy of logits (n, k): the larger, the less any class claims the cell; shape (n,)."""
    return -np.asarray(logsumexp(logits, axis=1))


def name(found: Classified, is_strange: np.ndarray, config: Config) -> Named:
    """Name the cells that one class claims, and that resemble those it was learned from.

    Args:
        found: What is said of m unlabelled cells, under a uniform prior.
        is_strange: Shape (m,), bool: cells that are of no class.
        config: The settings.
    """
    k = found.log_probs.shape[1]
    stated = np.exp(found.log_probs)
    mix = estimate_prior(stated[~is_strange], uniform(k)) if not is_strange.all() else uniform(k)
    probs = apply_prior(stated, uniform(k), mix)
    wanted = config.unlabelled
    labels = pseudo_labels(probs, ~is_strange, wanted.precision, wanted.least_share)
    rows = np.flatnonzero(labels != NONE)
    expected = float(probs[rows, labels[rows]].mean()) if len(rows) else None
    return Named(labels, mix, is_strange, expected)


def student_config(config: Config) -> Config:
    """The settings of a student's training: the recipe's, shorter, and no epoch is picked."""
    recipe = config.classify.model_copy(
        update={
            "epochs": config.unlabelled.epochs,
            "learning_rate": config.unlabelled.learning_rate,
            "keep_epoch": "last",
            "retrain_head_epochs": 0,
            "warmup_epochs": min(config.classify.warmup_epochs, config.unlabelled.epochs / 4),
        }
    )
    return config.model_copy(update={"classify": recipe})


def _gain(data: TrainingSet, before: OutOfFold, after: OutOfFold) -> dict[str, Any]:
    k = len(data.taxonomy)
    a, b = (scores.log_probs.argmax(axis=1) for scores in (before, after))
    found = paired_interval(before.targets, a, b, class_weighted_macro_f1, data.groups, k=k)
    return {
        "before": macro_f1(before.targets, a, k),
        "after": macro_f1(before.targets, b, k),
        "gain": found.estimate,
        "low": found.low,
        "high": found.high,
        "is_kept": bool(found.estimate > 0),
    }


def _no_gain(data: TrainingSet, before: OutOfFold) -> dict[str, Any]:
    score = macro_f1(before.targets, before.log_probs.argmax(axis=1), len(data.taxonomy))
    same = {"before": score, "after": score, "gain": 0.0, "low": None, "high": None}
    return {**same, "is_kept": False}


def _views(
    unlabelled: UnlabelledCells,
    models: Sequence[FoldModel],
    key: str,
    looks: Sequence[int],
    store: StageStore,
    reporter: Reporter,
) -> list[np.ndarray]:
    """Logits of a few views by each model, each of shape (m, v, k)."""
    found = []
    for number, model in enumerate(models):

        def report(done: int, total: int, number: int = number) -> None:
            reporter.advance(number * total + done, len(models) * total)

        stored = store.run(
            f"unlabelled-views{number}",
            {"models": key, "number": number, "cells": unlabelled.cells.key, "looks": looks},
            lambda _, m=model, r=report: (
                {"logits": m.look(unlabelled.cells.images, looks, r)},
                {},
            ),
        )
        found.append(stored.arrays["logits"])
    return found
