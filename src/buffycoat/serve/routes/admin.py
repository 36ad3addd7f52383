"""The log, users and tokens: for admins."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select

from buffycoat.serve import schema, users
from buffycoat.serve.log import DECIDED, FINISHED
from buffycoat.serve.log_check import check
from buffycoat.serve.people import ADMIN, Person
from buffycoat.serve.refused import RefusedError
from buffycoat.serve.routes.forms import (
    DisabledForm,
    Line,
    PasswordForm,
    Served,
    SignedIn,
    TokenForm,
    UserForm,
)
from buffycoat.serve.states import SlideState, states
from buffycoat.serve.users import User

router = APIRouter()


@router.get("/log")
def log_entries(
    review: Served,
    person: SignedIn,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Entries of the log, in order."""
    person.require(ADMIN)
    query = select(schema.log.c.body, schema.log.c.hash).where(schema.log.c.seq > after)
    with review.store.reading() as reader:
        rows = reader.execute(query.order_by(schema.log.c.seq).limit(limit)).all()
        blind = {state.id: state for state in states(reader) if state.is_blind}
    entries = [json.loads(row.body) | {"hash": row.hash} for row in rows]
    return {"entries": [_as_seen(entry, blind, person) for entry in entries]}


def _as_seen(entry: dict[str, Any], blind: dict[int, SlideState], person: Person) -> dict[str, Any]:
    """An entry without the label where the slide is blind: an admin may be its other reader."""
    state = blind.get(entry.get("slide", 0))
    if state is None or entry["kind"] not in (DECIDED, FINISHED):
        return entry
    if state.may_see(person, entry["data"]["role"]):
        return entry
    return entry | {"data": {"role": entry["data"]["role"], "is_hidden": True}}


@router.get("/log/check")
def log_check(review: Served, person: SignedIn) -> dict[str, Any]:
    """Whether the record is whole."""
    person.require(ADMIN)
    with review.store.reading() as reader:
        found = check(reader)
    return {
        "is_whole": found.is_whole, "n": found.n, "head": found.head, "faults": list(found.faults),
    }  # fmt: skip


@router.get("/users")
def list_users(review: Served, person: SignedIn) -> dict[str, Any]:
    """All accounts."""
    person.require(ADMIN)
    with review.store.reading() as reader:
        return {"users": [_shown(user) for user in users.users(reader)]}


@router.post("/users")
def add_user(form: UserForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Make an account; the first must be an admin's, since it ends the single user's time."""
    person.require(ADMIN)
    with review.store.writing() as writer:
        user = users.add_user(writer, person.name, form.name, form.password, form.roles)
    return _shown(user)


@router.post("/users/{name}/disable")
def disable(name: Line, form: DisabledForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Lock an account out, or let it in again."""
    person.require(ADMIN)
    if name == person.name:
        raise RefusedError(409, "own_account", "another admin must lock your account")
    with review.store.writing() as writer:
        users.set_disabled(writer, person.name, name, is_disabled=form.disabled)
    return {"name": name, "is_disabled": form.disabled}


@router.post("/users/{name}/password")
def password(name: Line, form: PasswordForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Change one's own password, or as an admin another's; sessions end."""
    _own_or_admin(person, name)
    with review.store.writing() as writer:
        users.set_password(writer, person.name, name, form.password)
    return {"name": name}


@router.delete("/users/{name}/tokens")
def no_tokens(name: Line, review: Served, person: SignedIn) -> dict[str, Any]:
    """Make all tokens of an account void."""
    _own_or_admin(person, name)
    with review.store.writing() as writer:
        n = users.remove_tokens(writer, person.name, name)
    return {"name": name, "n_removed": n}


@router.post("/users/{name}/tokens")
def token(name: Line, form: TokenForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Make a token for a program; it is shown once."""
    _own_or_admin(person, name)
    with review.store.writing() as writer:
        made = users.add_token(writer, person.name, name, form.purpose, form.days)
    return {"name": name, "token": made}


def _own_or_admin(person: Person, name: str) -> None:
    if name != person.name or person.is_single:
        person.require(ADMIN)


def _shown(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "roles": list(user.roles),
        "is_disabled": user.is_disabled,
        "made_at": user.made_at,
    }
