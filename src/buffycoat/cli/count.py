"""Counting the cells of predictions: what `differential` prints, writes and draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console
from buffycoat.cli.errors import EXIT_FINDINGS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from buffycoat.evaluate.doubtful_cells import CheckedRow
    from buffycoat.evaluate.scored import Scored
    from buffycoat.taxonomy import Taxonomy


@dataclass(frozen=True)
class Counting:
    """How cells are counted.

    Attributes:
        by: Column to count by.
        groups: Table with that column; None takes the predictions.
        calibration: Predictions for labelled cells, or out-of-fold ones.
        calibration_labels: Their labels.
        thresholds: Class or "immature granulocytes" -> percent from which it is flagged.
        max_doubtful: Share of doubtful cells over which a slide has no differential.
        taxonomy: "auto", a name or a file.
        count_faulty: Whether cells of fields with a fault count.
    """

    by: str
    groups: Path | None
    calibration: Path | None
    calibration_labels: Path | None
    thresholds: dict[str, float]
    max_doubtful: float
    taxonomy: str
    count_faulty: bool


@dataclass(frozen=True)
class Differential:
    """Figures of each slide, and what they leave out.

    Attributes:
        rows: One a slide and class; empty where no cell counts.
        flags: Of each row, None where no threshold is asked.
        group_of: Cell -> slide, for every cell of the predictions.
        counted: Cells that count.
        notes: What does not count and why, in sentences.
        bundle_sha256: Of the model that made all predictions; None where it is not known.
    """

    rows: Sequence[CheckedRow]
    flags: Sequence[str | None]
    group_of: dict[str, str]
    counted: frozenset[str]
    notes: Sequence[str]
    bundle_sha256: str | None = None


def count(predictions: Path, asked: Counting) -> Differential:
    """Count the cells of each slide or patient.

    Args:
        predictions: A table that predict wrote.
        asked: What to count by, and with which limits.

    Raises:
        ManifestError: A fault in one of the tables.
    """
    import numpy as np

    from buffycoat.evaluate.counted_cells import groups_of, read_counted
    from buffycoat.evaluate.doubtful_cells import check_doubt, flag
    from buffycoat.evaluate.grain import common_grain, relabelled
    from buffycoat.evaluate.scored import PROBABILITY, read_predictions
    from buffycoat.evaluate.side_tables import read_doubt
    from buffycoat.taxonomy import resolve

    stated, frame = read_predictions(predictions, asked.taxonomy)
    columns = [] if frame is None else [c for c in frame if str(c).startswith(PROBABILITY)]
    labels = {*stated.values(), *(str(c).removeprefix(PROBABILITY) for c in columns)}
    predicted = set(labels)
    known = _known(asked.calibration, asked.calibration_labels, asked.taxonomy)
    if known is not None:
        labels |= {*known.targets, *known.predicted}
        shared = len(stated.keys() & set(known.cell_ids))
        if shared:
            caution(
                f"{shared} of the {len(stated)} counted cells are calibration cells too: "
                "the limits are too narrow for new slides."
            )
    classes = common_grain(
        resolve(asked.taxonomy, labels), predicted, [] if known is None else known.targets
    )
    cell_ids = list(stated)
    doubtful = read_doubt(predictions, cell_ids)
    if doubtful is None:
        caution(
            f"Doubt unknown: {predictions} has no column is_abstained, so doubtful cells are "
            "counted as any others. Predict to .parquet, or to .csv with --columns doubt."
        )
    of_fields = read_counted(predictions, cell_ids, asked.count_faulty)
    fields = None if of_fields is None else of_fields.fields
    slides = np.array(groups_of(predictions, asked.groups, asked.by, cell_ids, fields))
    keep = np.ones(len(cell_ids), dtype=bool) if of_fields is None else of_fields.is_counted
    codes = classes.encode(relabelled([stated[cell_id] for cell_id in cell_ids], classes))
    rows = [] if not keep.any() else check_doubt(
        codes[keep],
        slides[keep],
        classes,
        None if doubtful is None else doubtful[keep],
        *_confusions(known, asked.calibration, classes, doubtful is not None),
        most=asked.max_doubtful,
    )  # fmt: skip
    limits = [asked.thresholds.get(row.every.name) for row in rows]
    return Differential(
        rows,
        [None if at is None else flag(row, at) for row, at in zip(rows, limits, strict=True)],
        dict(zip(cell_ids, slides.tolist(), strict=True)),
        frozenset(cell_id for cell_id, is_kept in zip(cell_ids, keep, strict=True) if is_kept),
        [*([] if of_fields is None else of_fields.notes()), *_empty(slides, keep, asked.by)],
        None if frame is None else _bundle_of(frame),
    )


def _bundle_of(frame: pd.DataFrame) -> str | None:
    from buffycoat.evaluate.reported import BUNDLE

    found = set(frame[BUNDLE].dropna()) if BUNDLE in frame else set()
    return str(found.pop()) if len(found) == 1 else None


def show(found: Differential, asked: Counting) -> None:
    """Print the figures and what they leave out."""
    from buffycoat.cli.counted import print_differential

    for note in found.notes:
        caution(note)
    if found.rows:
        print_differential(found.rows, asked.by, asked.thresholds)


def write(found: Differential, out: Path) -> None:
    """Write a row a slide and class."""
    import pandas as pd

    from buffycoat.evaluate.reported import BUNDLE
    from buffycoat.tables import write_csv

    table = pd.DataFrame([row.to_dict() for row in found.rows])
    dropped = Counter(of for cell, of in found.group_of.items() if cell not in found.counted)
    if found.rows:
        table["n_not_counted"] = [dropped[row.every.group] for row in found.rows]
        table["flag"] = found.flags
    if found.rows and found.bundle_sha256 is not None:
        table[BUNDLE] = found.bundle_sha256
    write_csv(out, table)


def draw(found: Differential, asked: Counting, picture: Path) -> None:
    """Write the bars of each slide as an SVG file."""
    from buffycoat.cli.counted import by_slide
    from buffycoat.evaluate.doubtful_cells import REFUSED
    from buffycoat.images import write_atomic
    from buffycoat.report.differential_plot import MOST_SLIDES, differential_picture

    slides = {k: of for k, of in by_slide(found.rows).items() if of[0].status != REFUSED}
    if len(slides) > MOST_SLIDES:
        caution(f"{picture} shows the first {MOST_SLIDES} of {len(slides)} slides; --out has all.")
    write_atomic(picture, differential_picture(slides, asked.thresholds).encode())


def fail_without_figures(found: Differential) -> None:
    """Say so and leave with exit code 4 where no slide has a differential."""
    from buffycoat.evaluate.doubtful_cells import REFUSED

    if any(row.status != REFUSED for row in found.rows):
        return
    text = (
        "every slide is mostly doubtful cells. Look at the images: is there one white cell in the "
        "centre of each, stained and magnified as the training cells? `buffycoat predict` says "
        "what most of them lack. --max-doubtful 100 counts them all the same."
    )
    text = text if found.rows else "no cell counts; the reasons are above."
    errors_console().print(f"[bold red]No differential:[/] {text}", highlight=False)
    raise typer.Exit(EXIT_FINDINGS)


def _empty(slides: np.ndarray, keep: np.ndarray, by: str) -> list[str]:
    """Groups whose cells do not count, in a sentence."""
    missing = sorted({*slides.tolist()} - {*slides[keep].tolist()})
    shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return [f"No cell counts of {by} {shown}."] if missing else []


def caution(text: str) -> None:
    """Print what a reader of the figures must know."""
    errors_console().print(f"[yellow]{escape(text)}[/]", highlight=False)


def _known(calibration: Path | None, labels: Path | None, taxonomy: str) -> Scored | None:
    """Labelled cells with the model's calls, if there are any."""
    from buffycoat.evaluate.scored import read_out_of_fold, read_scored

    if calibration is None:
        return None
    if labels is not None:
        return read_scored(calibration, labels, taxonomy)
    caution(
        "Calibrated by out-of-fold predictions: each is by the model of one fold, whose "
        "misclassification rates differ from the bundle's. The adjusted limits do not cover the "
        "difference; predictions for held-out cells are better."
    )
    return read_out_of_fold(calibration, taxonomy)


