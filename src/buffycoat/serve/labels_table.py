"""Corrections as a table of labels that `train` and `adapt --labels` take."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Connection, select

from buffycoat.serve import schema
from buffycoat.serve.project import open_project
from buffycoat.serve.states import (
    CONSENSUS,
    FIRST,
    SECOND,
    Label,
    SlideState,
    final_labels,
    labels_of,
    states,
)

COLUMNS = (
    "ID", "label", "reader", "agreement", "is_decided", "version", "slide_id", "patient_id",
    "predicted",
)  # fmt: skip
BOTH, BY_CONSENSUS, ONE = "both readers", "consensus", "one reader"
ACCEPTED = "accepted as predicted"


def labels_table(
    reader: Connection, *, has_extra: bool = False, has_accepted: bool = False
) -> pd.DataFrame:
    """A row for each cell that a person decided.

    A cell on which two readers differ is left out until there is a consensus.

    Args:
        reader: From `Store.reading`.
        has_extra: Whether cells without a class (`states.EXTRA`) are rows too.
        has_accepted: Whether cells that nobody decided are rows too, where the readings of their
            slide are finished: these have the model's class, and nobody may have looked at them.

    Returns:
        Columns as in `COLUMNS`: `reader` names whose word the label is, `agreement` is one of
        "both readers" (each decided on this cell), "consensus", "one reader" and "accepted as
        predicted", `is_decided` says whether somebody decided on
        this very cell, `version` is the signed one that holds the label, NA for none.
    """
    rows, classes = [], open_project(reader).taxonomy.codes
    for state in states(reader):
        cells = {
            row.id: row
            for row in reader.execute(select(schema.cells).where(schema.cells.c.slide == state.id))
        }
        given = labels_of(reader, state.id)
        final = final_labels(state, {n: row.predicted for n, row in cells.items()}, given)
        for n, row in cells.items():
            decided = _decided({role: given[role] for role in state.counted_roles}, n)
            if n in final.disputed or not (decided or (has_accepted and state.is_read)):
                continue
            label = final.labels[n]
            if label not in classes and not has_extra:
                continue
            who, agreement = _whose(state, decided)
            version = state.version if state.version and not state.is_open else None
            rows.append(
                (row.name, label, who, agreement, bool(decided), version, state.name,
                 state.patient, row.predicted)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"version": "Int64"})


def _decided(given: Mapping[str, Mapping[int, Label]], n: int) -> dict[str, Label]:
    """Role -> decision on a cell that stands."""
    found = {role: of.get(n) for role, of in given.items()}
    return {role: label for role, label in found.items() if label is not None and label.label}


def _whose(state: SlideState, decided: Mapping[str, Label]) -> tuple[str, str]:
    """Names of the readers whose word a label is, and how far they agree."""
    if CONSENSUS in decided:
        return decided[CONSENSUS].reader, BY_CONSENSUS
    if decided:
        names = [decided[role].reader for role in (FIRST, SECOND) if role in decided]
        return " + ".join(names), BOTH if len(names) > 1 else ONE
    held = [state.readings[role].reader for role in (FIRST, SECOND) if role in state.readings]
    return " + ".join(filter(None, held)), ACCEPTED
