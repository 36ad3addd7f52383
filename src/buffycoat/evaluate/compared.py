"""Two tables of predictions and the true labels, joined by ID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.errors import ManifestError
from buffycoat.evaluate.compare import BOTH_WRONG, LOST, SAME, WON, changes
from buffycoat.evaluate.grain import common_grain, relabelled
from buffycoat.evaluate.scored import read_predictions
from buffycoat.notes import tell
from buffycoat.tables import join_names
from buffycoat.tables.labels import read_labels
from buffycoat.taxonomy import Taxonomy, resolve


@dataclass(frozen=True)
class Compared:
    """Cells that both methods and the truth have.

    Attributes:
        frame: One row a cell, in the order of the labels: `ID`, `truth`, `a`, `b` (codes) and
            `change`, as `evaluate.compare.changes` says.
        taxonomy: The classes.
        left_out: Cells that one of the files lacks, with `--common`.
        coarse: Cells left out since their label is coarser than a class.
    """

    frame: pd.DataFrame
    taxonomy: Taxonomy
    left_out: int
    coarse: int

    def indices(self, column: str) -> np.ndarray:
        """Column index of each cell's truth, a or b, shape (n,)."""
        return self.taxonomy.encode(self.frame[column].tolist())


def read_compared(
    a: Path, b: Path, labels: Path, taxonomy: str = "auto", is_common: bool = False
) -> Compared:
    """Read two tables of predictions and the labels.

    Args:
        a: CSV (`ID,labels`) or Parquet, as `buffycoat predict` writes them.
        b: The same of the other method.
        labels: CSV with `ID,labels`.
        taxonomy: "auto", a built-in name, or a .toml file.
        is_common: Compare the cells that all three hold; else others are a fault.

    Raises:
        ManifestError: The files hold different cells, no cell in common, or a table has faults.
        TaxonomyError: A label is not in the taxonomy.
    """
    if a.resolve() == b.resolve():
        raise ManifestError(f"{a}: is both A and B; give the predictions of two methods")
    by_a, by_b = (read_predictions(path, taxonomy)[0] for path in (a, b))
    truth = read_labels(labels, taxonomy, by_a)
    tables = [_named_as(by_a, truth, labels), by_a, _named_as(by_a, by_b, b)]
    every = list(dict.fromkeys(cell_id for of in tables for cell_id in of))
    common = [cell_id for cell_id in every if all(cell_id in of for of in tables)]
    if not common or (len(common) < len(every) and not is_common):
        raise ManifestError(_different((labels, a, b), tables, every, len(common)))
    n_lacking = len(every) - len(common)
    truth, by_a, by_b = ([of[cell_id] for cell_id in common] for of in tables)
    classes = common_grain(resolve(taxonomy, {*truth, *by_a, *by_b}), {*by_a, *by_b}, truth)
    truth, by_a, by_b = (relabelled(part, classes) for part in (truth, by_a, by_b))
    is_fine = classes.is_fine(truth)
    common, truth, by_a, by_b = (
        [value for value, fine in zip(part, is_fine, strict=True) if fine]
        for part in (common, truth, by_a, by_b)
    )
    change = changes(*(classes.encode(part) for part in (truth, by_a, by_b)))
    frame = pd.DataFrame({"ID": common, "truth": truth, "a": by_a, "b": by_b, "change": change})
    return Compared(frame, classes, n_lacking, int((~is_fine).sum()))


def _named_as(known: Mapping[str, str], table: Mapping[str, str], path: Path) -> dict[str, str]:
    """A table by the names that A has for its cells, where these are written in another way."""
    joined = join_names(table, known)
    if joined.how:
        tell(path, f"IDs matched {joined.how}: {len(joined.known)} of {len(table)}")
    return {joined.known.get(cell_id, cell_id): label for cell_id, label in table.items()}


def changed_cells(compared: Compared) -> pd.DataFrame:
    """The cells that changed: won, lost, both wrong; of each kind in the taxonomy's order."""
    kinds = [WON, LOST, BOTH_WRONG]
    change = compared.frame["change"].tolist()
    rows = [row for row, kind in enumerate(change) if kind != SAME]
    column = compared.indices("truth")
    rows.sort(key=lambda row: (kinds.index(change[row]), column[row]))
    return compared.frame.iloc[rows].reset_index(drop=True)


def _different(
    paths: Sequence[Path], tables: Sequence[Mapping[str, str]], every: list[str], n_common: int
) -> str:
    lacks = []
    for path, of in zip(paths, tables, strict=True):
        missing = [cell_id for cell_id in every if cell_id not in of]
        if missing:
            lacks.append(f"{path} lacks {len(missing)} of them, first {missing[0]!r}")
    remedy = "Give tables of the same cells"
    if n_common:
        remedy += f", or compare the {n_common} that all three hold with --common"
    return f"the files hold {len(every)} cells, but not the same ones: {'; '.join(lacks)}. {remedy}"
