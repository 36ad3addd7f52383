"""Where a slide stands: its readings, who may see what, and the label that counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from buffycoat.plurals import counted
from buffycoat.serve import schema
from buffycoat.serve.people import Person
from buffycoat.serve.refused import RefusedError, not_found

FIRST, SECOND, CONSENSUS = "first", "second", "consensus"
READINGS = (FIRST, SECOND, CONSENSUS)

ARTEFACT, SMUDGE, UNSURE = "ARTEFACT", "SMUDGE", "UNSURE"
EXTRA = {
    ARTEFACT: "no white cell",
    SMUDGE: "broken cell",
    UNSURE: "cannot be told",
}
"""Labels beside the classes; such cells are in no differential. A taxonomy of one's own may have a
class of that code: then it is a class as any other."""


@dataclass(frozen=True)
class Label:
    """The latest decision on a cell in one reading.

    Attributes:
        label: Code; None if it was withdrawn.
        seq: Number of its entry in the log.
        reader: Who decided.
        at: When, UTC.
    """

    label: str | None
    seq: int
    reader: str
    at: str


@dataclass(frozen=True)
class Reading:
    """A role on a slide.

    Attributes:
        reader: Who holds it; None after it was given back.
        is_finished: Whether the reader is done; cells without a decision are then as predicted.
    """

    reader: str | None
    is_finished: bool


@dataclass(frozen=True)
class SlideState:
    """A slide and its readings.

    Attributes:
        id: Its number.
        name: Its name.
        patient: None where unknown.
        version: The last signed one, 0 for none.
        is_open: Whether labels may change.
        needs_second: Whether it needs a blind second reading.
        readings: Those that somebody has taken, by role.
        wbc: White cells by the analyser, 10^9/L; None where nobody has entered them.
    """

    id: int
    name: str
    patient: str | None
    version: int
    is_open: bool
    needs_second: bool
    readings: Mapping[str, Reading]
    wbc: float | None = None

    def is_finished(self, role: str) -> bool:
        """Whether that reading is done."""
        return role in self.readings and self.readings[role].is_finished

    @property
    def is_second_counted(self) -> bool:
        """Whether there are two readings to compare."""
        return self.needs_second or self.is_finished(SECOND)

    @property
    def counted_roles(self) -> tuple[str, ...]:
        """Readings whose decisions count; a second one may have been begun and given up."""
        return READINGS if self.is_second_counted else (FIRST, CONSENSUS)

    @property
    def is_read(self) -> bool:
        """Whether every reading that it needs is done."""
        return self.is_finished(FIRST) and (not self.needs_second or self.is_finished(SECOND))

    @property
    def is_being_decided(self) -> bool:
        """Whether somebody is about to decide on the consensus, and may still change labels."""
        held = self.readings.get(CONSENSUS)
        return held is not None and held.reader is not None and not held.is_finished

    @property
    def is_blind(self) -> bool:
        """Whether a reader must not see what another decided."""
        return self.needs_second and not self.is_read

    def role_of(self, person: Person) -> str | None:
        """The role that a person holds; of several, the one that is not done."""
        held = [
            role
            for role in READINGS
            if role in self.readings and self.readings[role].reader == person.name
        ]
        open_ = [role for role in held if not self.readings[role].is_finished]
        return next(iter([*open_, *held[::-1]]), None)

    def may_see(self, person: Person, role: str) -> bool:
        """Whether a person may see the labels of a reading."""
        if not self.is_blind:
            return True
        held = self.readings.get(role)
        return held is not None and held.reader == person.name

    def require_sight(self, person: Person, *roles: str) -> None:
        """Make sure that a person may see readings.

        Raises:
            RefusedError: The slide is blind, and these are another's.
        """
        for role in roles or READINGS:
            if not self.may_see(person, role):
                raise RefusedError(
                    403,
                    "blind",
                    f"the {role} reading is hidden until both readings are finished. Read the "
                    "slide yourself, or wait",
                )


def state_of(reader: Connection, slide: int) -> SlideState:
    """A slide as it stands.

    Raises:
        RefusedError: No such slide.
    """
    found = states(reader, [slide])
    if not found:
        raise not_found(f"slide {slide}")
    return found[0]


def states(reader: Connection, slides: Sequence[int] | None = None) -> list[SlideState]:
    """Some slides, or all, in their order."""
    needs_second = reader.execute(select(schema.project.c.has_second_reader)).scalar_one()
    query = select(schema.slides).order_by(schema.slides.c.id)
    of_readings = select(schema.readings)
    if slides is not None:
        query = query.where(schema.slides.c.id.in_(slides))
        of_readings = of_readings.where(schema.readings.c.slide.in_(slides))
    readings: dict[int, dict[str, Reading]] = {}
    for row in reader.execute(of_readings):
        readings.setdefault(row.slide, {})[row.role] = Reading(row.reader, row.is_finished)
    return [
        SlideState(
            row.id, row.name, row.patient, row.version, row.is_open, needs_second,
            readings.get(row.id, {}), row.wbc,
        )
        for row in reader.execute(query)
    ]  # fmt: skip


def labels_of(reader: Connection, slide: int) -> dict[str, dict[int, Label]]:
    """Role -> cell -> its latest decision, those withdrawn too."""
    found: dict[str, dict[int, Label]] = {role: {} for role in READINGS}
    for row in reader.execute(select(schema.labels).where(schema.labels.c.slide == slide)):
        found[row.role][row.cell] = Label(row.label, row.seq, row.reader, row.at)
    return found


def decided_cells(given: Mapping[str, Mapping[int, Label]], roles: Collection[str]) -> set[int]:
    """Cells with a decision that stands.

    Args:
        given: From `labels_of`.
        roles: Readings that count.
    """
    return {n for role in roles for n, label in given[role].items() if label.label is not None}


@dataclass(frozen=True)
class Final:
    """The labels that count.

    Attributes:
        labels: Of each cell; as predicted where nobody decided.
        disputed: Cells on which two readings differ and no consensus was found; their label is
            the first reader's.
    """

    labels: dict[int, str]
    disputed: tuple[int, ...]


def final_labels(
    state: SlideState, predicted: Mapping[int, str], given: Mapping[str, Mapping[int, Label]]
) -> Final:
    """The label of each cell: by consensus, else the readers', else the model's.

    Args:
        state: Of the slide.
        predicted: Cell -> class, of all cells of the slide.
        given: From `labels_of`.
    """
    labels: dict[int, str] = {}
    disputed = []
    for cell, code in predicted.items():
        said = {role: _said(given[role], cell) for role in READINGS}
        first, second = said[FIRST] or code, said[SECOND] or code
        labels[cell] = said[CONSENSUS] or first
        if said[CONSENSUS] is None and state.is_second_counted and first != second:
            disputed.append(cell)
    return Final(labels, tuple(disputed))


def _said(of: Mapping[int, Label], cell: int) -> str | None:
    found = of.get(cell)
    return None if found is None else found.label


def obstacle(state: SlideState, final: Final) -> str | None:
    """What is missing before a slide can be signed, in words; None if nothing is."""
    if not state.is_open:
        return f"version {state.version} is signed; amend it to change it"
    if not state.is_finished(FIRST):
        return "the first reading is not finished"
    if state.needs_second and not state.is_finished(SECOND):
        return "the second reading is not finished"
    if final.disputed:
        return f"{counted(len(final.disputed), 'disagreement')} without a consensus"
    if state.is_being_decided:
        return f"the consensus of {state.readings[CONSENSUS].reader} is not finished"
    return None


def status_of(state: SlideState, final: Final, n_decided: int) -> str:
    """One word for the worklist."""
    if not state.is_open:
        return "signed"
    if state.version:
        return "amending"
    if state.is_read:
        if final.disputed:
            return "disagreement"
        return "reading" if state.is_being_decided else "ready"
    if state.is_finished(FIRST) or state.is_finished(SECOND):
        return "second" if SECOND in state.readings else "read"
    is_begun = n_decided or any(reading.reader for reading in state.readings.values())
    return "reading" if is_begun else "new"
