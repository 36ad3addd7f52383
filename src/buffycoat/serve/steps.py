"""What a reader did last in a reading, so that undo works after a reload and in another window."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from buffycoat.serve import log, schema
from buffycoat.serve.entries import whole_body
from buffycoat.serve.people import Person

MOST = 500
"""Steps that are told, the last ones; the page keeps as many."""


@dataclass
class Step:
    """Decisions that were made at once.

    Attributes:
        step: Name that the page gave it.
        act: "decide", or "undo" or "redo" of an earlier step.
        cells: Cell, its label before and after; None is as predicted.
    """

    step: str
    act: str
    cells: list[tuple[int, str | None, str | None]] = field(default_factory=list)


def steps_of(reader: Connection, person: Person, slide: int, role: str) -> list[Step]:
    """What a person did in a reading since it was last finished, in order.

    Where an entry is damaged, only what came after it: what stood before a step is not known then.

    Args:
        reader: From `Store.reading`.
        person: Whose; others' decisions are not told.
        slide: Its number.
        role: Of the reading.
    """
    columns = schema.log.c
    wanted = (columns.slide == slide) & columns.kind.in_((log.DECIDED, log.FINISHED))
    query = select(schema.log).where(wanted).order_by(columns.seq)
    labels: dict[int, str | None] = {}
    found: dict[str, Step] = {}
    for body in map(whole_body, reader.execute(query).mappings()):
        if body is None:
            found.clear()
            continue
        data = body["data"]
        if data["role"] != role:
            continue
        if body["kind"] == log.FINISHED:
            found.clear()
            continue
        before = labels.get(body["cell"])
        labels[body["cell"]] = data["label"]
        if body["person"] == person.name:
            name = data.get("step", f"entry {body['seq']}")
            step = found.setdefault(name, Step(name, data.get("act", "decide")))
            step.cells.append((body["cell"], before, data["label"]))
    return list(found.values())[-MOST:]
