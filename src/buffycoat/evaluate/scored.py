"""Tables of predictions, alone and beside the true labels, joined by the cell's ID."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.grain import common_grain, relabelled
from buffycoat.exchange.boxes import cell_name
from buffycoat.exchange.read import read_boxes
from buffycoat.notes import tell
from buffycoat.plurals import missing_columns
from buffycoat.sources.boxed import is_boxed
from buffycoat.tables import Rows, find_ids, find_labels, read_rows, to_number
from buffycoat.tables.labels import as_codes, join, read_labels, unique
from buffycoat.taxonomy import Taxonomy, resolve
from buffycoat.taxonomy.spelling import is_no_class

PROBABILITY = "prob_"
_CALLS = ("labels", "label", "predicted", "prediction", "predicted_label")
"""Columns of a table of predictions that hold the predicted class, the first that is there."""


@dataclass(frozen=True)
class Scored:
    """Predictions beside the truth, rows in the order of the labels file.

    Attributes:
        cell_ids: Names of the cells as the predictions have them, shape (n,).
        targets: True codes, shape (n,); of classes, and of groups where only a group is known.
        predicted: Predicted class codes, shape (n,).
        probs: Shape (n, k) in taxonomy order; None if the predictions hold labels only.
        taxonomy: Gives k classes.
    """

    cell_ids: list[str]
    targets: list[str]
    predicted: list[str]
    probs: np.ndarray | None
    taxonomy: Taxonomy


def read_scored(
    predictions: Path,
    labels: Path,
    taxonomy: str = "auto",
    id_column: str | None = None,
    label_column: str | None = None,
) -> Scored:
    """Read predictions and labels and join them by ID.

    Args:
        predictions: CSV or Parquet, as `buffycoat predict` writes them.
        labels: A table of any make with a column of IDs and one of labels, or one a class; or
            boxes around the cells, labelled.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.
        id_column: The labels' column of IDs, where several may be meant.
        label_column: Their column of labels, likewise.

    Raises:
        ManifestError: Lists every fault: a missing column, an empty or double ID, an empty
            label, an ID that only one of the files holds.
        TaxonomyError: A label is not in the taxonomy.
    """
    stated, frame = read_predictions(predictions, taxonomy)
    given = (
        _of_boxes(labels, taxonomy, stated)
        if is_boxed(labels)
        else read_labels(labels, taxonomy, stated, id_column, label_column)
    )
    truth, faults = join(labels, given, stated, "the predictions", "has no prediction")
    faults += [f"ID {cell_id!r} has no label" for cell_id in stated if cell_id not in truth]
    if faults:
        raise manifest_error(f"{predictions} and {labels}", faults)
    called = {*stated.values()} | (set() if frame is None else _codes_of(frame))
    present = {*truth.values(), *stated.values()}
    classes = resolve(taxonomy, present | called if taxonomy == "auto" else present)
    classes = common_grain(classes, called, truth.values())
    cell_ids = list(truth)
    return Scored(
        cell_ids,
        relabelled([truth[cell_id] for cell_id in cell_ids], classes),
        relabelled([stated[cell_id] for cell_id in cell_ids], classes),
        None
        if frame is None
        else _probs(frame, cell_ids, classes, predictions, is_open=taxonomy == "auto"),
        classes,
    )


def _of_boxes(path: Path, taxonomy: str, known: Collection[str]) -> dict[str, str]:
    """ID -> code of the true label, for boxes that cells were cut out by.

    Boxes around what is no white cell have no prediction and are left out.

    Raises:
        ManifestError: A fault in the boxes, or one without a label.
    """
    boxes = [(cell_name(field.image.name, box), box.label) for field in read_boxes(path)
             for box in field.boxes]  # fmt: skip
    kept = [
        (name, label or "")
        for name, label in boxes
        if name in known or not (label and is_no_class(label))
    ]
    faults = [f"box {name}: has no label" for name, label in kept if not label]
    if faults:
        raise manifest_error(str(path), faults)
    codes = as_codes(path, [label for _, label in kept], taxonomy)
    return {name: code for (name, _), code in zip(kept, codes, strict=True)}


def read_out_of_fold(
    path: Path, taxonomy: str = "auto", option: str = "--calibration-labels"
) -> Scored:
    """Read a run's own scores of its training cells, each by a model that has not learned from it.

    The call is the likeliest class. Cells are taken as they are: the row of a cell's degraded twin
    is left out.

    Args:
        path: `out_of_fold.parquet`, as `buffycoat train` writes it.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.
        option: That takes the labels of another table, for the message.

    Raises:
        ManifestError: Another table, or none.
        TaxonomyError: A label is not in the taxonomy.
    """
    if not path.exists():
        raise ManifestError(f"{path}: no such file. Check the path")
    frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else pd.DataFrame()
    if not is_out_of_fold(frame):
        raise ManifestError(
            f"{path}: not an out_of_fold.parquet of a run; give the true labels of its cells with "
            f"{option}"
        )
    frame = frame.loc[~frame["is_twin"]]
    columns = _codes_of(frame)
    classes = common_grain(resolve(taxonomy, {*frame["label"], *columns}), columns)
    cell_ids = frame["cell_id"].astype(str).tolist()
    probs = _probs(frame.set_index(frame["cell_id"].astype(str)), cell_ids, classes, path)
    calls = [classes.codes[column] for column in probs.argmax(axis=1)]
    return Scored(cell_ids, frame["label"].tolist(), calls, probs, classes)


def is_out_of_fold(table: Collection[str]) -> bool:
    """Whether columns are a run's `out_of_fold.parquet`; its `label` is the truth, not the call."""
    return {"cell_id", "is_twin", "label", "fold"} <= {*table}