def _confusions(
    known: Scored | None, calibration: Path | None, taxonomy: Taxonomy, is_doubt_known: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Calls on labelled cells, rows the truth, shape (k, k): on all, and on those without doubt.

    Cells whose label is coarser than a class are left out: it tells no error within it. The second
    is None where the doubt about labelled or counted cells is not known: calls on all labelled
    cells do not say how the model errs on those that it does not doubt.
    """
    import numpy as np

    from buffycoat.evaluate.grain import relabelled
    from buffycoat.evaluate.metrics import confusion
    from buffycoat.evaluate.side_tables import read_doubt

    if known is None or calibration is None:
        return None, None
    targets, predicted = (relabelled(part, taxonomy) for part in (known.targets, known.predicted))
    fine = np.flatnonzero(taxonomy.is_fine(targets))
    if len(fine) < len(targets):
        caution(
            f"{len(targets) - len(fine)} of {len(targets)} calibration cells have a label coarser "
            "than a class; they are left out."
        )
    truth, calls = (taxonomy.encode([part[row] for row in fine]) for part in (targets, predicted))
    every = confusion(truth, calls, len(taxonomy))
    if not is_doubt_known:
        return every, None
    doubtful = read_doubt(calibration, known.cell_ids)
    if doubtful is None:
        caution(
            f"Figures without doubtful cells are not adjusted: {calibration} has no column "
            "is_abstained."
        )
        return every, None
    kept = ~doubtful[fine]
    return every, confusion(truth[kept], calls[kept], len(taxonomy))
