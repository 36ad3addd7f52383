"""The cells of predictions, counted slide by slide: figures with limits, and what they omit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.evaluate.counted_cells import SLIDE, counted_in, group_cells
from buffycoat.evaluate.differential import BLAST, IMMATURE
from buffycoat.evaluate.doubtful_cells import CheckedRow, check_doubt, flag
from buffycoat.evaluate.grain import common_grain, relabelled
from buffycoat.evaluate.limits import BLAST_THRESHOLD, MOSTLY, THRESHOLD
from buffycoat.evaluate.metrics import confusion
from buffycoat.evaluate.reported import BUNDLE
from buffycoat.evaluate.scored import (
    PROBABILITY,
    Scored,
    read_out_of_fold,
    read_predictions,
    read_scored,
)
from buffycoat.evaluate.side_tables import doubt_in
from buffycoat.tables import read_rows
from buffycoat.taxonomy import Taxonomy, resolve


def thresholds(immature: float = THRESHOLD, blast: float = BLAST_THRESHOLD) -> dict[str, float]:
    """Name of a figure -> percent from which a slide is flagged for it."""
    return {IMMATURE: immature, BLAST: blast}


@dataclass(frozen=True)
class Counting:
    """How cells are counted.

    Attributes:
        by: Column to count by; None as `counted_cells.group_cells`.
        groups: Table with that column; None takes the predictions.
        calibration: Predictions for labelled cells, or out-of-fold ones.
        calibration_labels: Their labels.
        thresholds: Class or "immature granulocytes" -> percent from which it is flagged.
        max_doubtful: Share of doubtful cells over which a slide has no differential.
        taxonomy: "auto", a name or a file.
        count_faulty: Whether cells of fields with a fault count.
    """

    by: str | None = None
    groups: Path | None = None
    calibration: Path | None = None
    calibration_labels: Path | None = None
    thresholds: Mapping[str, float] = field(default_factory=thresholds)
    max_doubtful: float = MOSTLY
    taxonomy: str = "auto"
    count_faulty: bool = False


@dataclass(frozen=True)
class Differential:
    """Figures of each slide, and what they leave out.

    Attributes:
        rows: One a slide and class; empty where no cell counts.
        flags: Of each row, None where no threshold is asked.
        group_of: Cell -> slide, for every cell of the predictions.
        counted: Cells that count.
        notes: What does not count and why, in sentences.
        cautions: What a reader of the figures must know of how they were made, in sentences.
        bundle_sha256: Of the model that made all predictions; None where it is not known.
        by: What the cells were counted by.
    """

    rows: Sequence[CheckedRow]
    flags: Sequence[str | None]
    group_of: dict[str, str]
    counted: frozenset[str]
    notes: Sequence[str]
    cautions: Sequence[str] = ()
    bundle_sha256: str | None = None
    by: str = SLIDE

    def to_frame(self) -> pd.DataFrame:
        """A row a slide and class: counts, figures with limits, cells left out, flag."""
        table = pd.DataFrame([row.to_dict() for row in self.rows])
        dropped = Counter(of for cell, of in self.group_of.items() if cell not in self.counted)
        if self.rows:
            table["n_not_counted"] = [dropped[row.every.group] for row in self.rows]
            table["flag"] = self.flags
        if self.rows and self.bundle_sha256 is not None:
            table[BUNDLE] = self.bundle_sha256
        return table


@dataclass(frozen=True)
class _Calibration:
    """Labelled cells with the model's calls.

    Attributes:
        path: Of the predictions.
        known: Those, beside the truth.
    """

    path: Path
    known: Scored


def count(predictions: Path, asked: Counting) -> Differential:
    """Count the cells of each slide or patient.

    Args:
        predictions: A table that predict wrote.
        asked: What to count by, and with which limits.

    Raises:
        ManifestError: A fault in one of the tables.
    """
    rows = read_rows(predictions)
    stated, frame = read_predictions(rows, asked.taxonomy)
    columns = [] if frame is None else [c for c in frame if str(c).startswith(PROBABILITY)]
    labels = {*stated.values(), *(str(c).removeprefix(PROBABILITY) for c in columns)}
    predicted, cautions = set(labels), list[str]()
    calibration = _calibration(asked, cautions)
    if calibration is not None:
        known = calibration.known
        labels |= {*known.targets, *known.predicted}
        shared = len(stated.keys() & set(known.cell_ids))
        if shared:
            cautions.append(
                f"{shared} of the {len(stated)} counted cells are calibration cells too: "
                "the limits are too narrow for new slides."
            )
    classes = common_grain(
        resolve(asked.taxonomy, labels),
        predicted,
        [] if calibration is None else calibration.known.targets,
    )
    cell_ids = list(stated)
    doubtful = doubt_in(rows, cell_ids)
    if doubtful is None:
        cautions.append(
            f"Doubt unknown: {predictions} has no column is_abstained, so doubtful cells are "
            "counted as any others. Predict to .parquet, or to .csv with --columns doubt."
        )
    of_fields = counted_in(rows, cell_ids, asked.count_faulty)
    fields = of_fields.fields if of_fields is not None and all(of_fields.fields) else None
    groups = None if asked.groups is None else read_rows(asked.groups)
    grouped = group_cells(rows, groups, asked.by, cell_ids, fields)
    slides = np.array(grouped.names)
    cautions += [grouped.note] if grouped.note else []
    keep = np.ones(len(cell_ids), dtype=bool) if of_fields is None else of_fields.is_counted
    codes = classes.encode(relabelled([stated[cell_id] for cell_id in cell_ids], classes))
    figures = [] if not keep.any() else check_doubt(
        codes[keep],
        slides[keep],
        classes,
        None if doubtful is None else doubtful[keep],
        *_confusions(calibration, classes, doubtful is not None, cautions),
        most=asked.max_doubtful,
    )  # fmt: skip
    limits = [asked.thresholds.get(row.every.name) for row in figures]
    return Differential(
        figures,
        [None if at is None else flag(row, at) for row, at in zip(figures, limits, strict=True)],
        dict(zip(cell_ids, slides.tolist(), strict=True)),
        frozenset(cell_id for cell_id, is_kept in zip(cell_ids, keep, strict=True) if is_kept),
        [*([] if of_fields is None else of_fields.notes()), *_empty(slides, keep, grouped.by)],
        cautions,
        None if frame is None else _bundle_of(frame),
        grouped.by,
    )


def _bundle_of(frame: pd.DataFrame) -> str | None:
    found = set(frame[BUNDLE].dropna()) if BUNDLE in frame else set()
    return str(found.pop()) if len(found) == 1 else None


def _empty(slides: np.ndarray, keep: np.ndarray, by: str) -> list[str]:
    """Groups whose cells do not count, in a sentence."""
    missing = sorted({*slides.tolist()} - {*slides[keep].tolist()})
    shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return [f"No cell counts of {by} {shown}."] if missing else []


def _calibration(asked: Counting, cautions: list[str]) -> _Calibration | None:
    """Labelled cells with the model's calls, if there are any."""
    path, labels = asked.calibration, asked.calibration_labels
    if path is None:
        return None
    if labels is not None:
        return _Calibration(path, read_scored(path, labels, asked.taxonomy))
    cautions.append(
        "Calibrated by out-of-fold predictions: each is by the model of one fold, whose "
        "misclassification rates differ from the bundle's. The adjusted limits do not cover the "
        "difference; predictions for held-out cells are better."
    )
    return _Calibration(path, read_out_of_fold(path, asked.taxonomy))


