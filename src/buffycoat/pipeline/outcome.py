"""What a run leaves: scores on held-out cells with each stage's share, bundle, report, tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.cells import Manifest
from buffycoat.evaluate.bootstrap import paired_interval, prior_weighted_interval, resample
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.evaluate.summary import evaluate
from buffycoat.images import BadCell, write_atomic, writing
from buffycoat.pipeline import bundle, fit_restoration, stages, summary
from buffycoat.pipeline.bundle import Fitted
from buffycoat.pipeline.fingerprint import StageStore
from buffycoat.pipeline.fit_decision import ENSEMBLE, HEAD, Decision
from buffycoat.pipeline.fit_scores import OutOfFold, seen, view_logits
from buffycoat.pipeline.prepare import Cells, TrainingSet, load_cells
from buffycoat.pipeline.progress import Reporter
from buffycoat.pipeline.stages import Cleaned, mean_of_probs
from buffycoat.report.model_card import model_card
from buffycoat.report.page import write_report
from buffycoat.report.records import AblationRow


@dataclass(frozen=True)
class RunResult:
    """What training left.

    Attributes:
        bundle: The folder of the bundle.
        report: The HTML page.
        metrics: Of the evaluation split if it has labels, else out of fold.
    """

    bundle: Path
    report: Path
    metrics: dict[str, Any]


@dataclass(frozen=True)
class HeldOut:
    """Scores of cells that no stage learned from.

    Attributes:
        cells: The cells.
        cleaned: After restoration.
        targets: Shape (n,).
        steps: Stage -> predicted classes (n,) with the stages up to it, whether used or not.
        probs: Final probabilities, shape (n, k).
        labels: Final classes, shape (n,).
    """

    cells: Cells
    cleaned: Cleaned
    targets: np.ndarray
    steps: dict[str, np.ndarray]
    probs: np.ndarray
    labels: np.ndarray


def conclude(
    fitted: Fitted,
    data: TrainingSet,
    scores: OutOfFold,
    decision: Decision,
    held_out: Manifest,
    out: Path,
    reporter: Reporter,
    allow_bad: int,
) -> RunResult:
    """Judge what was learned, then write it down.

    Args:
        fitted: What training learned.
        data: What it learned from.
        scores: Out of fold.
        decision: The last stages, with the scores that they were fitted on.
        held_out: Labelled cells of the evaluation split; may be empty. Nothing is fitted on them.
        out: Folder of the run.
        reporter: Progress.
        allow_bad: Unreadable cells that are tolerated.

    Returns:
        Where things are.
    """
    counts = dict(zip(fitted.taxonomy.codes, fitted.counts.tolist(), strict=True))
    evaluations = {}
    ablation: list[AblationRow] = []
    judged = None
    if len(held_out):
        reporter.start("evaluate", f"{len(held_out)} held-out cells")
        judged = _judge_held_out(fitted, held_out, out, reporter, allow_bad)
        evaluations["eval"] = evaluate(
            judged.probs,
            judged.targets,
            fitted.taxonomy,
            counts,
            judged.cells.manifest.frame["severity"],
            judged.cells.manifest.frame["patient_id"],
            labels=judged.labels,
        )
        ablation = _ablate(judged, fitted)
        write_bad_cells(out / "bad_eval_cells.csv", judged.cells.bad)
        reporter.finish()
    evaluations["out of fold"] = evaluate(
        decision.probs[: len(data.targets)],
        data.targets,
        fitted.taxonomy,
        counts,
        patients=data.cells.manifest.frame["patient_id"],
    )
    reporter.start("report")
    _write_out_of_fold(out / "out_of_fold.parquet", data, decision, fitted)
    metrics = {
        "evaluations": evaluations,
        "ablation": [vars(row) for row in ablation],
        "input_choice": scores.choice,
        "stack": fitted.stack.table(),
        "rescue": fitted.rules.table(),
    }
    notes = summary.stage_notes(fitted, scores)
    card = model_card(summary.card(fitted, evaluations))
    folder = bundle.write(out / "bundle", fitted, metrics, card)
    page = summary.page(fitted, evaluations, ablation, notes, judged)
    report = write_report(out / "report.html", page)
    write_atomic(out / "metrics.json", json.dumps(metrics, indent=1).encode())
    reporter.finish(str(report))
    return RunResult(folder, report, next(iter(evaluations.values())))


def write_bad_cells(path: Path, bad: Sequence[BadCell]) -> None:
    """List unreadable cells in a table; no file where there are none."""
    if not bad:
        path.unlink(missing_ok=True)
        return
    with writing(path) as part:
        pd.DataFrame([vars(cell) for cell in bad]).to_csv(part, index=False)


def _judge_held_out(
    fitted: Fitted, held_out: Manifest, out: Path, reporter: Reporter, allow_bad: int
) -> HeldOut:
    cells = load_cells(held_out, fitted.config, out / "cache", reporter, allow_bad)
    store = StageStore(out / "stages")
    key = bundle.fingerprint(fitted)
    cleaning = store.run(
        "eval-clean",
        {"cells": cells.key, "models": key},
        lambda _: fit_restoration.clean_batches(cells.images, fitted.restoration, reporter.advance),
    )
    cleaned = Cleaned(reasons=cleaning.values["reasons"], **cleaning.arrays)
    views = []
    for number, model in enumerate(fitted.folds):

        def report(done: int, total: int, number: int = number) -> None:
            reporter.advance(number * total + done, len(fitted.folds) * total)

        stored = store.run(
            f"eval-views{number}",
            {"cleaned": cleaning.key, "models": key},
            lambda _, m=model, r=report: (
                view_logits(m, cells.images, cleaned.images, cleaned.is_restored, r),
                {},
            ),
        )
        views.append(stored.arrays)
    embedded = store.run(
        "eval-embed",
        {"cleaned": cleaning.key, "models": key},
        lambda _: (
            {"embeddings": stages.embed(cleaned.images, fitted.encoder, reporter.advance)},
            {},
        ),
    )
    targets = cells.manifest.targets(fitted.taxonomy)
    steps, probs, labels = _score(fitted, cleaned, views, embedded.arrays["embeddings"])
    return HeldOut(cells, cleaned, targets, steps, probs, labels)


def _score(
    fitted: Fitted, cleaned: Cleaned, views: Sequence[Any], embeddings: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Predictions after each stage, whether it is used or not; final probabilities and labels."""

    def ensemble(use: str) -> np.ndarray:
        pairs = zip(views, fitted.temperatures, strict=True)
        return mean_of_probs([seen(view, t, use) for view, t in pairs])

    used = ensemble(fitted.use)
    tried = fitted.use if fitted.use != "original" else "restored"
    steps = {
        "classifier alone": ensemble("original").argmax(axis=1),
        "+ restoration": ensemble(tried).argmax(axis=1),
    }
    members = {ENSEMBLE: used}
    head = None
    if fitted.heads:
        head = stages.judge(embeddings, fitted.heads, fitted.head_temperatures, fitted.is_uniform)
        members[HEAD] = head
        steps["+ embedding head"] = fitted.stack.with_member(HEAD, members).argmax(axis=1)
    prior = fitted.prior()
    fused = fitted.stack.apply(members)
    probs, rescued = stages.refine(fused, head, cleaned, fitted.rules, prior, prior)
    steps["+ refinement"] = rescued.labels
    return steps, probs, rescued.labels


