"""Take a reading of a slide, finish it, open it again, give it back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from buffycoat.serve import log, schema
from buffycoat.serve.entries import body_of
from buffycoat.serve.people import ADMIN, READER, SIGNER, Person
from buffycoat.serve.refused import RefusedError
from buffycoat.serve.states import CONSENSUS, FIRST, READINGS, SECOND, SlideState, state_of


def take(writer: Connection, person: Person, slide: int, role: str) -> None:
    """Take a role on a slide; taking it again changes nothing.

    Without accounts, who says another name takes a reading over, unless it is to be blind. A signer
    takes a consensus over that another has finished, to correct it.

    Raises:
        RefusedError: Somebody else has it, the person has read the slide in another role, or it is
            too early for a consensus.
    """
    state = state_of(writer, slide)
    _check(writer, person, state, role)
    held = state.readings.get(role)
    before = None if held is None else held.reader
    if before == person.name:
        return
    mends = role == CONSENSUS and state.is_finished(role) and SIGNER in person.roles
    if before is not None and not mends and (not person.is_single or state.needs_second):
        raise RefusedError(
            409, "taken", f"the {role} reading of this slide is {before}'s. Choose another"
        )
    key = {"slide": slide, "role": role}
    writer.execute(_of(delete(schema.readings), slide, role))
    writer.execute(insert(schema.readings).values(**key, reader=person.name, is_finished=False))
    data = {"role": role} | ({} if before is None else {"reader": before})
    log.append(writer, [log.Event.by(person, log.TAKEN, data, slide)])


def _check(writer: Connection, person: Person, state: SlideState, role: str) -> None:
    """Refuse a role that a person may not take on this slide."""
    if role not in READINGS:
        raise RefusedError(422, "role", f"role {role!r}, expected one of {', '.join(READINGS)}")
    person.require(*((READER, SIGNER) if role == CONSENSUS else (READER,)))
    if not state.is_open:
        raise RefusedError(409, "signed", "the slide is signed; amend it first")
    if role == SECOND and not state.needs_second:
        raise RefusedError(
            409, "no_second", "this review has no second reader; start it with --second-reader"
        )
    if role == CONSENSUS and not state.is_read:
        raise RefusedError(409, "not_yet", "a consensus comes after the readings are finished")
    others = _roles_held(writer, person, state.id) - {role}
    may_decide = person.is_single or SIGNER in person.roles
    barred = others & {FIRST, SECOND} if role != CONSENSUS else others if not may_decide else set()
    if barred:
        raise RefusedError(
            409,
            "other_role",
            f"{person.name} has the {min(barred)} reading of this slide, and the {role} must be "
            "another's (a signer may decide on the consensus)",
        )


def _roles_held(reader: Connection, person: Person, slide: int) -> set[str]:
    """Roles that a person ever took on a slide, also those given back since."""
    wanted = (
        (schema.log.c.slide == slide)
        & (schema.log.c.kind == log.TAKEN)
        & (schema.log.c.person == person.name)
    )
    bodies = reader.execute(select(schema.log.c.body).where(wanted)).scalars()
    return {role for body in bodies for role in READINGS if f'"role":"{role}"' in body}


def finish(writer: Connection, person: Person, slide: int, role: str) -> None:
    """Finish a reading: cells without a decision are as predicted.

    Raises:
        RefusedError: It is not the person's.
    """
    state = state_of(writer, slide)
    if held_by(state, person, role).is_finished:
        return
    _set(writer, slide, role, is_finished=True)
    of_reading = (schema.labels.c.slide == slide) & (schema.labels.c.role == role)
    decided = select(func.count()).where(of_reading, schema.labels.c.label.is_not(None))
    cells = select(func.count()).where(schema.cells.c.slide == slide)
    data = {
        "role": role,
        "n_decided": writer.execute(decided).scalar_one(),
        "n_cells": writer.execute(cells).scalar_one(),
    }
    log.append(writer, [log.Event.by(person, log.FINISHED, data, slide)])


def reopen(writer: Connection, person: Person, slide: int, role: str) -> None:
    """Open a finished reading again.

    Raises:
        RefusedError: It is not the person's, the slide is signed, or both readings are finished and
            their readers may have seen each other's.
    """
    state = state_of(writer, slide)
    if not held_by(state, person, role).is_finished:
        return
    if not state.is_open:
        raise RefusedError(409, "signed", "the slide is signed; amend it first")
    if state.needs_second and state.is_read and role != CONSENSUS:
        raise RefusedError(
            409, "not_blind", "both readings are finished and seen; decide by consensus"
        )
    _set(writer, slide, role, is_finished=False)
    log.append(writer, [log.Event.by(person, log.REOPENED, {"role": role}, slide)])


def release(writer: Connection, person: Person, slide: int, role: str) -> None:
    """Give a reading back, so that another can go on with it; its decisions stay.

    Raises:
        RefusedError: It is not the person's, who is no admin either; or it is finished.
    """
    state = state_of(writer, slide)
    held = state.readings.get(role)
    if held is None or held.reader is None:
        return
    if ADMIN not in person.roles:
        held_by(state, person, role)
    if held.is_finished:
        raise RefusedError(409, "reading_finished", "the reading is finished; open it again first")
    writer.execute(_of(update(schema.readings), slide, role).values(reader=None))
    data = {"role": role, "reader": held.reader}
    log.append(writer, [log.Event.by(person, log.RELEASED, data, slide)])


def read_by(reader: Connection, state: SlideState) -> list[dict[str, Any]]:
    """Who holds each reading of a slide, in plain values, as a signature freezes it.

    Returns:
        For each role that somebody holds: `role`, `reader`, `finished_at` (UTC, None while it is
        not finished) and `identity` (None where it was not recorded).

    Raises:
        RefusedError: An entry that says so is damaged.
    """
    columns = schema.log.c
    wanted = (columns.slide == state.id) & columns.kind.in_((log.TAKEN, log.FINISHED))
    rows = reader.execute(select(schema.log).where(wanted).order_by(columns.seq)).mappings()
    last = {}
    for body in map(body_of, rows):
        last[body["data"]["role"], body["kind"], body["person"]] = body
    found = []
    for role, held in ((role, state.readings.get(role)) for role in READINGS):
        if held is None or held.reader is None:
            continue
        done = last.get((role, log.FINISHED, held.reader)) if held.is_finished else None
        known = done or last.get((role, log.TAKEN, held.reader), {})
        found.append(
            {
                "role": role,
                "reader": held.reader,
                "finished_at": done and done["at"],
                "identity": known.get("identity"),
            }
        )
    return found


def held_by(state: SlideState, person: Person, role: str):
    """The reading, which must be the person's.

    Raises:
        RefusedError: It is not.
    """
    held = state.readings.get(role)
    if held is None or held.reader != person.name:
        raise RefusedError(
            409, "not_your_reading", f"the {role} reading of this slide is not yours; take it first"
        )
    return held


def _set(writer: Connection, slide: int, role: str, *, is_finished: bool) -> None:
    writer.execute(_of(update(schema.readings), slide, role).values(is_finished=is_finished))


def _of(statement, slide: int, role: str):
    """A statement on one reading."""
    return statement.where(schema.readings.c.slide == slide, schema.readings.c.role == role)
