"""Tables of predictions and of true labels, joined by the cell's ID."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from buffycoat.cells import manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.class_table import MIN_PATIENTS
from buffycoat.evaluate.grain import common_grain, relabelled
from buffycoat.sources.csv_rows import read_csv
from buffycoat.taxonomy import Taxonomy, resolve

ID_COLUMNS = ("ID", "cell_id")
LABEL_COLUMNS = ("labels", "label")
PROBABILITY = "prob_"


@dataclass(frozen=True)
class Scored:
    """Predictions beside the truth, rows in the order of the labels file.

    Attributes:
        cell_ids: Shape (n,).
        targets: True codes of classes and groups, shape (n,).
        predicted: Predicted class codes, shape (n,).
        probs: Shape (n, k) in taxonomy order; None if the predictions hold labels only.
        taxonomy: Gives k classes.
    """

    cell_ids: list[str]
    targets: list[str]
    predicted: list[str]
    probs: np.ndarray | None
    taxonomy: Taxonomy


def read_scored(predictions: Path, labels: Path, taxonomy: str = "auto") -> Scored:
    """Read predictions and labels and join them by ID.

    Args:
        predictions: CSV (`ID,labels`) or Parquet, as `buffycoat predict` writes them.
        labels: CSV with `ID,labels` (or `cell_id,label`); other columns are not read.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.

    Raises:
        ManifestError: Lists every fault: a missing column, an empty or double ID, an empty
            label, an ID that only one of the files holds.
        TaxonomyError: A label is not in the taxonomy.
    """
    stated, frame = read_predictions(predictions)
    truth = read_labels(labels)
    faults = [f"ID {cell_id!r} has no prediction" for cell_id in truth if cell_id not in stated]
    faults += [f"ID {cell_id!r} has no label" for cell_id in stated if cell_id not in truth]
    if faults:
        raise manifest_error(f"{predictions} and {labels}", faults)
    classes = resolve(taxonomy, {*truth.values(), *stated.values()})
    given = set(stated.values())
    if frame is not None:
        given |= _scored_classes(frame)
        if taxonomy == "auto":
            classes = resolve(taxonomy, {*truth.values(), *given})
    classes = common_grain(classes, given, truth.values())
    cell_ids = list(truth)
    return Scored(
        cell_ids,
        relabelled([truth[cell_id] for cell_id in cell_ids], classes),
        relabelled([stated[cell_id] for cell_id in cell_ids], classes),
        None if frame is None else _probs(frame, cell_ids, classes, predictions),
        classes,
    )


def read_out_of_fold(path: Path, taxonomy: str = "auto") -> Scored:
    """Read a run's own scores of its training cells, each by a model that has not learned from it.

    The call is the likeliest class. Cells are taken as they are: the row of a cell's degraded twin
    is left out.

    Args:
        path: `out_of_fold.parquet`, as `buffycoat train` writes it.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.

    Raises:
        ManifestError: Another table.
        TaxonomyError: A label is not in the taxonomy.
    """
    frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else pd.DataFrame()
    if not is_out_of_fold(frame):
        raise ManifestError(
            f"{path}: not an out_of_fold.parquet of a run; give the true labels of its cells with "
            "--calibration-labels"
        )
    frame = frame.loc[~frame["is_twin"]]
    columns = _scored_classes(frame)
    classes = common_grain(resolve(taxonomy, {*frame["label"], *columns}), columns)
    cell_ids = frame["cell_id"].astype(str).tolist()
    probs = _probs(frame.set_index(frame["cell_id"].astype(str)), cell_ids, classes, path)
    calls = [classes.codes[column] for column in probs.argmax(axis=1)]
    return Scored(cell_ids, frame["label"].tolist(), calls, probs, classes)


def is_out_of_fold(frame: pd.DataFrame) -> bool:
    """Whether a table is a run's `out_of_fold.parquet`; its `label` is the truth, not the call."""
    return {"cell_id", "is_twin", "label", "fold"} <= {*frame.columns}


