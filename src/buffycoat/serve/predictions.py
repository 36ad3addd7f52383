"""Predictions as what is reviewed: cells on slides, with their pictures and the reasons."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buffycoat.cells import DOUBTS, manifest_error
from buffycoat.errors import ManifestError
from buffycoat.evaluate.counted_cells import counted_in
from buffycoat.evaluate.differential import check_leukocytes
from buffycoat.evaluate.grain import common_grain, relabelled
from buffycoat.evaluate.scored import PROBABILITY, read_predictions
from buffycoat.evaluate.side_tables import doubt_in
from buffycoat.serve.grouping import Table, slides_of
from buffycoat.serve.places import Place, find_places
from buffycoat.tables import Rows, find_ids, read_rows, to_number
from buffycoat.taxonomy import Taxonomy, resolve

AT_BORDER = "cut by the right or lower border of its field"


@dataclass(frozen=True)
class PredictedCell:
    """One cell to review.

    Attributes:
        name: Its id in the table of predictions.
        slide: Name of what it is counted with.
        patient: None where unknown.
        place: Where its picture is.
        predicted: Class code.
        probability: Of that class; None where the table has none.
        is_doubtful: Whether a person should look; None where the table does not say.
        details: For the page, as plain values: probabilities, prediction set, evidence, field, and
            why the cell is in no figure (`not_counted`), if it is in none.
        image_sha256: Of the picture's bytes as predicted, if the table says.
        bundle_sha256: Of the bundle, if the table says.
    """

    name: str
    slide: str
    patient: str | None
    place: Place
    predicted: str
    probability: float | None
    is_doubtful: bool | None
    details: dict[str, Any]
    image_sha256: str | None
    bundle_sha256: str | None


@dataclass(frozen=True)
class Predictions:
    """A table of predictions.

    Attributes:
        name: Of the file.
        taxonomy: Of the model's classes.
        cells: In the table's order.
    """

    name: str
    taxonomy: Taxonomy
    cells: tuple[PredictedCell, ...]

    @property
    def fields(self) -> set[str]:
        """Names of the fields that cells were cut from, where these are known."""
        return {cell.place.field["name"] for cell in self.cells if cell.place.field.get("name")}


def read(
    path: Path,
    images: Path,
    taxonomy: str = "auto",
    groups: Path | None = None,
    by: str | None = None,
) -> Predictions:
    """Read a table that `buffycoat predict` wrote, and find its pictures.

    Args:
        path: CSV or Parquet; a plain `ID,labels` has no reasons.
        images: Folder of the pictures, or a table that holds them.
        taxonomy: As in the settings: "auto", a built-in name, or a .toml file.
        groups: Table with IDs, of cells or of their fields, and the column `by`; its column
            `patient_id` goes before that of `path`. None takes `path`.
        by: Column that cells are counted by; None takes `slide_id`, else `patient_id`, else the
            field's folder, else one slide of all.

    Raises:
        ManifestError: Lists every fault; two bundles in one table are one.
        TaxonomyError: No class is a leukocyte.
    """
    rows = read_rows(path)
    stated, frame = read_predictions(rows, taxonomy)
    probs = [] if frame is None else [str(c) for c in frame if str(c).startswith(PROBABILITY)]
    codes = [name.removeprefix(PROBABILITY) for name in probs]
    classes = common_grain(resolve(taxonomy, {*stated.values(), *codes}), stated.values())
    check_leukocytes(classes)
    names = rows.column(find_ids(rows))
    texts = dict(zip(names, (row for _, row in rows), strict=True))
    _check_bundle(path, texts)
    places = find_places(images, names)
    labels = dict(zip(names, relabelled([stated[n] for n in names], classes), strict=True))
    _check_probabilities(path, texts, probs)
    doubtful = doubt_in(rows, names)
    is_doubtful: Sequence[bool | None] = (
        [None] * len(names) if doubtful is None else doubtful.tolist()
    )
    why_not = _not_counted(rows, names, texts)
    on = slides_of(Table(rows, names, texts, places), groups, by)
    cells = tuple(
        _cell(
            name, labels[name], texts[name], on[name], places[name], codes, why_not.get(name), doubt
        )
        for name, doubt in zip(names, is_doubtful, strict=True)
    )
    return Predictions(path.name, classes, cells)


def _check_bundle(path: Path, texts: dict[str, dict[str, str]]) -> None:
    found = sorted({row.get("bundle_sha256", "") for row in texts.values()})
    if len(found) > 1:
        shown = ", ".join(name[:12] or "none" for name in found)
        raise ManifestError(
            f"{path}: its cells were predicted by {len(found)} bundles ({shown}). Review those of "
            "one; predict the others again"
        )


def _check_probabilities(
    path: Path, texts: Mapping[str, Mapping[str, str]], columns: Sequence[str]
) -> None:
    faults = [
        f"{name}: {column} is {row[column]!r}, expected a number"
        for name, row in texts.items()
        for column in columns
        if not math.isfinite(to_number(row[column]))
    ]
    if faults:
        raise manifest_error(str(path), faults)


def _not_counted(
    rows: Rows, names: Sequence[str], texts: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Cell -> why it is in no figure, as `differential` counts: by what `find` said of it."""
    counted = counted_in(rows, list(names), count_faulty=False)
    if counted is None:
        return {}
    found = {}
    for name, counts, at_border, faults in zip(
        names, counted.is_counted, counted.at_border, counted.faults, strict=True
    ):
        if counts:
            continue
        if texts[name].get("kind", "cell") not in ("", "cell"):
            found[name] = f"found as a {texts[name]['kind']}"
        else:
            found[name] = AT_BORDER if at_border else f"its field has a fault: {faults}"
    return found


def _cell(
    name: str,
    label: str,
    row: dict[str, str],
    on: tuple[str, str | None],
    place: Place,
    codes: Sequence[str],
    not_counted: str | None,
    is_doubtful: bool | None,
) -> PredictedCell:
    probs = {code: round(to_number(row[PROBABILITY + code]), 5) for code in codes}
    probability = _number(row.get("probability", ""))
    details = {
        "probs": probs,
        "set": row.get("conformal_set", "").split(),
        "evidence": _evidence(row.get("evidence", "")),
        "reasons": _reasons(row),
        "outlier_percentile": _number(row.get("outlier_percentile", "")),
        "site_shift": _number(row.get("site_shift", "")),
        "field": place.field,
        "um_per_px": place.um_per_px,
        "not_counted": not_counted,
    }
    return PredictedCell(
        name,
        *on,
        place,
        label,
        probs.get(label) if probability is None else probability,
        is_doubtful,
        {key: value for key, value in details.items() if value not in (None, [], {})},
        row.get("image_sha256") or None,
        row.get("bundle_sha256") or None,
    )


def _number(text: str) -> float | None:
    value = to_number(text)
    return round(value, 5) if math.isfinite(value) else None


def _evidence(text: str) -> list[dict[str, str]]:
    """Codes and sentences of the reasons."""
    try:
        found = json.loads(text) if text else []
        return [{"code": str(one["code"]), "text": str(one["text"])} for one in found]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ManifestError(
            f"column evidence: expected the JSON that predict writes, got {text[:60]!r}"
        ) from error


def _reasons(row: dict[str, str]) -> list[dict[str, str]]:
    """Why a person should look: the sentence of each code, or a few words for it."""
    sentences = {one["code"]: one["text"] for one in _evidence(row.get("evidence", ""))}
    return [
        {"code": code, "text": sentences.get(code, DOUBTS.get(code, code))}
        for code in row.get("reasons", "").split()
    ]
