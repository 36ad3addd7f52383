"""What a run left in its folder, read back to make its report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow

from buffycoat.errors import RunError
from buffycoat.evaluate.metrics import confusion
from buffycoat.sources.fingerprint import KEY
from buffycoat.sources.options import Reading
from buffycoat.taxonomy import Taxonomy

BUNDLE = "bundle"
METRICS = "metrics.json"
HELD_OUT = "held_out.parquet"
OUT_OF_FOLD = "out_of_fold.parquet"
TIMINGS = "timings.json"
DATA = "data.json"
"""What was read, and how."""
AUDIT = "audit.json"
REPORT = "report.html"

EVAL = "eval"
FOLDS = "out of fold"
"""Names of the two splits in `metrics.json`."""

HELD_OUT_COLUMNS = "cell_id true_label true_severity patient_id path sha256 evidence".split()
OUT_OF_FOLD_COLUMNS = "cell_id is_twin label".split()
AUDIT_KEYS = {"data", "n_cells", "checks"}


@dataclass(frozen=True)
class RunFolder:
    """What a run left.

    Attributes:
        root: The folder.
        metrics: Figures, as `outcome.conclude` wrote them.
        held_out: One row a held-out cell: `rows.predictions_frame` and the truth; None where the
            run left none.
        out_of_fold: One row a training cell and one a degraded twin; None where there is none.
        seconds: Stage -> seconds; the report's own are left out.
        audit: As `audit.findings.Audit.to_dict` gives it; None where there is none.
    """

    root: Path
    metrics: Mapping[str, Any]
    held_out: pd.DataFrame | None = None
    out_of_fold: pd.DataFrame | None = None
    seconds: Mapping[str, float] | None = None
    audit: Mapping[str, Any] | None = None


def read(root: Path, audit: Path | None = None) -> RunFolder:
    """Read what a run left.

    Args:
        root: The run's folder.
        audit: An audit of its data; by default `audit.json` in the folder, if there is one.

    Raises:
        RunError: Not a run, a file of it cannot be read, or the audit is of another data set.
    """
    if not (root / METRICS).is_file() or not (root / BUNDLE).is_dir():
        raise RunError(
            f"{root}: not a finished run (it lacks {METRICS} or {BUNDLE}/). Give the folder that "
            "`buffycoat train --out` wrote; if the run was stopped, give the same command again"
        )
    metrics = _read_json(root / METRICS)
    if not isinstance(metrics, dict) or not metrics.get("evaluations"):
        raise RunError(f"{root / METRICS}: holds no evaluations. Train again to write it anew")
    timings = root / TIMINGS
    seconds = _read_json(timings) if timings.exists() else {}
    run = RunFolder(
        root,
        metrics,
        _read_table(root / HELD_OUT, HELD_OUT_COLUMNS) if EVAL in metrics["evaluations"] else None,
        _read_table(root / OUT_OF_FOLD, OUT_OF_FOLD_COLUMNS),
        {stage: value for stage, value in seconds.items() if stage != "report"},
    )
    if audit is None and not (root / AUDIT).exists():
        return run
    read_from = _read_json(root / DATA) if (root / DATA).exists() else {}
    return replace(run, audit=check_audit(audit or root / AUDIT, read_from))


def reading(root: Path) -> Reading:
    """How the run read its data, so that they are read so again; the default in an older run."""
    path = root / DATA
    if not path.exists():
        return Reading()
    table = _read_json(path)["reading"]
    return Reading(**{**table, "leave_out": tuple(table["leave_out"])})


def data_of(root: Path) -> Path | None:
    """Where the run's cells lay, if they still do and are one folder or table."""
    path = root / DATA
    place = Path(_read_json(path).get("data") or "") if path.exists() else None
    return place if place is not None and place.is_absolute() and place.exists() else None


def said(root: Path) -> dict[str, str]:
    """What the run said of its data, heading -> sentence; empty in an older run."""
    path = root / DATA
    return dict(_read_json(path)["said"]) if path.exists() else {}


def read_audit(path: Path) -> dict[str, Any]:
    """The `audit.json` that `buffycoat audit --out FOLDER` wrote.

    Raises:
        RunError: It cannot be read, or is something else.
    """
    table = _read_json(path)
    if not isinstance(table, dict) or not set(table) >= AUDIT_KEYS:
        raise RunError(
            f"{path}: not an audit (expected the keys {', '.join(sorted(AUDIT_KEYS))}). Give the "
            "audit.json that `buffycoat audit DATA --out FOLDER` wrote"
        )
    return table


def check_audit(path: Path, read_from: Mapping[str, Any]) -> dict[str, Any]:
    """An audit, of the data set that a run read.

    Args:
        path: The `audit.json`.
        read_from: What the run's `data.json` holds; without fingerprints, as earlier versions wrote
            it, nothing can be compared.

    Raises:
        RunError: It is no audit, or one of other cells.
    """
    audit = read_audit(path)
    known = read_from.get(KEY, ())
    if known and audit.get(KEY) not in known:
        which = "does not say which cells it is of" if not audit.get(KEY) else "is of other cells"
        raise RunError(
            f"{path}: {which} ({audit['n_cells']:,} of {audit['data']}), and this run is of "
            f"{read_from.get('data')}. Make one of its data, with the same --leave-out: "
            "buffycoat audit DATA --out FOLDER"
        )
    return audit


def check_same_run(run: RunFolder, taxonomy: Taxonomy) -> None:
    """Refuse cells that are not those whose figures `metrics.json` holds.

    Raises:
        RunError: The confusions differ.
    """
    if run.held_out is None:
        return
    targets, called = (
        taxonomy.encode(run.held_out[name].tolist()) for name in ("true_label", "label")
    )
    stated = np.array(run.metrics["evaluations"][EVAL]["confusion"])
    if not np.array_equal(confusion(targets, called, len(taxonomy)), stated):
        raise RunError(
            f"{run.root}: the cells in {HELD_OUT} are not those whose figures {METRICS} holds. "
            "One of the two was replaced; train again with the same settings to write both anew"
        )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        table = pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}). Train again to write it anew") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise RunError(f"{path}: lacks the columns {', '.join(missing)}. Train again")
    return table