def read_labels(path: Path) -> dict[str, str]:
    """ID -> label of a CSV file; every row must have both.

    Raises:
        ManifestError: Lists every fault with its line.
    """
    rows = read_csv(path, ())
    id_column = _one_of(ID_COLUMNS, rows[0][1] if rows else {}, path)
    label_column = _one_of(LABEL_COLUMNS, rows[0][1] if rows else {}, path)
    return _unique(
        [(f"line {n}", row.get(id_column, ""), row.get(label_column, "")) for n, row in rows], path
    )


def read_severity(path: Path, cell_ids: list[str]) -> list[float]:
    """Severity of each cell from a CSV file `ID,severity`; NaN where it has none.

    Raises:
        ManifestError: A column is missing, an ID is there twice, or a severity is not a number from
            0 to 4.
    """
    known, faults = {}, []
    for number, row in read_csv(path, ("ID", "severity")):
        text = row.get("severity", "")
        if row["ID"] in known:
            faults.append(f"line {number}: ID {row['ID']!r} is used twice")
        try:
            known[row["ID"]] = float(text)
        except ValueError:
            known[row["ID"]] = np.nan
        if not 0 <= known[row["ID"]] <= 4:
            faults.append(f"line {number}: severity {text!r}, expected 0 to 4")
    if faults:
        raise manifest_error(str(path), faults)
    return [known.get(cell_id, np.nan) for cell_id in cell_ids]


def read_groups(path: Path, column: str, cell_ids: list[str]) -> list[str]:
    """Patient or slide of each cell.

    Args:
        path: CSV or Parquet with `ID` (or `cell_id`) and the column; other cells may be in it.
        column: Such as "patient_id".
        cell_ids: The cells, shape (n,).

    Returns:
        Shape (n,).

    Raises:
        ManifestError: A column is missing, an ID is there twice, or a cell has none: with some of
            the patients unknown, nothing can be said about patients.
    """
    if path.suffix.lower() == ".parquet":
        frame = _read_parquet(path)
        id_column, group_column = _one_of(ID_COLUMNS, frame, path), _one_of((column,), frame, path)
        texts = frame[[id_column, group_column]].astype("string").fillna("")
        rows = [(f"row {n}", *pair) for n, pair in enumerate(texts.itertuples(index=False))]
    else:
        lines = read_csv(path, (column,))
        id_column = _one_of(ID_COLUMNS, lines[0][1] if lines else {}, path)
        rows = [(f"line {n}", row.get(id_column, ""), row.get(column, "")) for n, row in lines]
    known, faults = {}, []
    for where, cell_id, group in rows:
        if cell_id in known:
            faults.append(f"{where}: ID {cell_id!r} is used twice")
        known[cell_id] = group
    missing = [cell_id for cell_id in cell_ids if not known.get(cell_id)]
    if missing:
        faults.append(
            f"{len(missing)} of {len(cell_ids)} cells have no {column}, first {missing[0]!r}"
        )
    if faults:
        raise manifest_error(str(path), faults)
    return [known[cell_id] for cell_id in cell_ids]


def read_patients(path: Path, cell_ids: list[str]) -> list[str]:
    """Patient of each cell, to resample patients whole; arguments as in `read_groups`.

    Raises:
        ManifestError: As `read_groups`, or there are too few patients for an interval.
    """
    patients = read_groups(path, "patient_id", cell_ids)
    n = len(set(patients))
    if n < MIN_PATIENTS:
        raise ManifestError(
            f"{path}: cells of {n} patient{'s' if n != 1 else ''}, and an interval over patients "
            f"needs {MIN_PATIENTS}. Leave --patients out: intervals are image-level then"
        )
    return patients


def read_train_counts(path: Path) -> Mapping[str, int]:
    """Training cells of each class.

    Args:
        path: A bundle or `starter`, a JSON file `{"SNE": 946, ...}`, or the CSV of the training
            labels, whose rows are counted.

    Raises:
        ManifestError: It is none of these.
    """
    if path.suffix.lower() == ".csv":
        return Counter(read_labels(path).values())
    from buffycoat.pipeline.bundle import locate

    path = locate(path) if str(path) == "starter" and not path.exists() else path
    file = path / "bundle.json" if path.is_dir() else path
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ManifestError(
            f"{path}: expected a bundle, a JSON file of counts or a CSV of labels ({error})"
        ) from error
    counts = _bundle_counts(table) if path.is_dir() else table
    if not _is_counts(counts):
        raise ManifestError(f'{file}: expected counts such as {{"SNE": 946, "LY": 600}}')
    return counts


