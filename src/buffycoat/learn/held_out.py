"""Scores on cells that no stage learned from, with the share of each stage in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.classify.cascade import order_of
from buffycoat.classify.ensemble import FoldModel
from buffycoat.config import to_hash
from buffycoat.embed.panel import LABELS
from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.interval import IDENTICAL, Interval
from buffycoat.evaluate.metrics import class_weighted_macro_f1, prior_weighted_macro_f1
from buffycoat.evaluate.paired import paired_interval
from buffycoat.evaluate.summary import known_patients
from buffycoat.learn import fit_restoration
from buffycoat.learn.fit_scores import seen, view_logits
from buffycoat.learn.prepare import Cells, load_cells, segment_key
from buffycoat.learn.stage_store import StageStore
from buffycoat.predict import stages
from buffycoat.predict.bracket import conclude
from buffycoat.predict.cleaning import Cleaned
from buffycoat.predict.stages import Classified
from buffycoat.progress import Reporter
from buffycoat.refine.decide import Findings
from buffycoat.report.records import AblationRow

REFINEMENT = "+ refinement"


@dataclass(frozen=True)
class HeldOut:
    """Scores of cells that no stage learned from.

    Attributes:
        cells: The cells.
        cleaned: After restoration.
        targets: Shape (n,); empty where labels are coarser than a class.
        steps: Stage -> predicted classes (n,) with the stages up to it, whether used or not.
        findings: All that the final word rests on.
    """

    cells: Cells
    cleaned: Cleaned
    targets: np.ndarray
    steps: dict[str, np.ndarray]
    findings: Findings

    @property
    def probs(self) -> np.ndarray:
        """Final probabilities, shape (n, k)."""
        return self.findings.probs

    @property
    def patients(self) -> np.ndarray | None:
        """Patient of each cell, shape (n,); None where intervals are image-level."""
        return known_patients(self.cells.manifest.column("patient_id"))

    @property
    def labels(self) -> np.ndarray:
        """Final classes, shape (n,)."""
        return self.findings.labels


def score_held_out(
    fitted: Fitted, held_out: Manifest, out: Path, reporter: Reporter, allow_bad: int
) -> HeldOut:
    """Run every stage, used or not, on labelled cells; each step is kept in the run's folder.

    Args:
        fitted: What training learned.
        held_out: Labelled cells.
        out: Folder of the run.
        reporter: Progress.
        allow_bad: Unreadable cells that are tolerated.
    """
    cells = load_cells(held_out, fitted.config, out / "cache", reporter, allow_bad)
    store = StageStore(out / "stages")
    cleaning = store.run(
        "eval-clean",
        {
            "cells": cells.key,
            "restoration": _restoration_key(fitted),
            "segment": segment_key(fitted.config),
            "features": fit_restoration.features_key(),
        },
        lambda _: fit_restoration.clean_batches(cells.images, fitted.restoration, reporter.advance),
    )
    cleaned = fit_restoration.as_cleaned(cleaning)
    views = []
    for number, model in enumerate(fitted.models):

        def report(done: int, total: int, number: int = number) -> None:
            reporter.advance(number * total + done, len(fitted.models) * total)

        stored = store.run(
            f"eval-views{number}",
            {"cleaned": cleaning.key, "model": _model_key(model)},
            lambda _, m=model, r=report: (
                view_logits(m, cells.images, cleaned.images, cleaned.is_restored, r),
                {},
            ),
        )
        views.append(stored.arrays)
    embedded = store.run(
        "eval-embed",
        {"cleaned": cleaning.key, "encoder": fitted.encoder.fingerprint},
        lambda _: (
            {"embeddings": stages.embed(cleaned.images, fitted.encoder, reporter.advance)},
            {},
        ),
    )
    is_fine = fitted.taxonomy.is_fine(cells.manifest.frame["label"].tolist())
    targets = cells.manifest.subset(is_fine).targets(fitted.taxonomy)
    ids = cells.manifest.frame["cell_id"].tolist()
    steps, findings = _score(fitted, cleaned, views, embedded.arrays["embeddings"], ids)
    return HeldOut(cells, cleaned, targets, steps, findings)


def _restoration_key(fitted: Fitted) -> str:
    parts = fitted.restoration
    gate = parts.gate.to_dict() if parts.gate else None
    settings = (
        parts.restorer.to_dict(),
        parts.severity.to_dict(),
        gate,
        to_hash(parts.config),
        fitted.encoder.fingerprint,
    )
    return files.fingerprint(parts.restorer.to_tensors(), *settings)


def _model_key(model: FoldModel) -> str:
    settings = (to_hash(model.config), model.log_prior.tolist())
    return files.fingerprint(model.state, *settings)


def _score(
    fitted: Fitted,
    cleaned: Cleaned,
    views: Sequence[Any],
    embeddings: np.ndarray,
    ids: Sequence[str],
) -> tuple[dict[str, np.ndarray], Findings]:
    """Predictions after each stage, whether it is used or not; and the final findings."""
    used = _together(fitted, views, fitted.use)
    tried = fitted.use if fitted.use != "original" else "restored"
    steps = {
        "classifier alone": _together(fitted, views, "original").log_probs.argmax(axis=1),
        "+ restoration": _together(fitted, views, tried).log_probs.argmax(axis=1),
    }
    found = conclude(ids, cleaned, used, embeddings, fitted)
    for kind in fitted.panels:
        steps[_step(kind)] = fitted.stack.with_member(kind, found.members).argmax(axis=1)
    steps[REFINEMENT] = found.findings.rescue.labels
    return steps, found.findings


def _together(fitted: Fitted, views: Sequence[Any], use: str) -> Classified:
    """What all models say of cells whose views they have scored: see `stages.classify`."""
    average, cascade = fitted.config.fuse.average, fitted.cascade_at(None)
    if cascade is None or use == "both":
        pairs = zip(views, fitted.temperatures, strict=True)
        return stages.together([seen(view, t, use) for view, t in pairs], average)

    def look(rows: np.ndarray, model: int, wanted: Sequence[int]) -> np.ndarray:
        return views[model][use][rows][:, wanted]

    n, order = len(views[0][use]), order_of(fitted.config.classify.views)
    return stages.classify_early(n, look, cascade, fitted.temperatures, order, average)


def _step(kind: str) -> str:
    return f"+ {LABELS[kind]}"


def ablate(scored: HeldOut, fitted: Fitted) -> list[AblationRow]:
    """One row a stage: the score with it, and the paired gain over the stages used before it.

    A stage that is off is scored as if it were on, and its row says that it is off; of
    refinement, only rules that are on are asked.
    """
    k, patients = len(fitted.taxonomy), scored.patients
    is_used = {
        "classifier alone": True,
        "+ restoration": fitted.use != "original",
        **{_step(kind): fitted.stack.weights.get(kind, 0.0) > 0 for kind in fitted.panels},
        REFINEMENT: any(row["is_on"] for row in fitted.rules.table()),
    }
    rows = []
    before = None
    for stage, predicted in scored.steps.items():
        drawn = resample(scored.targets, predicted, k, patients)
        how = "no rule is asked" if stage == REFINEMENT else "shown as if it were on"
        gain = None if before is None else _gain(scored, before, predicted, k)
        rows.append(
            AblationRow(
                stage,
                drawn.interval(class_weighted_macro_f1).to_dict(),
                drawn.interval(
                    lambda c: prior_weighted_macro_f1(c, fitted.expected_counts)
                ).to_dict(),
                None if gain is None else gain.to_dict(),
                is_used[stage],
                "" if is_used[stage] else f"off: it did not win out of fold; {how}",
            )
        )
        if is_used[stage]:
            before = predicted
    return rows


def _gain(scored: HeldOut, before: np.ndarray, after: np.ndarray, k: int) -> Interval:
    """Gain in balanced macro-F1; a stage that changes no call has no interval, but says so."""
    found = paired_interval(
        scored.targets, before, after, class_weighted_macro_f1, scored.patients, k=k
    )
    if (before == after).all():
        return replace(found, low=None, high=None, method=IDENTICAL)
    return found
