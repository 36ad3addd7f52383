"""The log and accounts for admins; own passwords and tokens for everybody."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from buffycoat.serve import log_pages, tokens, users
from buffycoat.serve.log_check import check
from buffycoat.serve.log_pages import LogPage
from buffycoat.serve.people import ADMIN, Person
from buffycoat.serve.refused import RefusedError
from buffycoat.serve.review import token_of
from buffycoat.serve.routes.forms import (
    DisabledForm,
    Line,
    LogQuery,
    PasswordForm,
    Served,
    SignedIn,
    TokenForm,
    TokenId,
    UserForm,
)
from buffycoat.serve.users import User

router = APIRouter()


@router.get("/log")
def log_entries(
    review: Served, person: SignedIn, wanted: Annotated[LogQuery, Query()]
) -> JSONResponse:
    """Entries of the log as they were hashed, and what each decision replaced.

    A damaged entry has `damage`, in sentences.
    """
    person.require(ADMIN)
    with review.store.reading() as reader:
        entries = log_pages.read_page(reader, LogPage(**wanted.model_dump()), person)
        before = log_pages.labels_before(reader, entries)
    return JSONResponse({"entries": entries, "before": before})


@router.get("/log/filters")
def log_filters(review: Served, person: SignedIn) -> dict[str, Any]:
    """What the log can be searched by."""
    person.require(ADMIN)
    with review.store.reading() as reader:
        return log_pages.filters(reader)


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
    """All accounts for an admin; for others their own."""
    with review.store.reading() as reader:
        found = users.users(reader)
    seen = [user for user in found if ADMIN in person.roles or user.name == person.name]
    return {"users": [_shown(user) for user in seen]}


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
def password(
    name: Line, form: PasswordForm, request: Request, review: Served, person: SignedIn
) -> dict[str, Any]:
    """Change one's own password, which ends other sessions; or as an admin another's.

    One's own needs the `current` one. An admin changes another's where it was lost or is known to
    others: tokens are void too. A program's token changes none.
    """
    _own_or_admin(person, name)
    if token_of(request) is not None:
        raise RefusedError(
            403,
            "token",
            "a program's token cannot change a password. Log in on the page, or use "
            "`buffycoat review users password`",
        )
    if name != person.name:
        with review.store.writing() as writer:
            n = users.reset_password(writer, person.name, name, form.password)
        return {"name": name, "n_tokens": 0, "n_tokens_voided": n}
    with review.store.reading() as reader:
        users.require(reader, name)
    if form.current is None:
        raise RefusedError(422, "current", "your own password needs the current one: `current`")
    if review.check_password(request, name, form.current) is None:
        raise RefusedError(403, "current", "the current password is wrong; nothing was changed")
    with review.store.writing() as writer:
        session = review.session_key(request)
        n = users.change_password(writer, name, form.password, session)
    return {"name": name, "n_tokens": n, "n_tokens_voided": 0}


@router.get("/users/{name}/tokens")
def list_tokens(name: Line, review: Served, person: SignedIn) -> dict[str, Any]:
    """Tokens of an account: what for, made and used when; the newest first."""
    _own_or_admin(person, name)
    with review.store.reading() as reader:
        return {"tokens": [vars(one) for one in tokens.tokens_of(reader, name)]}


@router.post("/users/{name}/tokens")
def token(name: Line, form: TokenForm, review: Served, person: SignedIn) -> dict[str, Any]:
    """Make a token for a program; it is shown once."""
    _own_or_admin(person, name)
    with review.store.writing() as writer:
        made = tokens.add_token(writer, person.name, name, form.purpose, form.days)
    return {"name": name, "token": made}


@router.delete("/users/{name}/tokens/{token}")
def no_token(name: Line, token: TokenId, review: Served, person: SignedIn) -> dict[str, Any]:
    """Make one token void."""
    _own_or_admin(person, name)
    with review.store.writing() as writer:
        tokens.remove_token(writer, person.name, name, token)
    return {"name": name, "id": token}


@router.delete("/users/{name}/tokens")
def no_tokens(name: Line, review: Served, person: SignedIn) -> dict[str, Any]:
    """Make all tokens of an account void."""
    _own_or_admin(person, name)
    with review.store.writing() as writer:
        n = tokens.remove_tokens(writer, person.name, name)
    return {"name": name, "n_removed": n}


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
