"""A database begun with predictions, or continued with the same ones."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from buffycoat.errors import ConfigError
from buffycoat.notes import tell
from buffycoat.plurals import counted
from buffycoat.serve import log, schema
from buffycoat.serve.database import Store
from buffycoat.serve.predictions import PredictedCell, Predictions
from buffycoat.serve.states import CONSENSUS
from buffycoat.taxonomy import Taxonomy

_REMEDY = (
    "Give the predictions that this review was begun with, or begin another one: --database "
    "sqlite:///another.sqlite"
)
SECOND_READER = {
    True: "from now on every slide needs a second reading (--second-reader)",
    False: "begun with --second-reader and started without it: no slide needs a second reading any "
    "more, and none is blind. Start it with --second-reader to go on as before",
}
"""What changes with the option, for whoever left it out without meaning to."""


@dataclass(frozen=True)
class Project:
    """What is reviewed.

    Attributes:
        name: Of the predictions' file.
        made_at: UTC, ISO 8601.
        taxonomy: Of the model's classes.
        has_second_reader: Whether every slide needs a blind second reading.
        secret: Of this database, for a server on loopback.
    """

    name: str
    made_at: str
    taxonomy: Taxonomy
    has_second_reader: bool
    secret: str


def open_project(reader: Connection) -> Project:
    """The project of a database.

    Raises:
        ConfigError: No predictions were imported.
    """
    row = reader.execute(select(schema.project)).first()
    if row is None:
        raise ConfigError("--database: holds no review. Begin one: buffycoat review PREDICTIONS")
    taxonomy = Taxonomy.from_dict(json.loads(row.taxonomy))
    return Project(row.name, row.made_at, taxonomy, row.has_second_reader, row.secret)


def import_predictions(
    store: Store,
    predictions: Predictions,
    person: str,
    *,
    is_adding: bool = False,
    has_second_reader: bool = False,
) -> int:
    """Begin a review, or continue it; the same predictions again change nothing.

    A finished reading of a slide that gets more cells is opened again: nobody has seen these.

    Args:
        store: The database, migrated.
        predictions: What is to be reviewed.
        person: Who does it, for the log.
        is_adding: Whether cells that the review does not have may be added to it.
        has_second_reader: Whether every slide needs a blind second reading.

    Returns:
        Number of cells that were added.

    Raises:
        ConfigError: Other cells, other predictions of the same cells, or another bundle; or a slide
            that would get more cells is signed, or of another patient.
    """
    with store.writing() as writer:
        row = writer.execute(select(schema.project)).first()
        if row is None:
            _begin(writer, predictions, has_second_reader)
        elif row.has_second_reader != has_second_reader:
            writer.execute(update(schema.project).values(has_second_reader=has_second_reader))
            data = {"has_second_reader": has_second_reader}
            log.append(writer, [log.Event("setting", person, data)])
            tell(Path(predictions.name), SECOND_READER[has_second_reader])
        new = _new_cells(writer, predictions, is_adding or row is None)
        _check_patients(writer, predictions, {cell.slide for cell in new})
        if new:
            _reopen(writer, _insert(writer, new), person, predictions.name)
            data = {
                "file": predictions.name,
                "n_cells": len(new),
                "bundle_sha256": new[0].bundle_sha256,
                "cells_sha256": digest_of_cells(new),
            }
            log.append(writer, [log.Event(log.IMPORTED, person, data)])
        return len(new)


def _begin(writer: Connection, predictions: Predictions, has_second_reader: bool) -> None:
    writer.execute(
        insert(schema.project).values(
            id=1,
            name=predictions.name,
            made_at=log.now(),
            taxonomy=json.dumps(predictions.taxonomy.to_dict()),
            has_second_reader=has_second_reader,
            secret=secrets.token_hex(32),
        )
    )


def _new_cells(
    writer: Connection, predictions: Predictions, is_adding: bool
) -> list[PredictedCell]:
    """Cells that the database does not have; those that it has must be the same."""
    columns = (schema.cells.c.name, schema.cells.c.predicted, schema.cells.c.bundle_sha256)
    query = select(*columns, schema.slides.c.name.label("on")).join(schema.slides)
    known = {row.name: row for row in writer.execute(query)}
    bundles = {row.bundle_sha256 for row in known.values()}
    if known and predictions.cells[0].bundle_sha256 not in bundles and not is_adding:
        raise ConfigError(
            f"{predictions.name}: was predicted by another bundle "
            f"({_short(predictions.cells[0].bundle_sha256)}) than what is under review "
            f"({', '.join(map(_short, bundles))}). {_REMEDY}"
        )
    for cell in predictions.cells:
        row = known.get(cell.name)
        if row and (row.predicted, row.on) != (cell.predicted, cell.slide):
            raise ConfigError(
                f"{predictions.name}: {cell.name} is {cell.predicted} on slide {cell.slide!r}, "
                f"under review it is {row.predicted} on slide {row.on!r}. {_REMEDY}"
            )
    _check_bundles(predictions, {name: row.bundle_sha256 for name, row in known.items()})
    new = [cell for cell in predictions.cells if cell.name not in known]
    if new and not is_adding:
        raise ConfigError(
            f"{predictions.name}: not under review: {len(new)} of its "
            f"{counted(len(predictions.cells), 'cell')}, such as {new[0].name}. Add with --add. "
            f"Or: {_REMEDY}"
        )
    codes = open_project(writer).taxonomy.codes
    strange = sorted({cell.predicted for cell in new} - {*codes})
    if strange:
        raise ConfigError(
            f"{predictions.name}: predicts {', '.join(strange)}, and the review has the classes "
            f"{', '.join(codes)}. {_REMEDY}"
        )
    return new


def _check_bundles(predictions: Predictions, known: dict[str, str | None]) -> None:
    """Refuse what another bundle says of cells that are under review: it would not be used."""
    again = [
        cell
        for cell in predictions.cells
        if cell.name in known and known[cell.name] != cell.bundle_sha256
    ]
    if again:
        raise ConfigError(
            f"{predictions.name}: {len(again)} of its cells, such as {again[0].name}, are under "
            f"review as another bundle ({_short(known[again[0].name])}) predicted them. Leave them "
            f"out. Or: {_REMEDY}"
        )


def _check_patients(writer: Connection, predictions: Predictions, gets_more: set[str]) -> None:
    """Refuse cells of one patient on a slide of another; a report would name the wrong one."""
    under_review = {row.name: row.patient for row in writer.execute(select(schema.slides))}
    stated = {cell.slide: cell.patient for cell in predictions.cells if cell.slide in under_review}
    differ = {slide: of for slide, of in stated.items() if of != under_review[slide]}
    for slide, patient in differ.items():
        known = under_review[slide]
        if slide in gets_more or None not in (patient, known):
            raise ConfigError(
                f"{predictions.name}: slide {slide!r} is of {_of(patient)}, under review it is of "
                f"{_of(known)}. Give the slide's patient, or rename the slides of these predictions"
            )
    n = sum(patient is not None for patient in differ.values())
    if n:
        told = f"{counted(n, 'slide was', 'slides were')} put under review without a patient: "
        told += "its report names none" if n == 1 else "their reports name none"
        tell(Path(predictions.name), told)


def _of(patient: str | None) -> str:
    return "no known patient, or of several" if patient is None else f"patient {patient!r}"


def _short(checksum: str | None) -> str:
    return checksum[:12] if checksum else "not stated"


def _reopen(writer: Connection, slides: Iterable[int], person: str, file: str) -> None:
    """Open finished readings again, except a consensus: it decides on what readers differ."""
    columns = schema.readings.c
    is_done = columns.slide.in_(slides) & columns.is_finished & (columns.role != CONSENSUS)
    found = writer.execute(select(columns.slide, columns.role).where(is_done)).all()
    if not found:
        return
    writer.execute(update(schema.readings).where(is_done).values(is_finished=False))
    log.append(
        writer, [log.Event(log.REOPENED, person, {"role": row.role}, row.slide) for row in found]
    )
    told = counted(len(found), "finished reading is", "finished readings are")
    whose = "its slide has" if len(found) == 1 else "their slides have"
    tell(Path(file), f"{told} open again, since {whose} more cells")


def _insert(writer: Connection, new: Sequence[PredictedCell]) -> set[int]:
    """Put cells under review; the numbers of the slides that have more cells than before."""
    known = {row.name: row for row in writer.execute(select(schema.slides))}
    closed = sorted({c.slide for c in new if c.slide in known and not known[c.slide].is_open})
    if closed:
        raise ConfigError(
            f"slide {closed[0]!r} is signed and would get more cells. Amend it first, or leave its "
            "cells out"
        )
    number = {row.name: row.id for row in known.values()}
    last = max(number.values(), default=0)
    added = sorted({cell.slide for cell in new} - {*number}, key=_natural)
    number |= {name: last + place for place, name in enumerate(added, 1)}
    if added:
        patients = {cell.slide: cell.patient for cell in new}
        table = [
            {"id": number[name], "name": name, "patient": patients[name], "version": 0,
             "is_open": True}
            for name in added
        ]  # fmt: skip
        writer.execute(insert(schema.slides), table)
    first = writer.execute(select(func.coalesce(func.max(schema.cells.c.id), 0))).scalar_one() + 1
    rows = [_row(number[cell.slide], n, cell) for n, cell in enumerate(new, first)]
    writer.execute(insert(schema.cells), rows)
    return {number[cell.slide] for cell in new if cell.slide in known}


def _row(slide: int, n: int, cell: PredictedCell) -> dict[str, object]:
    return {
        "id": n,
        "slide": slide,
        "name": cell.name,
        "path": cell.place.path,
        "box": cell.place.box,
        "predicted": cell.predicted,
        "probability": cell.probability,
        "is_doubtful": cell.is_doubtful,
        "details": json.dumps(cell.details, allow_nan=False),
        "image_sha256": cell.image_sha256,
        "bundle_sha256": cell.bundle_sha256,
    }


def digest_of_cells(cells: Iterable[Any]) -> str:
    """SHA-256 over what was predicted of each cell: binds the log to it.

    Args:
        cells: `PredictedCell`s, or rows with the same columns, in the order of their numbers.
    """
    rows = [
        [c.name, c.slide, c.predicted, c.probability, c.image_sha256, c.bundle_sha256]
        for c in cells
    ]
    return hashlib.sha256(log.canonical(rows).encode()).hexdigest()


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts slide 2 before slide 10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
