"""Predictions as rows of a table, with where they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from buffycoat.cells import PLACE, Manifest, Prediction
from buffycoat.taxonomy import Taxonomy

GROUPS = ("slide_id", "patient_id")
ORIGIN = ("image_sha256", "bundle_sha256")
"""What a prediction was made from: the bytes of the image's file, and the bundle's index, which
holds the checksums of all its files."""
COUNTED = ("label", "is_abstained", "reasons", "conformal_set", "is_restored", "is_moved")
"""What the summary at the end counts."""
_TEXT = {
    "cell_id", "label", "conformal_set", "degradation", "restore_reason", "restore_change",
    "reasons", "evidence", *GROUPS, *ORIGIN, "field", "box", "kind", "field_faults",
}  # fmt: skip
_FLAGS = {"is_restored", "is_rescued", "is_moved", "is_abstained", "is_cut", "is_counted"}


def columns_of(manifest: Manifest, taxonomy: Taxonomy) -> list[str]:
    """Columns of the predictions of these cells: slide, patient and place where any has one."""
    known = [name for name in GROUPS if manifest.frame[name].notna().to_numpy().any()]
    known += list(PLACE) if manifest.frame["field"].notna().to_numpy().any() else []
    first, *others = prediction_columns(taxonomy)
    places = [name for name in others if name.startswith("prob_")]
    return [first, *known, *(n for n in others if n not in places), *ORIGIN, *places]


def to_frame(
    predictions: Sequence[Prediction],
    image_sha256: Sequence[str],
    bundle_sha256: str,
    manifest: Manifest,
    taxonomy: Taxonomy,
) -> pd.DataFrame:
    """One row a prediction, columns as in `columns_of`, with all of `GROUPS` and `PLACE`.

    Args:
        predictions: Any number of them.
        image_sha256: Of each one's image file.
        bundle_sha256: From `bundle.files.checksum`.
        manifest: Gives slides, patients and places in fields of view.
        taxonomy: Of the bundle.
    """
    frame = predictions_frame(predictions, taxonomy)
    frame["image_sha256"], frame["bundle_sha256"] = list(image_sha256), bundle_sha256
    known = manifest.frame.set_index("cell_id")
    for name, column in {**{name: name for name in GROUPS}, **PLACE}.items():
        frame[name] = known[column].reindex(frame["cell_id"]).to_numpy()
    return frame


def predictions_frame(predictions: Sequence[Prediction], taxonomy: Taxonomy) -> pd.DataFrame:
    """Predictions as a table.

    Args:
        predictions: Any number of them.
        taxonomy: Gives the names of the probability columns.

    Returns:
        One row a cell, columns as in `prediction_columns`: `conformal_set` and `reasons` joined by
        spaces, `degradation` by plus signs, `restore_change` and `evidence` as JSON, and `probs`
        spread over `prob_<CODE>`.
    """
    rows = []
    for p in predictions:
        row = {k: v for k, v in vars(p).items() if k != "probs"}
        row["conformal_set"] = " ".join(p.conformal_set)
        row["reasons"] = " ".join(p.reasons)
        row["degradation"] = "+".join(p.degradation)
        row["restore_change"] = json.dumps(dict(p.restore_change), allow_nan=False)
        row["evidence"] = json.dumps([vars(e) for e in p.evidence])
        row |= {f"prob_{code}": prob for code, prob in zip(taxonomy.codes, p.probs, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows, columns=prediction_columns(taxonomy))


def prediction_columns(taxonomy: Taxonomy) -> list[str]:
    """Columns of `predictions_frame`: the fields of `Prediction`, its reasons, probabilities."""
    columns = [name for name in Prediction.__dataclass_fields__ if name != "probs"]
    columns.insert(columns.index("evidence"), "reasons")
    return [*columns, *(f"prob_{code}" for code in taxonomy.codes)]


def schema(columns: Sequence[str]) -> pa.Schema:
    """Arrow types of these columns, the same for every part of a table.

    Args:
        columns: Of `columns_of`.
    """

    def kind(name: str) -> pa.DataType:
        if name in _TEXT:
            return pa.string()
        return pa.bool_() if name in _FLAGS else pa.int64() if name == "views" else pa.float64()

    return pa.schema([(name, kind(name)) for name in columns])
