"""The report of a run, made from what the run left: nothing is trained, and no score made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import buffycoat
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.errors import RunError
from buffycoat.evaluate.crossing import crossing_rows
from buffycoat.evaluate.curves import PrecisionRecall, precision_recall
from buffycoat.learn import run_folder, summary
from buffycoat.learn.cell_map import map_points
from buffycoat.learn.run_folder import EVAL, FOLDS, RunFolder, check_same_run
from buffycoat.learn.shown_cells import cell_lists
from buffycoat.progress import Reporter, Silent
from buffycoat.report.page import write_report
from buffycoat.report.records import AblationRow, Doubt, ReportData
from buffycoat.taxonomy import Taxonomy

Points = dict[str, list[dict[str, float]]]


def make_report(
    fitted: Fitted,
    run: RunFolder,
    out: Path,
    data: Manifest | None = None,
    reporter: Reporter | None = None,
    needs_pictures: bool = False,
) -> Path:
    """Write the page, and its tables beside it.

    Args:
        fitted: What the run learned.
        run: What it left.
        out: The .html file.
        data: Where pictures of cells are looked for; None for where they lay in training.
        reporter: Is told what the page lacks.
        needs_pictures: Refuse to write a page that lists cells and has a picture of none.

    Returns:
        The folder of the tables.

    Raises:
        RunError: The run's files are not of one run, or no picture was found.
        OutputError: The page or a table cannot be written.
    """
    check_same_run(run, fitted.taxonomy)
    page = report_data(fitted, run, data)
    if page.cells.is_bare and needs_pictures:
        raise RunError(
            f"{out}: not written, since it would show no cell. {page.cells.note} A page without "
            "pictures can be had under another name, without --data: --out PAGE.html"
        )
    if page.cells.note:
        (reporter or Silent()).say(page.cells.note)
    return write_report(out, page)


def report_data(fitted: Fitted, run: RunFolder, data: Manifest | None) -> ReportData:
    """Everything on the page; arguments as in `make_report`."""
    record, metrics = fitted.provenance, run.metrics
    cells = cell_lists(fitted, run, data)
    return ReportData(
        title=f"buffycoat: {record['data']['name']}",
        evaluations=metrics["evaluations"],
        ablation=[AblationRow(**row) for row in metrics["ablation"]],
        stage_notes=summary.stage_notes(fitted, metrics["input_choice"]),
        rules=metrics["rescue"],
        curves=_curves(run, fitted.taxonomy),
        crossing=_crossing(run, fitted),
        doubt=Doubt(**metrics["doubt"]) if "doubt" in metrics else None,
        cells=cells,
        points=map_points(fitted, cells),
        audit=run.audit,
        provenance=_provenance(fitted, run_folder.said(run.root)),
        settings=fitted.config.model_dump(mode="json"),
        seconds=run.seconds or {},
        limits=summary.limits(record),
    )


def _provenance(fitted: Fitted, read: Mapping[str, str]) -> dict[str, Any]:
    record = fitted.provenance
    return {
        "data": record["data"],
        "what was read": dict(read),
        "training cells": [f"{code} {n}" for code, n in fitted.label_counts.items()],
        **({"labels": record["labels"]} if record.get("labels") else {}),
        "folds": record["folds"],
        "too few cells": record.get("too_few", {}),
        "initial weights": record["initial_weights"],
        "encoder": record["encoder"],
        "data fingerprint": record["data_fingerprint"],
        **summary.fingerprint(record),
        "config hash": record["config_hash"],
        "versions": [f"{name} {number}" for name, number in record["versions"].items()],
        "page made by buffycoat": buffycoat.__version__,
    }


def _curves(run: RunFolder, taxonomy: Taxonomy) -> dict[str, Points]:
    found = {}
    if run.held_out is not None:
        found[EVAL] = _points(run.held_out, run.held_out["true_label"].tolist(), taxonomy)
    if run.out_of_fold is not None:
        cells = run.out_of_fold.loc[~run.out_of_fold["is_twin"]]
        found[FOLDS] = _points(cells, cells["label"].tolist(), taxonomy)
    return found


def _points(frame: pd.DataFrame, labels: Sequence[str], taxonomy: Taxonomy) -> Points:
    """Points of each class's curve where recall grows: its area is theirs, the others add none."""
    probs = frame[[f"prob_{code}" for code in taxonomy.codes]].to_numpy(dtype=np.float64)
    curves = precision_recall(taxonomy.encode(labels), probs)
    return {
        code: _growing(curve) for code, curve in zip(taxonomy.codes, curves, strict=True) if curve.n
    }


def _growing(curve: PrecisionRecall) -> list[dict[str, float]]:
    names = ("threshold", "recall", "precision")
    steps = np.flatnonzero(np.diff(curve.recall, prepend=0.0) > 0)
    columns: Mapping[str, np.ndarray] = {name: getattr(curve, name)[steps] for name in names}
    return [{name: float(columns[name][place]) for name in names} for place in range(len(steps))]


def _crossing(run: RunFolder, fitted: Fitted) -> dict[str, list[dict[str, Any]]]:
    """Severity by band of the held-out cells, where their severity is known."""
    frame = run.held_out
    if frame is None or frame["true_severity"].isna().to_numpy().all():
        return {}
    taxonomy, patients = fitted.taxonomy, frame["patient_id"]
    rows = crossing_rows(
        taxonomy.encode(frame["true_label"].tolist()),
        taxonomy.encode(frame["label"].tolist()),
        taxonomy,
        dict(zip(taxonomy.codes, fitted.expected_counts.tolist(), strict=True)),
        frame["true_severity"].to_numpy(dtype=object),
        patients.to_numpy(dtype=str) if patients.notna().to_numpy().all() else None,
    )
    return {EVAL: rows}
