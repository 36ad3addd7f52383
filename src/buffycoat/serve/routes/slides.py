"""Worklist, readings, the cells of a slide, and its differential."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from buffycoat.serve import counts, readings
from buffycoat.serve.catalogue import ReviewedCell
from buffycoat.serve.people import Person
from buffycoat.serve.pictures import CHANGED, MISSING
from buffycoat.serve.refused import RefusedError, not_found
from buffycoat.serve.review import Review
from buffycoat.serve.routes.forms import Id, ReadingForm, Role, Served, SignedIn, Wbc
from buffycoat.serve.signatures import state_hash
from buffycoat.serve.states import (
    CONSENSUS,
    FIRST,
    READINGS,
    SECOND,
    Label,
    SlideState,
    decided_cells,
    final_labels,
    labels_of,
    state_of,
)
from buffycoat.serve.steps import steps_of
from buffycoat.serve.two_readers import agreement, as_read, n_differ
from buffycoat.serve.worklist import flags_of

MOST_CELLS = 5000
router = APIRouter()
View = Literal["first", "second", "consensus", "final", "model"]
Flag = Literal["blasts", "left_shift", "doubtful", "unfamiliar_site"]
Status = Literal["new", "reading", "read", "second", "disagreement", "ready", "signed", "amending"]


@router.get("/slides")
def slides(
    review: Served, person: SignedIn, flag: Flag | None = None, status: Status | None = None
) -> JSONResponse:
    """The worklist."""
    with review.store.reading() as reader:
        rows = review.worklist.rows(reader, person)
    shown = [
        row
        for row in rows
        if (flag is None or any(one["code"] == flag for one in row["flags"]))
        and (status is None or row["status"] == status)
    ]
    return JSONResponse({"slides": shown})


@router.get("/slides/{slide}")
def slide_row(slide: Id, review: Served, person: SignedIn) -> dict[str, Any]:
    """One row of the worklist."""
    return _row(review, person, slide)


@router.post("/slides/{slide}/readings")
def take(slide: Id, form: ReadingForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Take a reading."""
    with review.store.writing() as writer:
        readings.take(writer, person, slide, form.role)
    return _row(review, person, slide)


@router.post("/slides/{slide}/readings/{role}/finish")
def finish(slide: Id, role: Role, review: Served, person: SignedIn) -> dict[str, Any]:
    """Finish a reading: cells without a decision are as predicted."""
    with review.store.writing() as writer:
        readings.finish(writer, person, slide, role)
    return _row(review, person, slide)


@router.post("/slides/{slide}/readings/{role}/reopen")
def reopen(slide: Id, role: Role, review: Served, person: SignedIn) -> dict[str, Any]:
    """Open a finished reading again."""
    with review.store.writing() as writer:
        readings.reopen(writer, person, slide, role)
    return _row(review, person, slide)


@router.post("/slides/{slide}/readings/{role}/release")
def release(slide: Id, role: Role, review: Served, person: SignedIn) -> dict[str, Any]:
    """Give a reading back for another reader; its decisions stay."""
    with review.store.writing() as writer:
        readings.release(writer, person, slide, role)
    return _row(review, person, slide)


@router.get("/slides/{slide}/readings/{role}/steps")
def steps(slide: Id, role: Role, review: Served, person: SignedIn) -> dict[str, Any]:
    """One's own decisions in a reading since it was last finished, for undo and redo."""
    with review.store.reading() as reader:
        state_of(reader, slide)
        return {"steps": [vars(one) for one in steps_of(reader, person, slide, role)]}


def _row(review: Review, person: Person, slide: int) -> dict[str, Any]:
    with review.store.reading() as reader:
        rows = review.worklist.rows(reader, person, [slide])
    if not rows:
        raise not_found(f"slide {slide}")
    return rows[0]


@router.get("/slides/{slide}/cells")
def slide_cells(
    slide: Id,
    review: Served,
    person: SignedIn,
    role: Role | None = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int | None, Query(ge=1, le=MOST_CELLS)] = None,
) -> JSONResponse:
    """The cells of a slide, most doubtful first, with the decisions of one reading.

    All of them unless a limit is named: who reads a slide must see every cell that is signed.
    """
    with review.store.reading() as reader:
        state = state_of(reader, slide)
        cells = review.catalogue.slide(reader, slide)
        if role is not None:
            state.require_sight(person, role)
        given = labels_of(reader, slide)
    part = slice(offset, None if limit is None else offset + limit)
    said = {} if role is None else given[role]
    rows = [
        row | _now(review, cell, said.get(cell.n))
        for cell, row in zip(cells.cells[part], cells.rows[part], strict=True)
    ]
    found: dict[str, Any] = {
        "slide": slide, "role": role, "n_cells": len(cells.cells), "cells": rows,
    }  # fmt: skip
    if role == CONSENSUS:
        found["other"] = _other(state, cells.predicted, given)
    return JSONResponse(found)


