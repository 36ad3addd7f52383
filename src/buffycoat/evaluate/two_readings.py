"""Counts of the same slides by a reader and by a model, read from tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.grain import common_grain
from buffycoat.evaluate.reported import read_counts
from buffycoat.evaluate.scored import read_scored
from buffycoat.evaluate.side_tables import groups_in
from buffycoat.tables import read_rows
from buffycoat.taxonomy import Taxonomy, resolve

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class TwoReadings:
    """What two counted.

    Attributes:
        taxonomy: Gives k classes.
        slides: Names, shape (n,).
        reader: Shape (n, k), cells.
        model: Shape (n, k).
        confusions: Shape (n, k, k), rows the reader; None where the two may have seen other cells.
        left_out: Slides that one of the tables lacks, or cells whose label is coarser than a class.
    """

    taxonomy: Taxonomy
    slides: tuple[str, ...]
    reader: Array
    model: Array
    confusions: Array | None
    left_out: int


def is_counted(path: Path) -> bool:
    """Whether a table holds counts of slides, as `differential --out` writes them, not cells."""
    return {"group", "name", "count"} <= {*read_rows(path).header}


def read_slides(reader: Path, model: Path, taxonomy: str = "auto") -> TwoReadings:
    """Read two tables of counts, as `differential --out` writes them.

    Raises:
        ManifestError: Faults in a table, or no slide is in both.
    """
    tables = [read_counts(path) for path in (reader, model)]
    names = {name for counts in tables for of in counts.values() for name in of}
    classes = common_grain(resolve(taxonomy, names), names)
    shared = [slide for slide in tables[0] if slide in tables[1]]
    if not shared:
        raise manifest_error(
            f"{reader} and {model}",
            [f"no slide is in both: {[*tables[0]][:1]} is not like {[*tables[1]][:1]}"],
        )
    by_reader, by_model = (
        np.array([[counts[s].get(code, 0) for code in classes.codes] for s in shared])
        for counts in tables
    )
    left_out = len({*tables[0]} ^ {*tables[1]})
    return TwoReadings(classes, tuple(shared), by_reader, by_model, None, left_out)


def read_cells(
    reader: Path, model: Path, by: str, groups: Path | None = None, taxonomy: str = "auto"
) -> TwoReadings:
    """Read two tables of the same cells: labels by the reader, predictions by the model.

    Args:
        reader: Labels.
        model: Predictions.
        by: Column of slides, in `groups`, or in `model` without them.
        groups: A table with IDs and slides.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.

    Raises:
        ManifestError: Faults in a table, or a cell has no slide.
    """
    cells = read_scored(model, reader, taxonomy)
    fine = np.flatnonzero(cells.taxonomy.is_fine(cells.targets))
    if not len(fine):
        raise ManifestError(f"{reader}: every label is coarser than a class; nothing to compare")
    names = groups_in(read_rows(groups or model), by, [cells.cell_ids[row] for row in fine])
    truth, calls = (_encoded(cells.taxonomy, of, fine) for of in (cells.targets, cells.predicted))
    slides, number = np.unique(names, return_inverse=True)
    k = len(cells.taxonomy)
    confusions = np.zeros((len(slides), k, k), dtype=np.int64)
    np.add.at(confusions, (number, truth, calls), 1)
    return TwoReadings(
        cells.taxonomy,
        tuple(map(str, slides)),
        confusions.sum(axis=2),
        confusions.sum(axis=1),
        confusions,
        len(cells.targets) - len(fine),
    )


def _encoded(taxonomy: Taxonomy, labels: list[str], rows: Array) -> Array:
    return taxonomy.encode([labels[row] for row in rows])
