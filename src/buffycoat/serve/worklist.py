"""The list of slides: where each stands, why it should be read first, who reads it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from buffycoat.serve import counts, schema
from buffycoat.serve.catalogue import Catalogue, SlideCells
from buffycoat.serve.people import SIGNER, Person
from buffycoat.serve.states import (
    READINGS,
    Final,
    SlideState,
    decided_cells,
    final_labels,
    labels_of,
    obstacle,
    states,
    status_of,
)

Decided = Mapping[str, int]


@dataclass(frozen=True)
class _Model:
    """What the model says of a slide; kept, since all cells of a long list are not.

    Attributes:
        newest: Number of the cell that was added last to the review.
        n_cells: Of the slide.
        n_doubtful: Those that a person should look at; None where unknown.
        flags: By the model's labels; shown while a second reading is blind.
    """

    newest: int
    n_cells: int
    n_doubtful: int | None
    flags: list[dict[str, str]]


@dataclass(frozen=True)
class _Summary:
    """What follows from the labels of a slide.

    Attributes:
        key: Of the labels that it was made from: state, and the last entry and cell that concern
            them.
        final: The labels that count.
        n_changed: Cells whose label is not the model's.
        flags: By the labels that count.
    """

    key: tuple[Any, ...]
    final: Final
    n_changed: int
    flags: list[dict[str, str]]


class Worklist:
    """Lists slides; what follows from a slide's labels is kept until they change.

    Args:
        catalogue: Of the cells.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._summaries: dict[int, _Summary] = {}
        self._models: dict[int, _Model] = {}
        self._lock = threading.Lock()

    def rows(
        self, reader: Connection, person: Person, slides: Iterable[int] | None = None
    ) -> list[dict[str, Any]]:
        """The slides as a person may see them.

        Args:
            reader: From `Store.reading`.
            person: Who asks.
            slides: Numbers; None for all.
        """
        newest = self.catalogue.newest(reader)
        wanted = None if slides is None else list(slides)
        decided, last = _decided(reader, wanted)
        rows = []
        for state in states(reader, wanted):
            summary = self._summary(reader, state, (last.get(state.id, 0), newest))
            model = self._of_model(reader, state, newest)
            rows.append(_row(person, state, decided.get(state.id, {}), summary, model))
        return rows

    def _summary(self, reader: Connection, state: SlideState, last: tuple[int, int]) -> _Summary:
        key = (*last, state.is_second_counted)
        with self._lock:
            known = self._summaries.get(state.id)
        if known is not None and known.key == key:
            return known
        cells = self.catalogue.slide(reader, state.id)
        given = labels_of(reader, state.id)
        final = final_labels(state, cells.predicted, given)
        n_changed = sum(final.labels[n] != code for n, code in cells.predicted.items())
        decided = decided_cells(given, state.counted_roles)
        flags = flags_of(cells, cells.counted(final.labels, decided))
        found = _Summary(key, final, n_changed, flags)
        with self._lock:
            self._summaries[state.id] = found
        return found

    def _of_model(self, reader: Connection, state: SlideState, newest: int) -> _Model:
        with self._lock:
            known = self._models.get(state.id)
        if known is not None and known.newest == newest:
            return known
        cells = self.catalogue.slide(reader, state.id)
        doubtful = cells.doubtful
        found = _Model(
            newest,
            len(cells.cells),
            None if doubtful is None else len(doubtful),
            flags_of(cells, cells.counted(cells.predicted, ())),
        )
        with self._lock:
            self._models[state.id] = found
        return found


def _row(
    person: Person, state: SlideState, decided: Decided, summary: _Summary, model: _Model
) -> dict[str, Any]:
    sees_all = all(state.may_see(person, role) for role in READINGS)
    why_not = obstacle(state, summary.final)
    return {
        "n": state.id,
        "id": state.name,
        "patient": state.patient,
        "n_cells": model.n_cells,
        "n_doubtful": model.n_doubtful,
        "n_changed": summary.n_changed if sees_all else None,
        "status": status_of(state, summary.final, sum(decided.values()) if sees_all else 0),
        "flags": model.flags if state.is_blind else summary.flags,
        "my_role": state.role_of(person),
        "can_sign": why_not is None and SIGNER in person.roles,
        "why_not": why_not,
        "version": state.version or None,
        "wbc": state.wbc,
        "readings": [
            {
                "role": role,
                "reader": state.readings[role].reader,
                "finished": state.readings[role].is_finished,
                "n_decided": decided.get(role, 0) if state.may_see(person, role) else None,
            }
            for role in READINGS
            if role in state.readings
        ],
    }


def flags_of(cells: SlideCells, counted: counts.Counted) -> list[dict[str, str]]:
    """Why a slide should be looked at, by what was counted on it.

    Args:
        cells: Of the slide.
        counted: By the labels that are asked for.
    """
    shifts = [cell.details.get("site_shift") for cell in cells.cells]
    reasons = Counter(
        reason["code"] for cell in cells.cells for reason in cell.details.get("reasons", ())
    )
    return counts.flags(
        counted,
        max((shift for shift in shifts if shift is not None), default=None),
        reasons["unfamiliar_site"],
    )


def _decided(
    reader: Connection, slides: list[int] | None
) -> tuple[dict[int, dict[str, int]], dict[int, int]]:
    """Slide -> role -> decisions that stand, and slide -> number of the last decision's entry."""
    labels = schema.labels.c
    query = select(
        labels.slide, labels.role, func.count(labels.label).label("n"), func.max(labels.seq)
    ).group_by(labels.slide, labels.role)
    if slides is not None:
        query = query.where(labels.slide.in_(slides))
    decided: dict[int, dict[str, int]] = {}
    last: dict[int, int] = {}
    for slide, role, n, seq in reader.execute(query):
        decided.setdefault(slide, {})[role] = n
        last[slide] = max(last.get(slide, 0), seq)
    return decided, last
