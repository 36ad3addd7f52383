"""Tokens for programs: each works as a user until it ends or is made void."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from buffycoat.serve import log, schema
from buffycoat.serve.people import Person
from buffycoat.serve.refused import not_found
from buffycoat.serve.users import person_of, require

DAYS = 365
PREFIX = "bcr_"
ID_LENGTH = 12
"""Characters of a token's SHA-256 that name it: 48 bits, which open nothing."""
NOTED_EVERY_S = 60
"""A use is noted once in this time, so that a program's reading does not become writing."""


@dataclass(frozen=True)
class Token:
    """A token as its owner sees it; the token itself is stored nowhere.

    Attributes:
        id: Start of its SHA-256.
        purpose: What it is for.
        made_at: UTC, ISO 8601.
        last_used_at: Likewise, to `NOTED_EVERY_S`; None where it was not used.
        expires_at: Likewise.
    """

    id: str
    purpose: str
    made_at: str
    last_used_at: str | None
    expires_at: str


def add_token(writer: Connection, by: str, name: str, purpose: str, days: int = DAYS) -> str:
    """Make a token for a program that works as a user.

    Returns:
        The token.

    Raises:
        RefusedError: No such user.
    """
    require(writer, name)
    token = PREFIX + secrets.token_urlsafe(32)
    key = _key(token)
    row = {"key": key, "person": name, "name": purpose, "made_at": log.now()}
    expires_at = time.time() + days * 86400
    writer.execute(insert(schema.tokens).values(**row, expires_at=expires_at))
    data = {"name": name, "purpose": purpose, "id": key[:ID_LENGTH]}
    log.append(writer, [log.Event("token_added", by, data)])
    return token


def tokens_of(reader: Connection, name: str) -> list[Token]:
    """Tokens of an account, the newest first; those that have ended too.

    Raises:
        RefusedError: No such user.
    """
    require(reader, name)
    columns = schema.tokens.c
    query = select(schema.tokens).where(columns.person == name).order_by(columns.made_at.desc())
    return [_token(row) for row in reader.execute(query)]


def remove_token(writer: Connection, by: str, name: str, token_id: str) -> None:
    """Make one token void.

    Raises:
        RefusedError: No such user, or the account has no such token.
    """
    found = [one for one in tokens_of(writer, name) if one.id == token_id]
    if not found:
        raise not_found(f"token {token_id} of {name}")
    columns = schema.tokens.c
    is_it = (columns.person == name) & columns.key.startswith(token_id, autoescape=True)
    writer.execute(delete(schema.tokens).where(is_it))
    data = {"name": name, "purpose": found[0].purpose, "id": token_id}
    log.append(writer, [log.Event("token_removed", by, data)])


def remove_tokens(writer: Connection, by: str, name: str) -> int:
    """Make all tokens of an account void; how many there were.

    Raises:
        RefusedError: No such user.
    """
    require(writer, name)
    done = writer.execute(delete(schema.tokens).where(schema.tokens.c.person == name))
    log.append(writer, [log.Event("tokens_removed", by, {"name": name, "n": done.rowcount})])
    return done.rowcount


@dataclass(frozen=True)
class Holder:
    """Who a token stands for.

    Attributes:
        person: The user.
        is_use_due: Whether the use should be noted.
    """

    person: Person
    is_use_due: bool


def holder_of(reader: Connection, token: str) -> Holder | None:
    """Who a token stands for; None if it is void, has ended, or its account is locked."""
    columns, key = schema.tokens.c, _key(token)
    is_it = (columns.key == key) & (columns.expires_at > time.time())
    both = schema.users.join(schema.tokens)
    query = select(schema.users, columns.last_used_at).select_from(both).where(is_it)
    row = reader.execute(query).first()
    if row is None or row.is_disabled:
        return None
    return Holder(person_of(row), _is_due(row.last_used_at))


def note_use(writer: Connection, token: str) -> None:
    """Note that a token was used now."""
    of_token = update(schema.tokens).where(schema.tokens.c.key == _key(token))
    writer.execute(of_token.values(last_used_at=log.now()))


def _is_due(last: str | None) -> bool:
    if last is None:
        return True
    return (datetime.now(UTC) - datetime.fromisoformat(last)).total_seconds() >= NOTED_EVERY_S


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _token(row: Any) -> Token:
    ends = datetime.fromtimestamp(row.expires_at, UTC).isoformat(timespec="milliseconds")
    return Token(row.key[:ID_LENGTH], row.name, row.made_at, row.last_used_at, ends)
