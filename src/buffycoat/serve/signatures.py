"""Sign a slide's differential, and amend it: each version is frozen as it was signed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from buffycoat import __version__
from buffycoat.serve import counts, log, schema
from buffycoat.serve.catalogue import SlideCells
from buffycoat.serve.entries import body_of
from buffycoat.serve.people import READER, SIGNER, Person
from buffycoat.serve.readings import read_by, reopen, take
from buffycoat.serve.refused import RefusedError, not_found
from buffycoat.serve.states import (
    CONSENSUS,
    FIRST,
    Label,
    SlideState,
    decided_cells,
    final_labels,
    labels_of,
    obstacle,
    state_of,
)
from buffycoat.serve.two_readers import n_differ
from buffycoat.serve.worklist import flags_of


@dataclass(frozen=True)
class Version:
    """A signed differential.

    Attributes:
        slide: Its number.
        version: From 1.
        at: When it was signed, UTC.
        signer: Who.
        hash: SHA-256 of its body, which the log has too.
        body: What was signed, as plain values.
    """

    slide: int
    version: int
    at: str
    signer: str
    hash: str
    body: dict[str, Any]


@dataclass(frozen=True)
class ToSign:
    """What a signer asks for.

    Attributes:
        client_id: Made by the page.
        wbc: White cells by the analyser, 10^9/L; None takes those that are kept with the slide.
        comment: Of the signer.
        state: What the signer saw, from `state_hash`; None does not say.
    """

    client_id: str
    wbc: float | None = None
    comment: str = ""
    state: str | None = None


def state_hash(
    state: SlideState, cells: SlideCells, given: Mapping[str, Mapping[int, Label]]
) -> str:
    """SHA-256 of what a signature would cover: another where a cell or the WBC is decided anew.

    Args:
        state: Of the slide.
        cells: Of the slide.
        given: From `labels_of`.
    """
    decided = [
        [role, n, label.label]
        for role, labels in sorted(given.items())
        for n, label in sorted(labels.items())
        if label.label is not None
    ]
    said = [state.version, state.wbc, [cell.n for cell in cells.cells], decided]
    return hashlib.sha256(log.canonical(said).encode()).hexdigest()


def sign(
    writer: Connection,
    person: Person,
    slide: int,
    cells: SlideCells,
    asked: ToSign,
    faulty: Mapping[str, int] | None = None,
) -> Version:
    """Freeze the differential of a slide; sent twice, it is signed once.

    Args:
        writer: From `Store.writing`.
        person: Who signs.
        slide: Its number.
        cells: Of the slide.
        asked: What to sign.
        faulty: Pictures that are gone or changed, from `Pictures.n_faulty`.

    Raises:
        RefusedError: No signer, something is missing, or the slide is not what the signer saw.
    """
    person.require(SIGNER)
    before = _repeated(writer, person, slide, asked.client_id, log.SIGNED)
    if before is not None:
        return version_of(writer, slide, before["version"])
    state = state_of(writer, slide)
    given = labels_of(writer, slide)
    final = final_labels(state, cells.predicted, given)
    why_not = obstacle(state, final)
    if why_not is not None:
        raise RefusedError(409, "not_ready", f"cannot be signed: {why_not}")
    if asked.state not in (None, state_hash(state, cells, given)):
        raise RefusedError(
            409,
            "changed",
            "nothing was signed: since you were shown the differential, somebody has decided on a "
            "cell, entered a WBC or added cells. Look at it again, then sign",
        )
    wbc = state.wbc if asked.wbc is None else asked.wbc
    if wbc != state.wbc:
        _keep_wbc(writer, person, slide, wbc)
    decided = decided_cells(given, state.counted_roles)
    counted = cells.counted(final.labels, decided)
    model = cells.counted(cells.predicted, ())
    number = state.version + 1
    body = {
        "slide": state.name,
        "patient": state.patient,
        "version": number,
        "signer": person.name,
        "comment": asked.comment,
        "reason": _reason(writer, slide) if state.version else None,
        "wbc": wbc,
        "rows": counts.to_rows(counted, model, cells.taxonomy, wbc),
        "n_cells": counted.n_cells,
        "n_decided": len(decided),
        "undecided_doubtful": counted.n_doubtful,
        "n_leukocytes": counted.n_leukocytes,
        "outside": counted.outside,
        **(faulty or {}),
        "notes": counts.notes(counted, wbc),
        "readers": {role: held.reader for role, held in state.readings.items()},
        "readings": read_by(writer, state),
        "identity": person.identity,
        "flags": flags_of(cells, counted),
        "n_differ": n_differ(state, cells.predicted, given),
        "labels": {cell.name: final.labels[cell.n] for cell in cells.cells},
        "not_counted": {cell.name: cell.not_counted for cell in cells.cells if cell.not_counted},
        "bundle_sha256": cells.bundles,
        "software": f"buffycoat {__version__}",
    }
    if state.version:
        _check_changed(version_of(writer, slide, state.version), body)
    return _freeze(writer, person, slide, asked.client_id, body)


def _check_changed(before: Version, body: dict[str, Any]) -> None:
    """Refuse a version that says what the one before says."""
    if all(before.body.get(key) == body[key] for key in ("labels", "wbc", "comment")):
        raise RefusedError(
            409,
            "unchanged",
            f"nothing was changed since version {before.version}: labels, WBC and comment are the "
            "same. Change what is wrong, or say in the comment why it stands",
        )


def set_wbc(
    writer: Connection, person: Person, slide: int, client_id: str, wbc: float | None
) -> None:
    """Keep the analyser's white cells with a slide; None removes them.

    Raises:
        RefusedError: Neither reader nor signer, or the slide is signed.
    """
    person.require(READER, SIGNER)
    if _repeated(writer, person, slide, client_id, log.WBC) is not None:
        return
    state = state_of(writer, slide)
    if not state.is_open:
        raise RefusedError(409, "signed", "the slide is signed; amend it first")
    if wbc != state.wbc:
        _keep_wbc(writer, person, slide, wbc, client_id)


def _keep_wbc(
    writer: Connection,
    person: Person,
    slide: int,
    wbc: float | None,
    client_id: str | None = None,
) -> None:
    event = log.Event.by(person, log.WBC, {"wbc": wbc}, slide, client_id=client_id)
    log.append(writer, [event])
    writer.execute(update(schema.slides).where(schema.slides.c.id == slide).values(wbc=wbc))


def _reason(reader: Connection, slide: int) -> str | None:
    """Why a slide was amended last."""
    wanted = (schema.log.c.slide == slide) & (schema.log.c.kind == log.AMENDED)
    query = select(schema.log).where(wanted).order_by(schema.log.c.seq.desc()).limit(1)
    row = reader.execute(query).mappings().first()
    return None if row is None else body_of(row)["data"].get("reason")


def _freeze(
    writer: Connection, person: Person, slide: int, client_id: str, body: dict[str, Any]
) -> Version:
    text = log.canonical(body)
    checksum = hashlib.sha256(text.encode()).hexdigest()
    number = body["version"]
    data = {"version": number, "hash": checksum}
    (entry,) = log.append(
        writer, [log.Event.by(person, log.SIGNED, data, slide, client_id=client_id)]
    )
    key = {"slide": slide, "version": number}
    values = {"seq": entry.seq, "at": entry.at, "signer": person.name, "hash": checksum}
    writer.execute(insert(schema.versions).values(**key, **values, body=text))
    writer.execute(
        update(schema.slides)
        .where(schema.slides.c.id == slide)
        .values(version=number, is_open=False)
    )
    return Version(slide, number, entry.at, person.name, checksum, json.loads(text))


def amend(writer: Connection, person: Person, slide: int, client_id: str, reason: str) -> None:
    """Open a signed slide again; its versions stay, and the next signature makes another.

    Who read it alone goes on with that reading; otherwise a consensus changes labels, which is
    opened for whoever decided it.

    Raises:
        RefusedError: No signer, no reason, or the slide is not signed.
    """
    person.require(SIGNER)
    if _repeated(writer, person, slide, client_id, log.AMENDED) is not None:
        return
    if not reason.strip():
        raise RefusedError(
            422, "reason", "an amendment needs a reason, for who reads both versions"
        )
    state = state_of(writer, slide)
    if state.is_open:
        raise RefusedError(
            409, "not_signed", "the slide is not signed, so it can be changed as it is"
        )
    data = {"version": state.version, "reason": reason}
    log.append(writer, [log.Event.by(person, log.AMENDED, data, slide, client_id=client_id)])
    writer.execute(update(schema.slides).where(schema.slides.c.id == slide).values(is_open=True))
    held = state.readings.get(FIRST)
    is_alone = not state.is_second_counted and CONSENSUS not in state.readings
    if held is not None and held.reader == person.name and is_alone:
        reopen(writer, person, slide, FIRST)
    elif held is not None and person.is_single and is_alone:
        take(writer, person, slide, FIRST)
    decided = state.readings.get(CONSENSUS)
    if decided is not None and decided.reader == person.name:
        reopen(writer, person, slide, CONSENSUS)


def _repeated(
    writer: Connection, person: Person, slide: int, client_id: str, kind: str
) -> dict[str, Any] | None:
    """What was stored under this client_id before.

    Raises:
        RefusedError: It stands for something else.
    """
    query = select(schema.log).where(schema.log.c.client_id == client_id)
    row = writer.execute(query).mappings().first()
    if row is None:
        return None
    if (row["kind"], row["slide"], row["person"]) != (kind, slide, person.name):
        raise RefusedError(
            409, "client_id_reused", "this client_id stands for something else; make a new one"
        )
    return body_of(row)["data"]


def versions(reader: Connection, slide: int) -> list[Version]:
    """The signed versions of a slide, the first first."""
    query = select(schema.versions).where(schema.versions.c.slide == slide)
    rows = reader.execute(query.order_by(schema.versions.c.version))
    return [
        Version(row.slide, row.version, row.at, row.signer, row.hash, json.loads(row.body))
        for row in rows
    ]


def version_of(reader: Connection, slide: int, number: int) -> Version:
    """One of them.

    Raises:
        RefusedError: There is no such version.
    """
    found = [one for one in versions(reader, slide) if one.version == number]
    if not found:
        raise not_found(f"version {number} of slide {slide}")
    return found[0]
