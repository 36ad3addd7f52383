"""The append-only record: each entry carries the SHA-256 of itself and of all before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from buffycoat.exchange.remarks import Identity
from buffycoat.serve import schema
from buffycoat.serve.people import Person

IN_BODY = ("data", "identity")
"""Of an event, what its row has in the body alone."""
GENESIS = "0" * 64
"""What stands for the hash before the first entry."""

DECIDED = "decided"
SIGNED = "signed"
AMENDED = "amended"
WBC = "wbc"
TAKEN, RELEASED, FINISHED, REOPENED = "taken", "released", "finished", "reopened"
IMPORTED = "imported"
"""Kinds of entries that something is derived from; there are others, for people to read."""


@dataclass(frozen=True)
class Event:
    """What happened.

    Attributes:
        kind: Such as `DECIDED`.
        person: Who did it.
        data: More, as JSON; no password, no token.
        slide: Number of the slide that it concerns.
        cell: Number of the cell.
        client_id: Made by the sender, so that sending twice stores once.
        identity: How the person's name is known: by an account, stated, or the computer's user;
            None for what commands do, by the computer's user.
    """

    kind: str
    person: str
    data: dict[str, Any] = field(default_factory=dict)
    slide: int | None = None
    cell: int | None = None
    client_id: str | None = None
    identity: Identity | None = None

    @classmethod
    def by(
        cls,
        person: Person,
        kind: str,
        data: dict[str, Any],
        slide: int | None = None,
        cell: int | None = None,
        client_id: str | None = None,
    ) -> Event:
        """What somebody did who is signed in, or who said their name."""
        return cls(kind, person.name, data, slide, cell, client_id, person.identity)


@dataclass(frozen=True)
class Entry:
    """An event on record.

    Attributes:
        seq: Its number, from 1, without gaps.
        at: UTC, ISO 8601.
        hash: SHA-256 of the hash before it and of its body.
    """

    seq: int
    at: str
    hash: str


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def canonical(value: Any) -> str:
    """JSON in the one form that is hashed: keys sorted, no spaces, text as it is."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(before: str, body: str) -> str:
    """The hash of an entry.

    Args:
        before: Hash of the entry before it, or `GENESIS`.
        body: Canonical JSON of the entry.
    """
    return hashlib.sha256((before + body).encode()).hexdigest()


def head(reader: Connection) -> tuple[int, str]:
    """Number and hash of the last entry; 0 and `GENESIS` where there is none."""
    newest = select(schema.log.c.seq, schema.log.c.hash).order_by(schema.log.c.seq.desc()).limit(1)
    last = reader.execute(newest).first()
    return (last.seq, last.hash) if last else (0, GENESIS)


def append(writer: Connection, events: Sequence[Event]) -> list[Entry]:
    """Put events on record, in order.

    Args:
        writer: From `Store.writing`: no other writer can come between.
        events: Any number of them.
    """
    seq, before = head(writer)
    at, rows, entries = now(), [], []
    for event in events:
        seq += 1
        shown = {key: value for key, value in vars(event).items() if value is not None}
        body = canonical(shown | {"seq": seq, "at": at})
        before = digest(before, body)
        columns = {key: value for key, value in vars(event).items() if key not in IN_BODY}
        rows.append(columns | {"seq": seq, "at": at, "body": body, "hash": before})
        entries.append(Entry(seq, at, before))
    if rows:
        writer.execute(insert(schema.log), rows)
    return entries