def _is_counts(table: Any) -> TypeGuard[dict[str, int]]:
    if not isinstance(table, dict) or not table:
        return False
    return all(type(count) is int and count >= 0 for count in table.values())


def _bundle_counts(index: dict[str, Any]) -> dict[str, int] | None:
    """Code of a class or group -> training cells, from a bundle's index."""
    if "counts" not in index or "taxonomy" not in index:
        return None
    taxonomy = Taxonomy.from_dict(index["taxonomy"])
    stated = dict(zip(taxonomy.codes, index["counts"], strict=True))
    return stated | index.get("coarse_counts", {})


def read_predictions(path: Path) -> tuple[dict[str, str], pd.DataFrame | None]:
    """ID -> predicted label, and the whole table where it has probabilities (indexed by ID).

    Args:
        path: CSV (`ID,labels`) or Parquet, as `buffycoat predict` writes them.

    Raises:
        ManifestError: Lists every fault: a missing column, an empty or double ID, an empty label.
    """
    if path.suffix.lower() != ".parquet":
        return read_labels(path), None
    frame = _read_parquet(path)
    if is_out_of_fold(frame):
        raise ManifestError(
            f"{path}: holds out-of-fold scores of a run, and its column 'label' is the truth. Give "
            "a table that `buffycoat predict` wrote"
        )
    id_column, label_column = _one_of(ID_COLUMNS, frame, path), _one_of(LABEL_COLUMNS, frame, path)
    texts = frame[[id_column, label_column]].astype("string").fillna("")
    rows = texts.itertuples(index=False, name=None)
    stated = _unique([(f"row {row}", *pair) for row, pair in enumerate(rows)], path)
    has_probs = any(column.startswith(PROBABILITY) for column in frame)
    return stated, frame.set_index(frame[id_column].astype(str)) if has_probs else None


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: not a readable Parquet table ({error})") from error


def _unique(rows: list[tuple[str, str, str]], path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    faults = [] if rows else ["the table has no rows"]
    for where, cell_id, label in rows:
        if not cell_id:
            faults.append(f"{where}: ID is empty")
        elif cell_id in found:
            faults.append(f"{where}: ID {cell_id!r} is used twice")
        if not label:
            faults.append(f"{where}: label of {cell_id!r} is empty")
        found[cell_id] = label
    if faults:
        raise manifest_error(str(path), faults)
    return found


def _one_of(
    names: tuple[str, ...], columns: Mapping[str, object] | pd.DataFrame, path: Path
) -> str:
    for name in names:
        if name in columns:
            return name
    has = ", ".join(map(str, columns)) or "no rows"
    raise ManifestError(f"{path}: column {' or '.join(map(repr, names))} is missing; it has {has}")


def _scored_classes(frame: pd.DataFrame) -> set[str]:
    """Codes of the classes that a table has probabilities of."""
    return {str(c).removeprefix(PROBABILITY) for c in frame if str(c).startswith(PROBABILITY)}


def _probs(frame: pd.DataFrame, cell_ids: list[str], taxonomy: Taxonomy, path: Path) -> np.ndarray:
    """Shape (n, k); where the taxonomy is coarser than the table, finer classes are added up."""
    for code in taxonomy.codes:
        finer = [
            PROBABILITY + other
            for other in _scored_classes(frame) - {*taxonomy.codes}
            if taxonomy.spelling.find(other) == code
        ]
        if finer and PROBABILITY + code not in frame:
            frame = frame.assign(**{PROBABILITY + code: frame[finer].sum(axis=1)})
    columns = [PROBABILITY + code for code in taxonomy.codes]
    missing = [column for column in columns if column not in frame]
    if missing:
        raise ManifestError(
            f"{path}: column {', '.join(map(repr, missing))} is missing for taxonomy "
            f"{taxonomy.name!r}; name another with --taxonomy"
        )
    return frame.loc[cell_ids, columns].to_numpy(dtype=np.float64)