def _now(review: Review, cell: ReviewedCell, said: Label | None) -> dict[str, Any]:
    """What may change of a cell: its decision, and its picture."""
    fault = review.pictures.fault(cell)
    return {
        "label": None if said is None else said.label,
        "seq": None if said is None else said.seq,
        "has_context": review.surroundings.has_context(cell),
        "is_missing": fault == MISSING,
        "is_changed": fault == CHANGED,
    }


def _other(
    state: SlideState, predicted: dict[int, str], given: dict[str, dict[int, Label]]
) -> dict[str, dict[str, str | None]]:
    """Cell -> what the readers say, for the consensus."""
    first, second = (as_read(predicted, given[role]) for role in (FIRST, SECOND))
    is_two = state.is_second_counted
    return {str(n): {"first": first[n], "second": second[n] if is_two else None} for n in predicted}


@router.get("/slides/{slide}/disagreements")
def disagreements(slide: Id, review: Served, person: SignedIn) -> dict[str, Any]:
    """Where two readings differ."""
    with review.store.reading() as reader:
        state = state_of(reader, slide)
        cells = review.catalogue.slide(reader, slide)
        given = labels_of(reader, slide)
    if not state.is_finished(FIRST) or not state.is_finished(SECOND):
        raise RefusedError(409, "not_yet", "both readings must be finished first")
    state.require_sight(person)
    first, second = (as_read(cells.predicted, given[role]) for role in (FIRST, SECOND))
    found = agreement([(first[n], second[n]) for n in first])
    said = given[CONSENSUS]
    rows = [
        {
            "n": cell.n,
            "first": first[cell.n],
            "second": second[cell.n],
            "consensus": said[cell.n].label if cell.n in said else None,
        }
        for cell in cells.cells
        if first[cell.n] != second[cell.n]
    ]
    return {"cells": rows, "n": found.n, "n_agree": found.n_agree, "kappa": found.kappa}


@router.get("/slides/{slide}/differential")
def differential(
    slide: Id,
    review: Served,
    person: SignedIn,
    role: View | None = None,
    wbc: Annotated[Wbc | None, Query()] = None,
) -> JSONResponse:
    """The differential by the labels of a reading, by those that count, or by the model's.

    Flags and notes are those that a signature of these labels freezes. `state` of the labels that
    count, sent with a signature, says what its signer saw.
    """
    with review.store.reading() as reader:
        state = state_of(reader, slide)
        cells = review.catalogue.slide(reader, slide)
        given = labels_of(reader, slide)
    wbc = state.wbc if wbc is None else wbc
    view = role or _view_for(state, person)
    differ = None
    if view == "final":
        state.require_sight(person)
        labels = final_labels(state, cells.predicted, given).labels
        decided = decided_cells(given, state.counted_roles)
        differ = n_differ(state, cells.predicted, given)
    elif view == "model":
        labels, decided = cells.predicted, set[int]()
    else:
        state.require_sight(person, view)
        labels = as_read(cells.predicted, given[view])
        seen = state.counted_roles if view == CONSENSUS else (view,)
        decided = decided_cells(given, seen)
    counted = cells.counted(labels, decided)
    model = cells.counted(cells.predicted, (), review.confusion)
    rows = counts.to_rows(counted, model, cells.taxonomy, wbc)
    return JSONResponse(
        {
            "role": view,
            "status": counted.status,
            "state": state_hash(state, cells, given) if view == "final" else None,
            "version": state.version or None,
            "wbc": wbc,
            "rows": rows,
            "n_cells": counted.n_cells,
            "n_leukocytes": counted.n_leukocytes,
            "per_100": [_per_100(row) for row in rows if not row["is_leukocyte"]],
            "outside": counted.outside,
            "left_out": [{"text": text, "n": n} for text, n in counted.left_out.items()],
            "n_changed": sum(labels[n] != code for n, code in cells.predicted.items()),
            "n_decided": len(decided),
            "undecided_doubtful": counted.n_doubtful,
            "n_differ": differ,
            **review.pictures.n_faulty(cells.cells),
            "bundle_sha256": cells.bundles,
            "flags": flags_of(cells, counted),
            "notes": counts.notes(counted, wbc),
        }
    )


def _per_100(row: dict[str, Any]) -> dict[str, Any]:
    """Figures of what is no leukocyte; it has no share of them."""
    kept = {key: row[key] for key in ("code", "name", "count", "low", "high")}
    return kept | {"value": row["percent"]}


def _view_for(state: SlideState, person: Person) -> str:
    if all(state.may_see(person, role) for role in READINGS):
        return "final"
    return state.role_of(person) or "model"
