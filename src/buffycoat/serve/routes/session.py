"""Who is signed in, and what the page has to know first; all that needs no login."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select

from buffycoat.evaluate.reported import MOST_WBC
from buffycoat.exchange.remarks import FEWEST
from buffycoat.serve import schema, users
from buffycoat.serve.keys import keys_of
from buffycoat.serve.people import Person
from buffycoat.serve.review import Review
from buffycoat.serve.routes.forms import LoginForm, Served, SignedIn
from buffycoat.serve.states import EXTRA
from buffycoat.taxonomy import clinical_order

NOTICE = "Not a medical device. For research; every figure needs a specialist's own judgement."

router = APIRouter()
"""Open to all who may reach the server."""
closed = APIRouter()
"""For who is signed in."""


@router.get("/session")
def session(request: Request, review: Served) -> dict[str, Any]:
    """Who is signed in; what is reviewed is told to them alone."""
    person, _ = review.find_person(request)
    cookie = review.cookie(request)
    return describe(review, person, cookie)


def describe(review: Review, person: Person | None, cookie: str | None) -> dict[str, Any]:
    """What the page needs before anything else."""
    is_single = person is not None and person.is_single
    known = {
        "user": None if person is None else _user(person),
        "is_single_user": is_single,
        "login": person is None,
        "notice": NOTICE,
    }
    if person is None:
        return known | {"csrf": None}
    return known | {
        "csrf": review.csrf(None if is_single else cookie),
        "second_reader": _project(review)["second_reader"],
        "project": _project(review),
        "taxonomy": taxonomy(review),
        "most_wbc": MOST_WBC,
        "fewest_leukocytes": FEWEST,
        "is_reader_given": review.settings.reader is not None,
    }


def _user(person: Person) -> dict[str, Any]:
    return {"name": person.name, "roles": sorted(person.roles), "identity": person.identity}


def _project(review: Review) -> dict[str, Any]:
    project = review.project
    with review.store.reading() as reader:
        n_cells = reader.execute(select(func.count()).select_from(schema.cells)).scalar_one()
        n_slides = reader.execute(select(func.count()).select_from(schema.slides)).scalar_one()
        second = reader.execute(select(schema.project.c.has_second_reader)).scalar_one()
        bundles = reader.execute(select(schema.cells.c.bundle_sha256).distinct()).scalars().all()
    checksums = sorted(bundle for bundle in bundles if bundle)
    return {
        "name": project.name,
        "bundle_checksum": checksums[0] if len(checksums) == 1 else None,
        "bundle_checksums": checksums,
        "n_cells": n_cells,
        "n_slides": n_slides,
        "created": project.made_at,
        "second_reader": second,
        "has_fields": review.settings.fields is not None,
    }


def taxonomy(review: Review) -> dict[str, Any]:
    """Classes in clinical order, and extra labels, each with its key."""
    found = review.project.taxonomy
    group_of = {code: group.code for group in found.groups for code in group.members}
    ordered = [found.classes[column] for column in clinical_order(found)]
    keys = keys_of([cell.code for cell in ordered])
    classes = [
        {
            "code": cell.code,
            "name": cell.name,
            "group": group_of.get(cell.code),
            "lineage": cell.lineage,
            "is_leukocyte": cell.is_leukocyte,
            "key": keys[cell.code],
        }
        for cell in ordered
    ]
    extra = [
        {"code": code, "name": name, "key": keys[code]}
        for code, name in EXTRA.items()
        if code not in found.codes
    ]
    return {"name": found.name, "classes": classes, "extra": extra}


@router.post("/login")
def login(request: Request, response: Response, review: Served, form: LoginForm) -> dict[str, Any]:
    """Sign in with name and password."""
    user = review.check_password(request, form.name, form.password)
    if user is None:
        raise users.login_refused()
    with review.store.writing() as writer:
        cookie = users.begin_session(writer, user, review.secret)
    response.set_cookie(
        review.cookie_name,
        cookie,
        max_age=users.SESSION_S,
        httponly=True,
        samesite="strict",
        secure=review.settings.is_public or review.settings.certificate is not None,
        path="/",
    )
    return describe(review, user.person, cookie)


@closed.post("/logout")
def logout(
    request: Request, response: Response, review: Served, person: SignedIn
) -> dict[str, Any]:
    """End the session."""
    cookie = review.cookie(request)
    if cookie is not None:
        with review.store.writing() as writer:
            users.end_session(writer, cookie, review.secret)
        response.delete_cookie(review.cookie_name, path="/")
    return {"user": None}