def _ablate(judged: HeldOut, fitted: Fitted) -> list[AblationRow]:
    k = len(fitted.taxonomy)
    is_used = {
        "classifier alone": True,
        "+ restoration": fitted.use != "original",
        "+ embedding head": fitted.stack.weights.get(HEAD, 0.0) > 0,
        "+ refinement": any(row["is_on"] for row in fitted.rules.table()),
    }
    rows = []
    before = None
    for stage, predicted in judged.steps.items():
        interval = resample(judged.targets, predicted, k).interval(class_weighted_macro_f1)
        table = confusion(judged.targets, predicted, k)
        gain = None
        if before is not None:
            gain = paired_interval(
                judged.targets, before, predicted, class_weighted_macro_f1, k=k
            ).to_dict()
        rows.append(
            AblationRow(
                stage,
                interval.to_dict(),
                prior_weighted_interval(table, fitted.counts).to_dict(),
                gain,
                is_used[stage],
                "" if is_used[stage] else "off: it did not win out of fold; shown as if it were on",
            )
        )
        if is_used[stage]:
            before = predicted
    return rows


def _write_out_of_fold(path: Path, data: TrainingSet, decision: Decision, fitted: Fitted) -> None:
    """One row a training cell and one a twin, with the fold and model that scored it."""
    n = len(data.targets)
    ids = data.cells.manifest.frame["cell_id"].tolist()
    folds = data.folds.fold
    table = pd.DataFrame(
        {
            "cell_id": ids * 2,
            "is_twin": np.repeat([False, True], n),
            "severity": np.concatenate([np.full(n, -1), data.degraded_severity]),
            "label": [fitted.taxonomy.codes[t] for t in np.tile(data.targets, 2)],
            "fold": np.tile(folds, 2),
            "model": [f"fold{fold}" for fold in np.tile(folds, 2)],
        }
    )
    table["severity"] = table["severity"].where(table["is_twin"]).astype("Int64")
    for column, code in enumerate(fitted.taxonomy.codes):
        table[f"prob_{code}"] = decision.probs[:, column]
    with writing(path) as part:
        table.to_parquet(part, index=False)
