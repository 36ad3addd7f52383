"""Which cells to label next: those that the model is unsure of, and unlike each other.

Each step takes the cell with the largest product of its uncertainty (entropy of the class
probabilities over its maximum) and its distance (Hellinger) from the cells taken before: the greedy
k-centre rule of core-set selection (Sener and Savarese 2018, arXiv 1708.00489), weighted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.scored import PROBABILITY, read_predictions
from buffycoat.notes import tell
from buffycoat.plurals import some_of
from buffycoat.tables import Rows, find_ids, join_names, read_rows
from buffycoat.tables.labels import read_labels

Array = np.ndarray[Any, Any]

NO_CELL = "no_cell"
"""Evidence of a picture that shows no white cell: its label would teach no class."""
AT_ONCE = 256


def choose_next(probs: Array, known: Array, count: int, left_out: Array | None = None) -> list[int]:
    """Rows to label next, the first first.

    Args:
        probs: Class probabilities, shape (n, k), rows sum to 1.
        known: Shape (n,), bool: rows that have a label already; they are not chosen, and what is
            like them is less worth.
        count: Rows wanted; fewer come where fewer are left.
        left_out: Shape (n,), bool: rows that are not to be chosen either; None for none.
    """
    n, k = probs.shape
    if not n or k < 2:
        return []
    roots = np.sqrt(np.clip(probs, 0, 1))
    safe = np.where(probs > 0, probs, 1.0)
    uncertainty = -(probs * np.log(safe)).sum(axis=1) / np.log(k)
    is_open = ~known if left_out is None else ~(known | left_out)
    distance = _distance(roots, roots[known])
    chosen: list[int] = []
    for _ in range(min(count, int(is_open.sum()))):
        row = int(np.argmax(np.where(is_open, uncertainty * distance, -1.0)))
        chosen.append(row)
        is_open[row] = False
        distance = np.minimum(distance, _distance(roots, roots[row : row + 1]))
    return chosen


def _distance(roots: Array, others: Array) -> Array:
    """Hellinger distance of every row from the nearest of others, 0 to 1; 1 where there are none.

    Args:
        roots: Square roots of probabilities, shape (n, k).
        others: The same, shape (m, k).
    """
    nearness = np.zeros(len(roots))
    for start in range(0, len(others), AT_ONCE):
        nearness = np.maximum(nearness, (roots @ others[start : start + AT_ONCE].T).max(axis=1))
    return np.sqrt(np.clip(1 - nearness, 0, 1))


@dataclass(frozen=True)
class Suggested:
    """Cells to label next.

    Attributes:
        table: Their rows of the predictions, the first to label first.
        predicted: Their predicted classes.
        n_labelled: Cells of the predictions that have a label.
        n_without_cell: Others that show no white cell, and were not chosen among.
        n_open: Cells that were chosen among.
    """

    table: pd.DataFrame
    predicted: list[str]
    n_labelled: int
    n_without_cell: int
    n_open: int


def suggest(
    predictions: Path, count: int, labels: Path | None = None, taxonomy: str = "auto"
) -> Suggested:
    """Cells of a table of predictions to label next.

    Args:
        predictions: CSV or Parquet with probabilities, as `buffycoat predict` writes it.
        count: Cells wanted.
        labels: Table of labels; cells that are in it are not chosen.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.

    Raises:
        ManifestError: Lists every fault of a table: no probabilities, or some that are none; or no
            cell is left to label.
    """
    stated, frame = read_predictions(predictions, taxonomy)
    if frame is None:
        raise ManifestError(
            f"{predictions}: has labels and no probabilities. Give what `buffycoat predict` wrote "
            "to .parquet, or to .csv with --columns all"
        )
    rows = read_rows(predictions)
    cell_ids = rows.column(find_ids(rows))
    probs = _probabilities(predictions, frame)
    known = np.zeros(len(cell_ids), dtype=bool)
    if labels is not None:
        known = np.isin(cell_ids, _labelled(labels, stated, taxonomy))
    reasons = rows.column("reasons") if "reasons" in rows.header else [""] * len(cell_ids)
    empty = ~known & np.array([NO_CELL in codes.split() for codes in reasons], dtype=bool)
    n_open = len(cell_ids) - int(known.sum()) - int(empty.sum())
    if not n_open:
        raise ManifestError(
            f"{predictions}: no cell is left to label: of {len(cell_ids)}, {known.sum()} have a "
            f"label and {empty.sum()} others show no white cell"
        )
    chosen = choose_next(probs, known, count, empty)
    table = _whole(predictions, rows).iloc[chosen]
    predicted = [stated[cell_ids[row]] for row in chosen]
    return Suggested(table, predicted, int(known.sum()), int(empty.sum()), n_open)


def _whole(path: Path, rows: Rows) -> pd.DataFrame:
    """All columns: of Parquet as they are, of text as text."""
    if rows.unit == "row":
        return pd.read_parquet(path)
    return pd.DataFrame([row for _, row in rows], columns=list(rows.header))


def _probabilities(path: Path, frame: pd.DataFrame) -> Array:
    """Rows that sum to 1, shape (n, k).

    Raises:
        ManifestError: Names the cells whose probabilities are missing, below 0, or all 0.
    """
    columns = [name for name in map(str, frame) if name.startswith(PROBABILITY)]
    probs = frame[columns].to_numpy(dtype=np.float64)
    total = probs.sum(axis=1, keepdims=True)
    is_bad = ~np.isfinite(total[:, 0]) | (total[:, 0] <= 0) | (probs < 0).any(axis=1)
    if is_bad.any():
        names = [str(name) for name in frame.index[is_bad]]
        raise manifest_error(
            str(path), [f"ID {name!r}: its {PROBABILITY}... are no probabilities" for name in names]
        )
    return probs / total


def _labelled(path: Path, known: dict[str, str], taxonomy: str) -> list[str]:
    """Names of the predictions' cells that a table of labels holds; others in it are told.

    Raises:
        ManifestError: No label, or none that can be one of these cells.
    """
    given = read_labels(path, taxonomy, known)
    joined = join_names(given, known)
    if not joined.known:
        raise ManifestError(
            f"{path}: none of its IDs is in the predictions; its first is {next(iter(given))!r}, "
            f"there it is {next(iter(known), '')!r}"
        )
    if joined.doubtful:
        raise manifest_error(
            str(path),
            [
                f"ID {name!r} may be {' or '.join(map(repr, names[:3]))}; give the names with "
                "their folders"
                for name, names in joined.doubtful.items()
            ],
        )
    n_other = len(given) - len(joined.known)
    if n_other:
        labels = some_of(n_other, len(given), "label", "is of a cell", "are of cells")
        tell(path, f"{labels} not predicted here")
    return list(joined.known.values())