def _confusions(
    calibration: _Calibration | None,
    taxonomy: Taxonomy,
    is_doubt_known: bool,
    cautions: list[str],
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Calls on labelled cells, rows the truth, shape (k, k): on all, and on those without doubt.

    Cells whose label is coarser than a class are left out: it tells no error within it. The second
    is None where the doubt about labelled or counted cells is not known: calls on all labelled
    cells do not say how the model errs on those that it does not doubt.
    """
    if calibration is None:
        return None, None
    known = calibration.known
    targets, predicted = (relabelled(part, taxonomy) for part in (known.targets, known.predicted))
    fine = np.flatnonzero(taxonomy.is_fine(targets))
    if len(fine) < len(targets):
        cautions.append(
            f"{len(targets) - len(fine)} of {len(targets)} calibration cells have a label coarser "
            "than a class; they are left out."
        )
    truth, calls = (taxonomy.encode([part[row] for row in fine]) for part in (targets, predicted))
    every = confusion(truth, calls, len(taxonomy))
    if not is_doubt_known:
        return every, None
    doubtful = doubt_in(read_rows(calibration.path), known.cell_ids)
    if doubtful is None:
        cautions.append(
            f"Figures without doubtful cells are not adjusted: {calibration.path} has no column "
            "is_abstained."
        )
        return every, None
    kept = ~doubtful[fine]
    return every, confusion(truth[kept], calls[kept], len(taxonomy))
