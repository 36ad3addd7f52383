"""The differential of a slide: as the model has it, and as its readers do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from buffycoat.evaluate.differential import BLAST, IMMATURE, DifferentialRow, Percent
from buffycoat.evaluate.doubtful_cells import REFUSED, CheckedRow, check_doubt, reached
from buffycoat.evaluate.flags import UNDECIDED, class_flag, doubt_flag
from buffycoat.evaluate.limits import BLAST_THRESHOLD, MOSTLY, THRESHOLD
from buffycoat.exchange.differential_report import absolute, rounded
from buffycoat.plurals import counted as in_words
from buffycoat.serve.states import EXTRA, UNSURE
from buffycoat.statistics import apart
from buffycoat.taxonomy import Taxonomy

PER_100 = "per 100 leukocytes"
"""Unit of what is no leukocyte."""
UNFAMILIAR = 1.0
"""Site shift above which cells look like another laboratory's."""


@dataclass(frozen=True)
class Counted:
    """What was counted on a slide.

    Attributes:
        rows: One a class, then the immature granulocytes; empty where no cell has a class.
        n_cells: All cells, artefacts and those left out too.
        n_doubtful: Doubtful cells that nobody decided; None where unknown.
        outside: Label that is no class -> cells: artefacts, smudges, cells that cannot be told.
        left_out: Why cells are in no figure whatever their label -> cells.
    """

    rows: tuple[CheckedRow, ...]
    n_cells: int
    n_doubtful: int | None
    outside: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """As `doubtful_cells` has it."""
        return self.rows[0].status if self.rows else "no cells"

    @property
    def n_leukocytes(self) -> int:
        """What the percentages are of."""
        return self.rows[0].every.n_leukocytes if self.rows else 0

    def row(self, name: str) -> CheckedRow | None:
        """Of a class, or of the immature granulocytes."""
        return next((row for row in self.rows if row.every.name == name), None)


def count(
    labels: Mapping[int, str],
    doubtful: Collection[int] | None,
    taxonomy: Taxonomy,
    confusion: np.ndarray | None = None,
    left_out: Mapping[int, str] | None = None,
) -> Counted:
    """Count the cells of one slide.

    Args:
        labels: Cell -> code of a class, or of `EXTRA`, which are left out.
        doubtful: Cells that a person should look at and nobody decided; None where unknown.
        taxonomy: The classes.
        confusion: Shape (k, k), the model's calls on labelled cells, for adjusted figures; only of
            use where the labels are the model's.
        left_out: Cell of the slide that is not in `labels` -> why it does not count.
    """
    classes = {*taxonomy.codes}
    outside = Counter(label for label in labels.values() if label not in classes)
    kept = [cell for cell, label in labels.items() if label in classes]
    rows: list[CheckedRow] = []
    if kept:
        rows = check_doubt(
            taxonomy.encode([labels[cell] for cell in kept]),
            np.zeros(len(kept), dtype=np.int64),
            taxonomy,
            None if doubtful is None else np.array([cell in doubtful for cell in kept], dtype=bool),
            confusion,
            most=MOSTLY,
        )
    n_doubtful = None if doubtful is None else len({*doubtful} & labels.keys())
    without = Counter((left_out or {}).values())
    n_cells = len(labels) + without.total()
    return Counted(tuple(rows), n_cells, n_doubtful, dict(outside), dict(without))


def flags(counted: Counted, site_shift: float | None, unfamiliar: int) -> list[dict[str, str]]:
    """Why a slide should be looked at, each with a code and a sentence; the same at every stage.

    The page shows figures of a slide that is mostly doubtful too, so their flags stand beside them.

    Args:
        counted: Of the slide, by the labels whose figures are shown.
        site_shift: The largest of its cells; None where unknown.
        unfamiliar: Cells with the reason "unfamiliar_site".
    """
    raised = []
    for name, limit in ((BLAST, BLAST_THRESHOLD), (IMMATURE, THRESHOLD)):
        row = counted.row(name)
        if row is not None:
            kept = None if row.kept is None else row.kept.raw.value
            said, percent = reached(row, limit), row.every.raw.value
            raised.append(class_flag(name, said, percent, limit=limit, kept=kept))
    n_cells = counted.n_cells - sum(counted.left_out.values())
    raised.append(doubt_flag(counted.n_doubtful or 0, n_cells))
    found = [{"code": one.code, "text": one.text} for one in raised if one is not None]
    if (site_shift is not None and site_shift > UNFAMILIAR) or unfamiliar:
        text = "cells look like another laboratory's"
        if site_shift is not None and site_shift > UNFAMILIAR:
            shift, alarm = apart(site_shift, UNFAMILIAR, 1)
            text += f" (site shift {shift}, alarm above {alarm})"
        found.append({"code": "unfamiliar_site", "text": text})
    return found


def to_rows(
    counted: Counted, model: Counted, taxonomy: Taxonomy, wbc: float | None = None
) -> list[dict[str, Any]]:
    """Figures as the page and a signed version have them: rounded as every export states them.

    Args:
        counted: Of the labels that are asked for.
        model: Of the model's; gives `predicted_count` and, where it can, the adjusted figures.
        taxonomy: Gives the names.
        wbc: White cells by the analyser, 10^9/L; None gives no absolute counts.
    """
    names = {cell.code: cell.name for cell in taxonomy.classes}
    by_model = {row.every.name: row.every for row in model.rows}
    of_model = model.rows if not counted.rows else counted.rows
    rows = []
    for row in of_model:
        name = row.every.name
        # Where every cell is an artefact the classes are there with no cell each.
        every = row.every if counted.rows else None
        figures = _figures(every.raw if every else None)
        predicted = by_model.get(name)
        adjusted = _figures(predicted.adjusted if predicted else None)
        rows.append(
            {
                "code": name,
                "name": names.get(name, name),
                "is_leukocyte": row.every.is_leukocyte,
                "unit": "%" if row.every.is_leukocyte else PER_100,
                "count": every.count if every else 0,
                "percent": figures[0],
                "low": figures[1],
                "high": figures[2],
                "predicted_count": predicted.count if predicted else 0,
                "adjusted": adjusted[0],
                "adjusted_low": adjusted[1],
                "adjusted_high": adjusted[2],
                "absolute": _absolute(wbc, every),
            }
        )
    return rows


def notes(counted: Counted, wbc: float | None) -> list[str]:
    """What the figures rest on, in sentences."""
    found = ["Limits are 95 %, of counting so many cells (Clopper and Pearson)."]
    for code, n in counted.outside.items():
        found.append(f"{in_words(n, 'cell')} left out: {EXTRA[code]} ({code}).")
    for why, n in counted.left_out.items():
        found.append(f"{in_words(n, 'cell')} not counted: {why}.")
    if counted.outside.get(UNSURE):
        found.append("Cells that cannot be told may be of any class; the limits do not carry that.")
    if counted.n_doubtful:
        said = f"{UNDECIDED.capitalize()}: {counted.n_doubtful}."
        if counted.status == REFUSED:
            said += " That is most of the cells: the figures mean little."
        found.append(said)
    if wbc is not None:
        found.append(
            "Absolute counts: the analyser's white cells, corrected for nucleated red cells."
        )
    return found


def _figures(of: Percent | None) -> tuple[float | None, float | None, float | None]:
    if of is None:
        return None, None, None
    value, low, high = (_plain(rounded(end)) for end in (of.value, of.low, of.high))
    return value, low, high


def _plain(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _absolute(wbc: float | None, of: DifferentialRow | None) -> float | None:
    if wbc is None or of is None:
        return None
    return _plain(absolute(wbc, of.count, of.n_leukocytes))
