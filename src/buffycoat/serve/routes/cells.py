"""One cell: its reasons and history, its picture, field and outline; and decisions."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import RowMapping, select

from buffycoat.evaluate.label_next import choose_next
from buffycoat.serve import log, schema
from buffycoat.serve.decisions import Decision, decide
from buffycoat.serve.entries import whole_body
from buffycoat.serve.people import Person
from buffycoat.serve.routes.forms import DecisionsForm, Id, Number, Served, SignedIn
from buffycoat.serve.states import READINGS, Label, SlideState, decided_cells, labels_of, state_of

ALIKE = 8
CACHE = {"Cache-Control": "private, no-cache"}
"""A browser may keep a picture, and asks each time whether it is still the one: the next review has
the same addresses, and a file may be swapped."""
router = APIRouter()


@router.get("/cells/{n}")
def cell(n: Id, review: Served, person: SignedIn) -> dict[str, Any]:
    """All that is known of a cell."""
    with review.store.reading() as reader:
        found = review.catalogue.cell(reader, n)
        cells = review.catalogue.slide(reader, found.slide)
        state = state_of(reader, found.slide)
        wanted = (schema.log.c.cell == n) & (schema.log.c.kind == log.DECIDED)
        query = select(schema.log).where(wanted).order_by(schema.log.c.seq)
        entries = list(reader.execute(query).mappings())
    return found.to_row() | {
        "slide": found.slide,
        "probs": found.details.get("probs", {}),
        "evidence": found.details.get("evidence", []),
        "um_per_px": found.ref.um_per_px,
        "has_context": review.surroundings.has_context(found),
        "is_missing": review.pictures.fault(found) == "missing",
        "is_changed": review.pictures.fault(found) == "changed",
        "history": [told for row in entries if (told := _told(row, state, person))],
        "alike": cells.alike(n, ALIKE),
    }


def _told(row: RowMapping, state: SlideState, person: Person) -> dict[str, Any] | None:
    """A decision of the log, with role and label where it is not damaged; None if hidden."""
    body = whole_body(row)
    data = {"role": "", "label": None} if body is None else body["data"]
    if not state.may_see(person, data["role"]):
        return None
    return {
        "seq": row["seq"],
        "at": row["at"],
        "reader": row["person"],
        "role": data["role"] or None,
        "label": data["label"],
        "is_damaged": body is None,
    }


@router.get("/cells/{n}/image", response_class=Response)
def image(
    n: Id, request: Request, review: Served, person: SignedIn, white: bool = False
) -> Response:
    """The picture; a placeholder and the header X-Buffycoat-Missing where it is gone."""
    with review.store.reading() as reader:
        found = review.catalogue.cell(reader, n)
    picture = review.pictures.image(found, is_white=white)
    if picture.fault == "missing":
        headers = {"X-Buffycoat-Missing": "1"}
        return Response(picture.data, media_type=picture.media_type, headers=headers)
    headers = {"X-Buffycoat-Changed": "1"} if picture.fault else {}
    return _kept(request, picture.data, picture.media_type, picture.etag, headers)


def _kept(
    request: Request, data: bytes, media_type: str, etag: str, headers: dict[str, str]
) -> Response:
    """A picture that the browser keeps, or that it still has the right one."""
    headers = CACHE | {"ETag": f'"{etag}"'} | headers
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


@router.get("/cells/{n}/context", response_class=Response)
def context(n: Id, request: Request, review: Served, person: SignedIn) -> Response:
    """The field of view around a cell, with its box."""
    with review.store.reading() as reader:
        found = review.catalogue.cell(reader, n)
    data = review.surroundings.context(found)
    return _kept(request, data, "image/jpeg", hashlib.sha256(data).hexdigest()[:32], {})


@router.get("/cells/{n}/outline")
def outline(n: Id, review: Served, person: SignedIn) -> dict[str, Any]:
    """The outline of a cell in pixels of its picture."""
    with review.store.reading() as reader:
        found = review.catalogue.cell(reader, n)
    return review.surroundings.outline(found)


@router.post("/decisions")
def decisions(form: DecisionsForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Store decisions; each is accepted, in conflict with a newer one, or refused."""
    asked = [Decision(**one.model_dump()) for one in form.decisions]
    with review.store.writing() as writer:
        outcome = decide(writer, person, asked, review.project.taxonomy)
    return {
        "accepted": [
            {"client_id": one.client_id, "cell": one.cell, "seq": seq}
            for one, seq in outcome.accepted
        ],
        "conflicts": [
            {"client_id": one.client_id, "cell": one.cell, "current": _current(current)}
            for one, current in outcome.conflicts
        ],
        "refused": [
            {"client_id": one.client_id, "cell": one.cell, "code": why.code,
             "message": why.message}
            for one, why in outcome.refused
        ],
    }  # fmt: skip


def _current(label: Label | None) -> dict[str, Any] | None:
    return None if label is None else vars(label)


@router.get("/suggestions")
def suggestions(
    review: Served,
    person: SignedIn,
    slide: Annotated[Number, Query()],
    count: Annotated[int, Query(ge=1, le=200)] = 20,
) -> dict[str, Any]:
    """Cells of a slide to label next; none that shows no white cell."""
    with review.store.reading() as reader:
        state = state_of(reader, slide)
        cells = review.catalogue.slide(reader, slide)
        given = labels_of(reader, slide)
    seen = [role for role in READINGS if state.may_see(person, role)]
    known = decided_cells(given, seen)
    is_known = np.array([cell.n in known for cell in cells.cells], dtype=bool)
    rows = choose_next(cells.scores**2, is_known, count, cells.without_cell)
    return {"cells": [{"n": cells.cells[row].n, "slide": slide} for row in rows]}
