"""Tokens of programs: what each is for, when it was used, and an end to one without the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from buffycoat.serve import schema, tokens
from buffycoat.serve.database import Store

Serve = Callable[..., Any]


@pytest.fixture
def clients(serve: Serve) -> dict[str, Any]:
    """An admin, two readers, and a program."""
    served = serve()
    served.add("anna", "admin")
    for name in ("bela", "carl"):
        served.add(name, "reader")
    return {name: served.client(name) for name in ("anna", "bela", "carl", None)}


def remove(client: Any, path: str) -> int:
    return client.http.delete(f"/api/v1{path}", headers={"X-CSRF-Token": client.csrf}).status_code


def ask(client: Any, token: str) -> int:
    return client.raw("/slides", headers={"Authorization": f"Bearer {token}"}).status_code


def test_one_token_is_voided_and_the_others_work(clients: dict[str, Any]) -> None:
    bela, program = clients["bela"], clients[None]
    made = {
        purpose: bela.post("/users/bela/tokens", purpose=purpose, days=30)["token"]
        for purpose in ("export", "backup")
    }
    assert ask(program, made["export"]) == 200
    listed = {one["purpose"]: one for one in bela.get("/users/bela/tokens")["tokens"]}
    assert listed["export"]["last_used_at"] >= listed["export"]["made_at"]
    assert listed["backup"]["last_used_at"] is None
    assert listed["backup"]["expires_at"] > listed["backup"]["made_at"]
    assert not any(token in str(listed) for token in made.values())
    assert remove(bela, f"/users/bela/tokens/{listed['export']['id']}") == 200
    assert (ask(program, made["export"]), ask(program, made["backup"])) == (401, 200)
    assert remove(bela, f"/users/bela/tokens/{listed['export']['id']}") == 404
    kinds = [entry["kind"] for entry in clients["anna"].get("/log")["entries"]]
    assert kinds.count("token_removed") == 1


def test_tokens_are_their_owners_and_the_admins(clients: dict[str, Any]) -> None:
    anna, bela, carl = (clients[name] for name in ("anna", "bela", "carl"))
    bela.post("/users/bela/tokens", purpose="export")
    (one,) = bela.get("/users/bela/tokens")["tokens"]
    assert carl.get("/users/bela/tokens", 403)["error"]["code"] == "role"
    assert remove(carl, f"/users/bela/tokens/{one['id']}") == 403
    assert remove(carl, f"/users/carl/tokens/{one['id']}") == 404, "only under its own account"
    assert anna.get("/users/bela/tokens")["tokens"] == [one]
    assert remove(anna, f"/users/bela/tokens/{one['id']}") == 200
    assert bela.get("/users/bela/tokens")["tokens"] == []
    assert anna.get("/users/nobody/tokens", 404)["error"]["code"] == "not_found"


def test_everybody_sees_their_own_account_and_an_admin_all(clients: dict[str, Any]) -> None:
    names = {
        name: [user["name"] for user in clients[name].get("/users")["users"]]
        for name in ("anna", "bela")
    }
    assert names == {"anna": ["anna", "bela", "carl"], "bela": ["bela"]}


def test_a_use_is_noted_once_in_a_while(
    clients: dict[str, Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "NOTED_EVERY_S", 3600)
    bela, program = clients["bela"], clients[None]
    token = bela.post("/users/bela/tokens", purpose="export")["token"]

    def used() -> str:
        assert ask(program, token) == 200
        with store.reading() as reader:
            return reader.execute(select(schema.tokens.c.last_used_at)).scalar_one()

    first = used()
    assert used() == first
    long_ago = "2026-01-01T00:00:00.000+00:00"
    with store.writing() as writer:
        writer.execute(update(schema.tokens).values(last_used_at=long_ago))
    assert used() > first
