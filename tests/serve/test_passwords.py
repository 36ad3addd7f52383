"""Passwords: what a new one ends, who may change it, and what a guess costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from buffycoat.serve import schema
from buffycoat.serve.attempts import FAILURES, Attempts

Serve = Callable[..., Any]
PASSWORD, OTHER = "four plain words here", "four other words here"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: none of this differs with the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


def test_a_reset_password_ends_sessions_and_tokens(serve: Serve) -> None:
    served = serve()
    served.add("anna", "admin")
    served.add("bela", "reader")
    anna, bela = served.client("anna"), served.client("bela")
    token, _ = (
        bela.post("/users/bela/tokens", purpose=purpose)["token"] for purpose in ("export", "old")
    )
    with served.store.writing() as writer:
        has_ended = update(schema.tokens).where(schema.tokens.c.name == "old")
        writer.execute(has_ended.values(expires_at=time.time() - 1))
    sent = {"Authorization": f"Bearer {token}"}
    assert served.client().http.get("/api/v1/slides", headers=sent).status_code == 200
    done = anna.post("/users/bela/password", password=OTHER)
    assert done == {"name": "bela", "n_tokens": 0, "n_tokens_voided": 1}
    assert bela.get("/slides", 401)
    assert served.client().http.get("/api/v1/slides", headers=sent).status_code == 401
    entry = anna.get("/log")["entries"][-1]
    assert entry["data"] == {"name": "bela", "n_tokens_voided": 1}
    assert anna.get("/log/check")["is_whole"]


def test_ones_own_new_password_ends_the_other_sessions(serve: Serve) -> None:
    served = serve()
    served.add("bela", "reader")
    here, elsewhere = served.client("bela"), served.client("bela")
    token = here.post("/users/bela/tokens", purpose="export")["token"]
    done = here.post("/users/bela/password", password=OTHER, current=PASSWORD)
    assert done == {"name": "bela", "n_tokens": 1, "n_tokens_voided": 0}
    assert elsewhere.get("/slides", 401)
    assert here.take(1)["my_role"] == "first", "the session goes on, and so does the page's token"
    sent = {"Authorization": f"Bearer {token}"}
    assert served.client().http.get("/api/v1/slides", headers=sent).status_code == 200


def test_ones_own_password_is_changed_with_the_current_one(serve: Serve) -> None:
    served = serve()
    served.add("bela", "reader", "admin")
    served.review.attempts = Attempts(lambda: 0.0)
    bela, elsewhere = served.client("bela"), served.client("bela")
    path = "/users/bela/password"
    assert bela.post(path, 422, password=OTHER)["error"]["code"] == "current"
    for _ in range(FAILURES):
        assert bela.post(path, 403, password=OTHER, current=OTHER)["error"]["code"] == "current"
    limited = bela.post(path, 429, password=OTHER, current=PASSWORD)
    assert limited["error"]["code"] == "too_many_attempts"
    assert elsewhere.get("/slides"), "nothing was changed"
    served.review.attempts = Attempts()
    bela.post(path, password=OTHER, current=PASSWORD)
    assert served.client().post("/login", name="bela", password=OTHER)["user"]["name"] == "bela"
    assert served.client().post("/login", 401, name="bela", password=PASSWORD)


@pytest.mark.parametrize("name", ["anna", "bela"])
def test_a_token_changes_no_password(serve: Serve, name: str) -> None:
    served = serve()
    served.add("anna", "admin")
    served.add("bela", "reader")
    anna = served.client("anna")
    token = anna.post("/users/anna/tokens", purpose="export")["token"]
    answer = served.client().http.post(
        f"/api/v1/users/{name}/password",
        json={"password": OTHER, "current": PASSWORD},
        headers={"Authorization": f"Bearer {token}"},
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "token")
    assert "cannot change a password" in error["message"]
    assert served.client(name).get("/session")["user"]["name"] == name


def test_without_accounts_there_is_no_password(single: Any) -> None:
    name = single.get("/session")["user"]["name"]
    assert single.post(f"/users/{name}/password", 404, password=OTHER, current=OTHER)
