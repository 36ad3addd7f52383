"""Decisions on cells: stored once each, in order, and never over what the reader has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select, tuple_

from buffycoat.serve import log, schema
from buffycoat.serve.entries import body_of
from buffycoat.serve.people import Person
from buffycoat.serve.readings import held_by
from buffycoat.serve.refused import RefusedError
from buffycoat.serve.states import EXTRA, READINGS, Label, SlideState, states
from buffycoat.taxonomy import Taxonomy

MOST = 500
"""Decisions that one request may hold."""


@dataclass(frozen=True)
class Decision:
    """What a reader says of a cell.

    Attributes:
        client_id: Made by the page, so that sending twice stores once.
        cell: Its number.
        role: Of the reading.
        label: Code; None withdraws what was said before.
        expects: Number of the entry that the reader saw for this cell and role; None for none.
        step: What decisions have in common that were made at once; None for a step of its own.
        act: "decide", or "undo" or "redo" of an earlier step.
    """

    client_id: str
    cell: int
    role: str
    label: str | None
    expects: int | None
    step: str | None = None
    act: str = "decide"


@dataclass
class Outcome:
    """What became of some decisions.

    Attributes:
        accepted: Stored now or before: (decision, number of its entry).
        conflicts: Not stored, since there is another than the reader saw: (decision, that one).
        refused: Not stored, and will not be as it is: (decision, why).
    """

    accepted: list[tuple[Decision, int]] = field(default_factory=list)
    conflicts: list[tuple[Decision, Label | None]] = field(default_factory=list)
    refused: list[tuple[Decision, RefusedError]] = field(default_factory=list)


def decide(
    writer: Connection, person: Person, decisions: Sequence[Decision], taxonomy: Taxonomy
) -> Outcome:
    """Store decisions; one that cannot be stored does not stop the others.

    Args:
        writer: From `Store.writing`.
        person: Who decides.
        decisions: In the order that they were made.
        taxonomy: Of the classes that may be given.
    """
    batch = _Batch.of(writer, person, decisions, {*taxonomy.codes, *EXTRA})
    outcome = Outcome()
    for decision in decisions:
        try:
            seq = batch.repeated(decision)
            if seq is not None:
                outcome.accepted.append((decision, seq))
                continue
            batch.check(decision)
        except RefusedError as reason:
            outcome.refused.append((decision, reason))
            continue
        current = batch.current.get((decision.cell, decision.role))
        if (None if current is None else current.seq) != decision.expects:
            outcome.conflicts.append((decision, current))
        else:
            outcome.accepted.append((decision, batch.add(decision)))
    batch.store(writer)
    return outcome


@dataclass
class _Batch:
    """What some decisions are checked against, and what is to be stored."""

    person: Person
    codes: set[str]
    cells: dict[int, Row[Any]]
    states: dict[int, SlideState]
    known: dict[str, tuple[int, dict[str, Any]]]
    current: dict[tuple[int, str], Label]
    last: int
    events: list[log.Event] = field(default_factory=list)

    @classmethod
    def of(
        cls, writer: Connection, person: Person, decisions: Sequence[Decision], codes: set[str]
    ) -> _Batch:
        numbers = {decision.cell for decision in decisions}
        cells = {
            row.id: row
            for row in writer.execute(select(schema.cells).where(schema.cells.c.id.in_(numbers)))
        }
        slides = sorted({row.slide for row in cells.values()})
        ids = [decision.client_id for decision in decisions]
        query = select(schema.log).where(schema.log.c.client_id.in_(ids))
        entries = writer.execute(query).mappings()
        keys = [(decision.cell, decision.role) for decision in decisions]
        of = tuple_(schema.labels.c.cell, schema.labels.c.role).in_(keys)
        return cls(
            person,
            codes,
            cells,
            {state.id: state for state in states(writer, slides)},
            {row["client_id"]: (row["seq"], body_of(row)) for row in entries},
            {
                (row.cell, row.role): Label(row.label, row.seq, row.reader, row.at)
                for row in writer.execute(select(schema.labels).where(of))
            },
            log.head(writer)[0],
        )

    def repeated(self, decision: Decision) -> int | None:
        """Number of the entry if this very decision was stored before."""
        if decision.client_id not in self.known:
            return None
        seq, body = self.known[decision.client_id]
        said = (body.get("cell"), body["data"].get("role"), body["data"].get("label"))
        asked = (decision.cell, decision.role, decision.label)
        if body["person"] != self.person.name or said != asked:
            raise RefusedError(
                409,
                "client_id_reused",
                "this client_id stands for another decision; make a new one",
            )
        return seq

    def check(self, decision: Decision) -> None:
        """Refuse what can never be stored."""
        if decision.cell not in self.cells:
            raise RefusedError(404, "unknown_cell", f"cell {decision.cell} is not in this review")
        if decision.role not in READINGS:
            raise RefusedError(
                422, "role", f"role {decision.role!r}, expected one of {', '.join(READINGS)}"
            )
        if decision.label is not None and decision.label not in self.codes:
            raise RefusedError(
                422,
                "unknown_label",
                f"label {decision.label!r}, expected one of {', '.join(sorted(self.codes))}",
            )
        state = self.states[self.cells[decision.cell].slide]
        if not state.is_open:
            raise RefusedError(409, "signed", f"slide {state.id} is signed; amend it first")
        if held_by(state, self.person, decision.role).is_finished:
            raise RefusedError(
                409, "reading_finished", f"the {decision.role} reading is finished; open it again"
            )

    def add(self, decision: Decision) -> int:
        """Note a decision, and give it its number."""
        cell = self.cells[decision.cell]
        before = self.current.get((decision.cell, decision.role))
        data = {
            "role": decision.role,
            "label": decision.label,
            "name": cell.name,
            "predicted": cell.predicted,
            "bundle_sha256": cell.bundle_sha256,
            "replaces": None if before is None else before.seq,
        }
        if decision.step is not None:
            data |= {"step": decision.step, "act": decision.act}
        event = log.Event.by(
            self.person, log.DECIDED, data, cell.slide, cell.id, decision.client_id
        )
        self.events.append(event)
        seq = self.last + len(self.events)
        self.current[decision.cell, decision.role] = Label(
            decision.label, seq, self.person.name, ""
        )
        self.known[decision.client_id] = (seq, {"person": self.person.name, "cell": cell.id,
                                                "data": data})  # fmt: skip
        return seq

    def store(self, writer: Connection) -> None:
        """Write the events, and the labels that follow from them."""
        entries = log.append(writer, self.events)
        latest = {}
        for event, entry in zip(self.events, entries, strict=True):
            latest[event.cell, event.data["role"]] = {
                "cell": event.cell,
                "role": event.data["role"],
                "slide": event.slide,
                "label": event.data["label"],
                "seq": entry.seq,
                "reader": event.person,
                "at": entry.at,
            }
        if latest:
            writer.execute(_upsert(writer), list(latest.values()))


def _upsert(writer: Connection):
    """Insert labels, or put the new decision in the place of the old."""
    if writer.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert
    statement = insert(schema.labels)
    changed = {name: statement.excluded[name] for name in ("label", "seq", "reader", "at")}
    return statement.on_conflict_do_update(index_elements=["cell", "role"], set_=changed)
