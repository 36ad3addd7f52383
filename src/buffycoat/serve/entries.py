"""Entries of the log as they are read back; what somebody has changed in one is said of it."""

from __future__ import annotations

import json
from types import NoneType
from typing import Any

from sqlalchemy import RowMapping

from buffycoat.serve import log
from buffycoat.serve.refused import RefusedError

MOST_CELLS = 2**31
"""No database here numbers more."""
UNREADABLE = (KeyError, TypeError, ValueError, OverflowError, RecursionError)
"""What reading text raises that somebody has changed."""
REPEATED = ("kind", "person", "slide", "cell", "client_id", "seq", "at")
_OF_READING = {"slide": (int,), "data.role": (str,)}
_FORMS: dict[str, dict[str, tuple[type, ...]]] = {
    log.DECIDED: {
        "cell": (int,), "person": (str,), "data.role": (str,), "data.label": (str, NoneType),
    },
    log.SIGNED: {"slide": (int,), "data.version": (int,), "data.hash": (str,)},
    log.AMENDED: {"slide": (int,), "data.version": (int,)},
    log.WBC: {"slide": (int,), "data.wbc": (int, float, NoneType)},
    log.TAKEN: _OF_READING | {"person": (str,)},
    log.RELEASED: _OF_READING,
    log.FINISHED: _OF_READING,
    log.REOPENED: _OF_READING,
    log.IMPORTED: {"data.n_cells": (int,), "data.cells_sha256": (str,)},
}  # fmt: skip
"""Kind -> where something is derived from: its place in the body, and its types."""


def read_entry(row: RowMapping) -> tuple[dict[str, Any] | None, list[str]]:
    """What was hashed of an entry, and what is damaged of it.

    Args:
        row: Of `schema.log`.

    Returns:
        The body, None where it cannot be used; and faults in words, none of an entry as it was
        stored. Whether its hash follows from the entry before is not looked at.
    """
    try:
        body = json.loads(row["body"])
        log.canonical(body).encode()  # no NaN, and no half of a character
    except UNREADABLE:
        body = None
    if not isinstance(body, dict):
        return None, ["its body is no JSON object"]
    other = [name for name in REPEATED if body.get(name) != row[name]]
    faults = [f"column {other[0]} differs from its body"] if other else []
    try:
        _check_form(body)
    except UNREADABLE:
        return None, [*faults, f"its body is not one of an entry of kind {row['kind']!r}"]
    return body, faults


def whole_body(row: RowMapping) -> dict[str, Any] | None:
    """What was hashed of an entry, None where it is damaged.

    Args:
        row: Of `schema.log`.
    """
    body, faults = read_entry(row)
    return None if faults else body


def body_of(row: RowMapping) -> dict[str, Any]:
    """What was hashed of an entry that something depends on.

    Args:
        row: Of `schema.log`.

    Raises:
        RefusedError: It is damaged.
    """
    body, faults = read_entry(row)
    if body is None or faults:
        raise RefusedError(
            409,
            "damaged",
            f"entry {row['seq']} of the log is damaged: {faults[0]}. `buffycoat review check` "
            "lists what is; go on from a backup",
        )
    return body


def _check_form(body: dict[str, Any]) -> None:
    """Raise one of `UNREADABLE` where a body has not what an entry of its kind has."""
    data = body.get("data", {})
    if not isinstance(data, dict):
        raise TypeError("data")
    for place, kinds in _FORMS.get(body.get("kind", ""), {}).items():
        *inside, name = place.split(".")
        if type((data if inside else body)[name]) not in kinds:  # True is no int
            raise TypeError(place)
    if body.get("kind") == log.IMPORTED and data["n_cells"] not in range(MOST_CELLS):
        raise ValueError("n_cells")
    if body.get("kind") == log.WBC and data["wbc"] is not None:
        float(data["wbc"])
    replaces = data.get("replaces") if body.get("kind") == log.DECIDED else None
    if replaces is not None and replaces not in range(1, body["seq"]):
        raise ValueError("replaces")