def read_predictions(
    table: Path | Rows, taxonomy: str = "auto"
) -> tuple[dict[str, str], pd.DataFrame | None]:
    """ID -> predicted code, and the whole table where it has probabilities (indexed by ID).

    Args:
        table: CSV (`ID,labels`) or Parquet, as `buffycoat predict` writes them, or a like table;
            or its rows.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.

    Raises:
        ManifestError: Lists every fault: a missing column, an empty or double ID, an empty label.
    """
    rows = table if isinstance(table, Rows) else read_rows(table)
    path = rows.path
    if is_out_of_fold(rows.header):
        raise ManifestError(
            f"{path}: holds out-of-fold scores of a run, and its column 'label' is the truth. Give "
            "a table that `buffycoat predict` wrote"
        )
    tell(path, *rows.notes)
    cell_ids = rows.column(find_ids(rows))
    stated = unique(path, rows, cell_ids, as_codes(path, _calls(rows), taxonomy))
    if not any(name.startswith(PROBABILITY) for name in rows.header):
        return stated, None
    frame = _read_parquet(path) if rows.unit == "row" else _probabilities(rows)
    frame.index = pd.Index(cell_ids)
    return stated, frame


def _probabilities(rows: Rows) -> pd.DataFrame:
    """The columns of probabilities of a text table.

    Raises:
        ManifestError: Lists every value that is no probability.
    """
    faults = []
    columns: dict[str, list[float]] = {}
    for name in filter(lambda name: name.startswith(PROBABILITY), rows.header):
        values = [to_number(text) for text in rows.column(name)]
        faults += [
            f"{place}: {name} {row[name]!r}, expected 0 to 1"
            for place, (_, row), value in zip(rows.places, rows, values, strict=True)
            if not 0 <= value <= 1
        ]
        columns[name] = values
    if faults:
        raise manifest_error(str(rows.path), faults)
    return pd.DataFrame(columns)


def _calls(rows: Rows) -> list[str]:
    own = [name for name in _CALLS if name in rows.header]
    return rows.column(own[0]) if own else find_labels(rows)[1]


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: not a readable Parquet table ({error})") from error


def _codes_of(frame: pd.DataFrame) -> set[str]:
    """Codes of the classes that a table has probabilities of."""
    names = map(str, frame.columns)
    return {name.removeprefix(PROBABILITY) for name in names if name.startswith(PROBABILITY)}


def _probs(
    frame: pd.DataFrame,
    cell_ids: list[str],
    taxonomy: Taxonomy,
    path: Path,
    is_open: bool = False,
) -> np.ndarray:
    """Shape (n, k); where the taxonomy is coarser than the table, finer classes are added up.

    Args:
        frame: The predictions, by cell.
        cell_ids: The n cells.
        taxonomy: Gives k classes.
        path: For messages.
        is_open: Whether a class that the model does not know has probability 0; else it is a fault.
    """
    for code in taxonomy.codes:
        finer = [
            PROBABILITY + other
            for other in _codes_of(frame) - {*taxonomy.codes}
            if taxonomy.spelling.find(other) == code
        ]
        if finer and PROBABILITY + code not in frame:
            frame = frame.assign(**{PROBABILITY + code: frame[finer].sum(axis=1)})
    columns = [PROBABILITY + code for code in taxonomy.codes]
    missing = [column for column in columns if column not in frame]
    if missing and is_open:
        codes = ", ".join(column.removeprefix(PROBABILITY) for column in missing)
        tell(path, f"no probabilities of {codes}: taken as 0, the model does not know them")
        frame = frame.assign(**dict.fromkeys(missing, 0.0))
    elif missing:
        raise ManifestError(
            f"{path}: {missing_columns(missing)} for taxonomy "
            f"{taxonomy.name!r}; name another with --taxonomy"
        )
    return frame.loc[cell_ids, columns].to_numpy(dtype=np.float64)
