"""What a run leaves: scores on held-out cells with each stage's share, bundle, report, tables."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.evaluate.summary import evaluate
from buffycoat.images import BadCell, write_atomic, writing
from buffycoat.learn import run_folder, summary
from buffycoat.learn.fit_decision import Decision
from buffycoat.learn.fit_scores import OutOfFold
from buffycoat.learn.held_out import HeldOut, ablate, score_held_out
from buffycoat.learn.report import make_report
from buffycoat.learn.training_set import TrainingSet
from buffycoat.plurals import counted
from buffycoat.predict.rows import predictions_frame
from buffycoat.progress import Reporter
from buffycoat.refine.decide import decide
from buffycoat.report.model_card import model_card
from buffycoat.report.records import AblationRow
from buffycoat.tables import write_csv


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
    """Score what was learned, then write it down.

    Args:
        fitted: What training learned.
        data: What it learned from.
        scores: Out of fold.
        decision: The last stages, with the scores that they were fitted on.
        held_out: Labelled cells of the evaluation split, in the taxonomy's codes; may be empty.
            Nothing is fitted on them.
        out: Folder of the run.
        reporter: Progress.
        allow_bad: Unreadable cells that are tolerated.

    Returns:
        Where things are.
    """
    counts = fitted.label_counts
    is_fine = fitted.taxonomy.is_fine(held_out.frame["label"].tolist())
    coarse, held_out = held_out.subset(~is_fine), held_out.subset(is_fine)
    evaluations = {}
    ablation: list[AblationRow] = []
    scored = None
    if len(held_out):
        reporter.start("evaluate", f"{counted(len(held_out), 'held-out cell')}")
        scored = score_held_out(fitted, held_out, out, reporter, allow_bad)
        parts = [scored]
        if len(coarse):
            left = allow_bad - len(scored.cells.bad)
            parts.append(score_held_out(fitted, coarse, out, reporter, left))
        evaluations[run_folder.EVAL] = _evaluate(parts, fitted)
        ablation = ablate(scored, fitted)
        write_bad_cells(
            out / "bad_eval_cells.csv", [cell for part in parts for cell in part.cells.bad]
        )
        reporter.finish()
    elif len(coarse):
        reporter.say(
            f"All {len(coarse)} evaluation cells have a label coarser than a class, so this run "
            "scores none of them. `buffycoat evaluate` scores predictions at their labels' grain"
        )
    evaluations[run_folder.FOLDS] = evaluate(
        decision.probs[: len(data.targets)],
        data.targets,
        fitted.taxonomy,
        counts,
        patients=data.cells.manifest.column("patient_id"),
        labels=decision.labels[: len(data.targets)],
        sites=data.cells.manifest.column("site"),
    )
    reporter.start("report")
    _write_held_out(out / run_folder.HELD_OUT, scored, fitted)
    _write_out_of_fold(out / run_folder.OUT_OF_FOLD, data, decision, fitted)
    metrics = {
        "evaluations": evaluations,
        "ablation": [vars(row) for row in ablation],
        "input_choice": scores.choice,
        "stack": fitted.stack.table(),
        "rescue": fitted.rules.table(),
        "labels": fitted.power_fit.to_dict() if fitted.power_fit else None,
        "unlabelled": fitted.provenance.get("unlabelled"),
    }
    metrics["doubt"] = asdict(summary.doubt(fitted, data, scores, decision, scored))
    card = model_card(summary.card(fitted, evaluations))
    folder = files.write(out / run_folder.BUNDLE, fitted.without_idle_panels(), metrics, card)
    write_atomic(out / run_folder.METRICS, json.dumps(metrics, indent=1).encode())
    report = out / run_folder.REPORT
    make_report(fitted, run_folder.read(out), report, reporter=reporter)
    reporter.finish(str(report))
    return RunResult(folder, report, next(iter(evaluations.values())))


def _evaluate(parts: Sequence[HeldOut], fitted: Fitted) -> dict[str, Any]:
    """Scores of held-out cells: first those whose class is known, then those of a coarser label."""
    frames = pd.concat([part.cells.manifest.frame for part in parts], ignore_index=True)
    return evaluate(
        np.concatenate([part.probs for part in parts]),
        frames["label"].tolist(),
        fitted.taxonomy,
        fitted.label_counts,
        frames["severity"].to_numpy(dtype=object),
        frames["patient_id"].to_numpy(dtype=object),
        labels=np.concatenate([part.labels for part in parts]),
        sites=frames["site"].to_numpy(dtype=object),
    )


def write_bad_cells(path: Path, bad: Sequence[BadCell]) -> None:
    """List unreadable cells in a table; no file where there are none."""
    if not bad:
        path.unlink(missing_ok=True)
        return
    write_csv(path, pd.DataFrame([vars(cell) for cell in bad]))


def _write_held_out(path: Path, scored: HeldOut | None, fitted: Fitted) -> None:
    """What `predict` would say of each held-out cell, the truth, and the file that was read."""
    if scored is None:
        path.unlink(missing_ok=True)
        return
    found = decide(
        scored.findings,
        fitted.taxonomy,
        fitted.conformal,
        fitted.config.refine,
        fitted.distributions,
    )
    table, cells = predictions_frame(found, fitted.taxonomy), scored.cells.manifest.frame
    table.insert(1, "true_label", cells["label"])
    table.insert(2, "true_severity", cells["severity"])
    table.insert(3, "patient_id", cells["patient_id"])
    table.insert(4, "site", cells["site"])
    table["path"] = [os.path.abspath(name) for name in cells["path"]]
    table["um_per_px"] = cells["um_per_px"].to_numpy(dtype=float, na_value=np.nan)
    table["sha256"] = scored.cells.digests
    with writing(path) as part:
        table.to_parquet(part, index=False)


def _write_out_of_fold(path: Path, data: TrainingSet, decision: Decision, fitted: Fitted) -> None:
    """One row a training cell and one a twin, with the fold and model that scored it."""
    n = len(data.targets)
    ids, sites = (data.cells.manifest.frame[name].tolist() for name in ("cell_id", "site"))
    folds = data.folds.fold
    table = pd.DataFrame(
        {
            "cell_id": ids * 2,
            "site": sites * 2,
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
