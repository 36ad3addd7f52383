"""What a site's labels teach an adapted bundle.

The last stage of each model learns from the labelled cells (`fit_tail`). Whether that helps is
tried by a cross-fit: each part of the labelled cells is scored by what the others taught. The same
scores give temperatures, prediction sets and what is usually strange at the site, so no cell
measures what it trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.classify.ensemble import FoldModel
from buffycoat.images import load_work
from buffycoat.learn import site_doubt
from buffycoat.learn.fit_tail import Lesson, learn
from buffycoat.learn.site_labels import SiteLabels
from buffycoat.learn.site_lessons import lessons as lessons_of
from buffycoat.learn.site_lessons import other_cells, said
from buffycoat.learn.site_trial import Trial
from buffycoat.learn.tail import Tail
from buffycoat.plurals import counted
from buffycoat.predict import cleaning, stages
from buffycoat.predict.background import as_seen
from buffycoat.predict.bracket import Stages, conclude, run_stages
from buffycoat.predict.cleaning import Cleaned
from buffycoat.predict.needs import EVERYTHING, Needs, needs_of
from buffycoat.progress import Reporter, Silent


@dataclass(frozen=True)
class Taught:
    """A bundle after a site's labels.

    Attributes:
        fitted: What it holds.
        record: What was learned and measured, plain values.
        sentences: The same for a reader.
    """

    fitted: Fitted
    record: dict[str, Any]
    sentences: tuple[str, ...]


def teach(
    before: Fitted,
    made: Fitted,
    labels: SiteLabels,
    manifest: Manifest,
    reporter: Reporter | None = None,
) -> Taught:
    """Learn from a site's labels.

    Args:
        before: The bundle as it was.
        made: The same after the steps that need no labels.
        labels: Of some cells; what cannot be read is left out.
        manifest: All cells of the site; of those without labels some are looked at.
        reporter: Progress.

    Raises:
        NotEstimableError: The new bundle is right on fewer of the labelled cells than the old one,
            or too few of them can be read.
        ConfigError: A network does not say where its stages end.
    """
    reporter = reporter or Silent()
    work = [load_work(labels.manifest, one.config.images) for one in (before, made)]
    labels = labels.subset(work[0].is_good)
    labels.check()
    made = _marked(made, {"cells": labels.counts})
    cells = _Cells.meet(made, labels, as_seen(work[1].images, made))
    others = other_cells(made, labels, manifest)
    n_models = len(made.models)
    reporter.start(
        "features",
        f"{len(labels)} labelled and {len(others)} other cells, {counted(n_models, 'model')}",
    )
    lessons = lessons_of(made, cells.images, labels, others, reporter)
    reporter.finish()
    plain = [said(Tail(m), lesson.maps) for m, lesson in zip(made.models, lessons, strict=True)]
    learned = _cross_fit(made.models, lessons, labels, reporter)
    heats = [site_doubt.temperatures(made, logits, labels) for logits in (plain, learned)]
    found = [cells.conclude(*pair) for pair in zip((plain, learned), heats, strict=True)]
    seen = as_seen(work[0].images, before)
    old = run_stages(seen, labels.ids, before, needs=_needs(before)).findings
    columns = [part.rescue.labels for part in (old, *(one.findings for one in found))]
    trial = Trial.of(labels, *columns)
    trial.refuse_loss(labels)
    chosen = found[trial.is_kept].findings
    sets = site_doubt.prediction_sets(made, chosen.set_probs, labels)
    fitted = replace(
        made,
        models=_learn(made.models, lessons) if trial.is_kept else made.models,
        temperatures=heats[trial.is_kept],
        conformal=sets,
        outliers=site_doubt.usual(made.outliers, chosen.outlier_score),
        cascade=None,  # its limits are those of the training's laboratory
    )
    guarantees = dict(zip(made.taxonomy.codes, sets.guarantees, strict=True))
    record = {"cells": labels.counts, **trial.to_dict(), "guarantees": guarantees}
    sentences = (labels.words(), *trial.sentences(), *_doubt(fitted, guarantees))
    return Taught(_marked(fitted, record), record, sentences)


def _marked(fitted: Fitted, labels: dict[str, Any]) -> Fitted:
    """With a record of the labels, which marks the bundle as one that knows the site."""
    if fitted.site is None:
        return fitted
    return replace(
        fitted, site=replace(fitted.site, record={**fitted.site.record, "labels": labels})
    )


@dataclass(frozen=True)
class _Cells:
    """Labelled cells as prediction meets them, for any logits of its classifier."""

    labels: SiteLabels
    images: np.ndarray
    cleaned: Cleaned
    embeddings: np.ndarray | None
    fitted: Fitted

    @classmethod
    def meet(cls, fitted: Fitted, labels: SiteLabels, images: np.ndarray) -> _Cells:
        cleaned = cleaning.clean(images, fitted.restoration, _needs(fitted))
        is_embedded = fitted.panels or not fitted.outliers.sees_logits
        embeddings = stages.embed(cleaned.images, fitted.encoder) if is_embedded else None
        # of "both" the originals teach
        seen = cleaned.images if fitted.use == "restored" else images
        return cls(labels, seen, cleaned, embeddings, fitted)

    def conclude(self, logits: Sequence[np.ndarray], temperatures: Sequence[float]) -> Stages:
        """What prediction makes of the logits (m, v, k) of each model."""
        pairs = zip(logits, temperatures, strict=True)
        scores = [stages.of_views([own], temperature) for own, temperature in pairs]
        said = stages.together(scores, self.fitted.config.fuse.average)
        return conclude(self.labels.ids, self.cleaned, said, self.embeddings, self.fitted)


def _needs(fitted: Fitted) -> Needs:
    has_rules = any(rule.is_on for rule in fitted.rules.rules)
    return EVERYTHING if has_rules else needs_of(["label", "outlier_score"], fitted)


def _cross_fit(
    models: Sequence[FoldModel], lessons: Sequence[Lesson], labels: SiteLabels, reporter: Reporter
) -> list[np.ndarray]:
    """Logits (m, v, k) by each model, its last stage taught without the cell's part."""
    folds = labels.folds()
    parts, total = np.unique(folds), len(np.unique(folds)) * len(models)
    reporter.start(
        "cross-fit",
        f"{total} trainings of the last stage ({counted(len(models), 'model')}, {len(parts)} parts "
        "of the labelled cells, each left out once)",
    )
    found = []
    for number, (model, lesson) in enumerate(zip(models, lessons, strict=True)):
        logits = said(Tail(model), lesson.maps)
        for place, part in enumerate(parts):
            is_inside = folds == part
            tail = Tail(model)
            learn(tail, lesson.without(is_inside))
            logits[is_inside] = said(tail, lesson.maps[is_inside])
            reporter.advance(number * len(parts) + place + 1, total)
        found.append(logits)
    reporter.finish()
    return found


def _learn(models: Sequence[FoldModel], lessons: Sequence[Lesson]) -> tuple[FoldModel, ...]:
    """The models after all labelled cells."""
    tails = [Tail(model) for model in models]
    for tail, lesson in zip(tails, lessons, strict=True):
        learn(tail, lesson)
    return tuple(tail.to_model() for tail in tails)


def _doubt(fitted: Fitted, guarantees: Mapping[str, str]) -> tuple[str, ...]:
    kinds = {
        kind: [code for code, own in guarantees.items() if own == kind]
        for kind in ("class", "lineage", "no guarantee")
    }
    told = {
        "class": "by its own labelled cells",
        "lineage": "by those of its lineage or group",
        "no guarantee": "without a guarantee",
    }
    sets = "; ".join(f"{', '.join(kinds[kind])} {told[kind]}" for kind in kinds if kinds[kind])
    heats = ", ".join(f"{value:.2f}" for value in fitted.temperatures)
    return (
        f"Temperatures on the labelled cells: {heats}. Prediction sets for "
        f"{100 * (1 - fitted.conformal.alpha):.0f} % coverage: {sets}. Views no longer stop early.",
    )
