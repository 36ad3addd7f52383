"""Whether the record is whole: the chain, what is derived from it, and the signed versions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from buffycoat.serve import log, schema

MAX_FAULTS = 20
_REPEATED = ("kind", "person", "slide", "cell", "client_id", "seq", "at")


@dataclass(frozen=True)
class LogCheck:
    """What was found.

    Attributes:
        n: Entries.
        head: Hash of the last one; note it elsewhere, and a shortened log is found too.
        faults: What does not agree, in sentences; the first `MAX_FAULTS`.
    """

    n: int
    head: str
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


def check(reader: Connection) -> LogCheck:
    """Go through the whole log, and compare labels and signed versions with it."""
    faults: list[str] = []
    labels: dict[tuple[int, str], tuple[str | None, int, str]] = {}
    signed: dict[tuple[int, int], str] = {}
    white: dict[int, float | None] = {}
    n, head = 0, log.GENESIS
    rows = reader.execution_options(yield_per=1000).execute(
        select(schema.log).order_by(schema.log.c.seq)
    )
    for row in rows.mappings():
        n += 1
        if row["seq"] != n:
            faults.append(f"entry {n} is missing: the next has number {row['seq']}")
            n = row["seq"]
        if log.digest(head, row["body"]) != row["hash"]:
            faults.append(f"entry {n}: its hash does not follow from it and the entry before")
        head = row["hash"]
        body = _body(row, faults)
        data = body.get("data", {})
        if body.get("kind") == log.DECIDED:
            key = (body["cell"], data["role"])
            labels[key] = (data["label"], n, body["person"])
        elif body.get("kind") == log.SIGNED:
            signed[body["slide"], data["version"]] = data["hash"]
        elif body.get("kind") == log.WBC:
            white[body["slide"]] = data["wbc"]
        if len(faults) >= MAX_FAULTS:
            break
    else:
        faults += _label_faults(reader, labels)
        faults += _version_faults(reader, signed)
        faults += _wbc_faults(reader, white)
    return LogCheck(n, head, tuple(faults[:MAX_FAULTS]))


def _body(row: Any, faults: list[str]) -> dict[str, Any]:
    """What was hashed; the columns beside it must say the same."""
    try:
        body = json.loads(row["body"])
    except json.JSONDecodeError:
        faults.append(f"entry {row['seq']}: its body is no JSON")
        return {}
    other = [name for name in _REPEATED if body.get(name) != row[name]]
    if other:
        faults.append(f"entry {row['seq']}: column {other[0]} differs from its body")
    return body


def _label_faults(
    reader: Connection, labels: dict[tuple[int, str], tuple[str | None, int, str]]
) -> list[str]:
    stored = {
        (row.cell, row.role): (row.label, row.seq, row.reader)
        for row in reader.execute(select(schema.labels))
    }
    differ = sorted(
        key for key in stored.keys() | labels.keys() if stored.get(key) != labels.get(key)
    )
    return [
        f"cell {cell}, {role} reading: the label is {stored.get((cell, role))}, by the log "
        f"{labels.get((cell, role))}"
        for cell, role in differ
    ]


def _wbc_faults(reader: Connection, white: dict[int, float | None]) -> list[str]:
    stored = {row.id: row.wbc for row in reader.execute(select(schema.slides))}
    return [
        f"slide {slide}: its WBC is {stored.get(slide)}, by the log {wbc}"
        for slide, wbc in white.items()
        if stored.get(slide) != wbc
    ]


def _version_faults(reader: Connection, signed: dict[tuple[int, int], str]) -> list[str]:
    faults, seen = [], set()
    for row in reader.execute(select(schema.versions)):
        key = (row.slide, row.version)
        seen.add(key)
        found = hashlib.sha256(row.body.encode()).hexdigest()
        if not found == row.hash == signed.get(key):
            faults.append(f"slide {row.slide}, version {row.version}: is not what was signed")
    faults += [
        f"slide {slide}, version {version}: was signed and is not there"
        for slide, version in signed.keys() - seen
    ]
    return faults
