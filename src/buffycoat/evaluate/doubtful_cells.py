"""The differential with and without the cells that a person should look at.

A doubtful cell has a label, but not one that the model stands by: a picture without a cell is
called something too. So the figures of all cells stand beside those without the doubtful ones, and
a slide that is mostly doubtful has none. Neither figure is the better estimate where they differ:
doubt is commoner among rare and degraded cells, so leaving them out shifts the shares as well.

An adjusted figure needs a confusion table of the same kind of cells as it counts: of all labelled
cells for all cells, of those without doubt for the others. The second is the mix of the cells that
are not doubtful, and not that of the slide.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.evaluate.differential import DifferentialRow, Percent, differential
from buffycoat.taxonomy import Taxonomy

Array = np.ndarray[Any, Any]

GIVEN, REFUSED, UNKNOWN = "given", "refused", "doubt unknown"
"""Status of a slide: a differential; none, since it is mostly doubtful; one that knows no doubt."""

FLAGGED, NOT_EXCLUDED, BELOW = "flagged", "not excluded", "below"
ONLY_DOUBTFUL = "only doubtful cells: look"
NO_FLAG = "no differential"


@dataclass(frozen=True)
class CheckedRow:
    """One class on one slide, with what is known of doubt there.

    Attributes:
        every: Figures of all cells.
        kept: Figures without the doubtful cells; None where doubt is unknown or nothing is left.
        n_cells: Cells of the slide, leukocytes or not.
        n_doubtful: Those that a person should look at; None where doubt is unknown.
        status: `GIVEN`, `REFUSED` or `UNKNOWN`.
    """

    every: DifferentialRow
    kept: DifferentialRow | None
    n_cells: int
    n_doubtful: int | None
    status: str

    def to_dict(self) -> dict[str, Any]:
        """One flat row for a table; a slide that is refused has counts and no figures."""
        row = _flat(self.every, self.status)
        names = [name for name in row if name not in ("group", "name", "is_leukocyte")]
        kept = dict.fromkeys(names) if self.kept is None else _flat(self.kept, self.status)
        doubt = {
            "status": self.status,
            "n_cells": self.n_cells,
            "n_doubtful": self.n_doubtful,
            "doubtful_share": self.doubtful_share,
        }
        return row | doubt | {f"{name}_without_doubtful": kept[name] for name in names}

    @property
    def doubtful_share(self) -> float | None:
        """Share of the cells of the slide that are doubtful, 0 to 1; None where unknown."""
        return None if self.n_doubtful is None else self.n_doubtful / self.n_cells


def check_doubt(
    predicted: Array,
    groups: Array,
    taxonomy: Taxonomy,
    doubtful: Array | None,
    confusion: Array | None = None,
    confusion_kept: Array | None = None,
    *,
    most: float,
    **options: Any,
) -> list[CheckedRow]:
    """The differential of each slide or patient, with and without its doubtful cells.

    Args:
        predicted: Shape (n,), predicted column index.
        groups: Shape (n,), slide or patient of each cell.
        taxonomy: The classes, and which of them are leukocytes.
        doubtful: Shape (n,), bool: a person should look; None where that is not known.
        confusion: Shape (k, k), counts on all labelled cells; None gives no adjusted figures.
        confusion_kept: Shape (k, k), counts on the labelled cells that are not doubtful; None
            adjusts only the figures of all cells.
        most: Share of doubtful cells over which a slide is refused.
        options: `level`, `n_draws` and `seed` of `differential`.

    Returns:
        One row for each that `differential` gives, in its order.

    Raises:
        ShapeError: Arrays do not fit each other, or a cell has no group.
        TaxonomyError: No class is a leukocyte.
    """
    every = differential(predicted, groups, taxonomy, confusion, **options)
    slides = np.asarray(groups).astype(str)
    n_cells = Counter(slides.tolist())
    if doubtful is None:
        return [CheckedRow(row, None, n_cells[row.group], None, UNKNOWN) for row in every]
    is_doubtful = np.asarray(doubtful)
    if is_doubtful.shape != slides.shape or is_doubtful.dtype != bool:
        raise ShapeError(
            f"doubtful: expected shape {slides.shape}, bool; got {is_doubtful.shape}, "
            f"{is_doubtful.dtype}"
        )
    kept = {}
    if not is_doubtful.all():
        left = np.asarray(predicted)[~is_doubtful], slides[~is_doubtful]
        found = differential(*left, taxonomy, confusion_kept, **options)
        kept = {(row.group, row.name): row for row in found}
    n_of = Counter(slides[is_doubtful].tolist())
    rows = []
    for row in every:
        n, n_doubtful = n_cells[row.group], n_of[row.group]
        status = REFUSED if n_doubtful > most * n else GIVEN
        rows.append(CheckedRow(row, kept.get((row.group, row.name)), n, n_doubtful, status))
    return rows


def flag(row: CheckedRow, threshold: float) -> str:
    """What `reached` says, of a slide that is not refused; `NO_FLAG` of one that is.

    Args:
        row: Of the class that is asked about.
        threshold: Percent of the leukocytes.
    """
    return NO_FLAG if row.status == REFUSED else reached(row, threshold)


def reached(row: CheckedRow, threshold: float) -> str:
    """Whether a figure reaches a threshold, and whether it does without the doubtful cells.

    A count too small to rule the threshold out is no all-clear; a flag that is gone without the
    doubtful cells is `ONLY_DOUBTFUL`. Of a slide that is refused too, where its figures are shown.

    Args:
        row: Of the class that is asked about.
        threshold: Percent of the leukocytes.
    """
    figure = row.every.adjusted or row.every.raw
    same, kept = alike(row)
    is_kept_flagged = kept is not None and kept.value >= threshold
    if figure.value >= threshold or is_kept_flagged:
        rests_on_doubt = same.value >= threshold and not is_kept_flagged
        return ONLY_DOUBTFUL if rests_on_doubt and row.n_doubtful else FLAGGED
    return NOT_EXCLUDED if figure.high >= threshold else BELOW


def alike(row: CheckedRow) -> tuple[Percent, Percent | None]:
    """Figures with and without doubtful cells, both adjusted or both as called."""
    if row.kept is None:
        return row.every.raw, None
    if row.every.adjusted is not None and row.kept.adjusted is not None:
        return row.every.adjusted, row.kept.adjusted
    return row.every.raw, row.kept.raw


def _flat(of: DifferentialRow, status: str) -> dict[str, Any]:
    """Its flat row, without figures for a slide that is refused."""
    row = of.to_dict()
    figures = [name for name in row if name.startswith(("raw_", "adjusted_", "why"))]
    return row | dict.fromkeys(figures if status == REFUSED else ())
