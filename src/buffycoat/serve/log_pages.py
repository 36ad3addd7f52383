"""The log for people: page by page, searched, without what a blind reader must not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from buffycoat.serve import log, schema
from buffycoat.serve.entries import REPEATED, read_entry, whole_body
from buffycoat.serve.people import Person
from buffycoat.serve.states import SlideState, states

Entry = dict[str, Any]


@dataclass(frozen=True)
class LogPage:
    """Which entries are wanted.

    Attributes:
        after: Number of the last entry that was seen; 0 for none.
        limit: Entries of a page.
        order: "oldest" or "newest" first.
        slide: Number of a slide; None for all entries.
        person: Name; None for everybody's.
        kind: Such as `log.DECIDED`; None for all.
    """

    after: int = 0
    limit: int = 100
    order: str = "oldest"
    slide: int | None = None
    person: str | None = None
    kind: str | None = None


def read_page(reader: Connection, wanted: LogPage, person: Person) -> list[Entry]:
    """Entries as they were hashed, each with its hash; what is blind has no label.

    A damaged entry has its faults as `damage`; where these are of what was hashed, that is `body`
    as it stands, and the columns beside it say the rest.

    Args:
        reader: From `Store.reading`.
        wanted: Which.
        person: Who looks.
    """
    columns, before = schema.log.c, schema.log.alias()
    query = select(schema.log, before.c.hash.label("before")).limit(wanted.limit)
    query = query.outerjoin(before, before.c.seq == columns.seq - 1)
    for name in ("slide", "person", "kind"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(columns[name] == value)
    if wanted.order == "newest":
        query = query.order_by(columns.seq.desc())
        query = query.where(columns.seq < wanted.after) if wanted.after else query
    else:
        query = query.order_by(columns.seq).where(columns.seq > wanted.after)
    blind = {state.id: state for state in states(reader) if state.is_blind}
    return [_as_seen(_entry(row), blind, person) for row in reader.execute(query).mappings()]


def _entry(row: RowMapping) -> Entry:
    """An entry with its hash and, where it is damaged, with what is."""
    body, damage = read_entry(row)
    if body is None or damage:
        body = {name: row[name] for name in REPEATED} | {"data": {}, "body": row["body"]}
    before = log.GENESIS if row["seq"] == 1 else row["before"]
    if before is None:
        damage.append("the entry before it is missing")
    elif log.digest(before, row["body"]) != row["hash"]:
        damage.append("its hash does not follow from it and the entry before")
    return body | {"hash": row["hash"]} | ({"damage": damage} if damage else {})


def _as_seen(entry: Entry, blind: dict[int, SlideState], person: Person) -> Entry:
    """An entry without the label where the slide is blind: an admin may be its other reader."""
    state = blind.get(entry.get("slide", 0))
    if state is None or entry["kind"] not in (log.DECIDED, log.FINISHED):
        return entry
    role = entry["data"].get("role")
    if state.may_see(person, role):
        return entry
    return {key: value for key, value in entry.items() if key != "body"} | {
        "data": {"role": role, "is_hidden": True}
    }


def labels_before(reader: Connection, entries: list[Entry]) -> dict[int, str | None]:
    """Number of a decision's entry -> the label that it replaced; None for none.

    Args:
        reader: From `Store.reading`.
        entries: From `read_page`.
    """
    replaced = {entry["seq"]: entry["data"].get("replaces") for entry in entries
                if entry["kind"] == log.DECIDED and "is_hidden" not in entry["data"]}  # fmt: skip
    query = select(schema.log).where(schema.log.c.seq.in_({*replaced.values()} - {None}))
    bodies = map(whole_body, reader.execute(query).mappings())
    labels = {body["seq"]: body["data"].get("label") for body in bodies if body is not None}
    return {seq: labels.get(before) for seq, before in replaced.items()}


def filters(reader: Connection) -> dict[str, Any]:
    """People and kinds of the log, and the slides."""
    of_slides = select(schema.slides.c.id, schema.slides.c.name).order_by(schema.slides.c.id)
    return {
        "people": _distinct(reader, schema.log.c.person),
        "kinds": _distinct(reader, schema.log.c.kind),
        "slides": [{"n": row.id, "id": row.name} for row in reader.execute(of_slides)],
    }


def _distinct(reader: Connection, column: Any) -> list[str]:
    return sorted(reader.execute(select(column).distinct()).scalars())
