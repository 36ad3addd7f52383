"""Sign, amend, and the versions that were signed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from buffycoat.serve import signatures
from buffycoat.serve.routes.forms import AmendForm, Id, Served, SignedIn, SignForm, WbcForm
from buffycoat.serve.signatures import ToSign, Version
from buffycoat.serve.states import state_of

router = APIRouter()


@router.post("/slides/{slide}/sign")
def sign(slide: Id, form: SignForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Freeze the differential as the next version.

    With the `state` of GET .../differential it is refused where the slide has changed since.
    """
    with review.store.reading() as reader:  # other writers need not wait for the pictures
        state_of(reader, slide)
        cells = review.catalogue.slide(reader, slide).cells
        faulty = review.pictures.n_faulty(cells, is_afresh=True)
    with review.store.writing() as writer:
        cells = review.catalogue.slide(writer, slide)
        version = signatures.sign(writer, person, slide, cells, ToSign(**form.model_dump()), faulty)
    return _shown(version)


@router.post("/slides/{slide}/wbc")
def set_wbc(slide: Id, form: WbcForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Keep the analyser's white cells with a slide, for every reader and version."""
    with review.store.writing() as writer:
        signatures.set_wbc(writer, person, slide, form.client_id, form.wbc)
        (row,) = review.worklist.rows(writer, person, [slide])
    return row


@router.post("/slides/{slide}/amend")
def amend(slide: Id, form: AmendForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Open a signed slide again."""
    with review.store.writing() as writer:
        signatures.amend(writer, person, slide, form.client_id, form.reason)
        (row,) = review.worklist.rows(writer, person, [slide])
    return row


@router.get("/slides/{slide}/versions")
def versions(slide: Id, review: Served, person: SignedIn) -> dict[str, Any]:
    """All signed versions, the first first."""
    with review.store.reading() as reader:
        state_of(reader, slide)
        found = signatures.versions(reader, slide)
    return {"versions": [_shown(version) for version in found]}


def _shown(version: Version) -> dict[str, Any]:
    body = {key: value for key, value in version.body.items() if key != "labels"}
    return body | {
        "version": version.version,
        "hash": version.hash,
        "at": version.at,
        "signer": version.signer,
    }
