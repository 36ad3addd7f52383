"""Whether the record is whole: the chain, what is derived from it, and the signed versions.

Derived are the latest labels, who holds which reading and whether it is finished, which slides are
signed, and their white cells; what was predicted is bound by a checksum of each import.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from buffycoat.plurals import counted
from buffycoat.serve import log, schema
from buffycoat.serve.entries import UNREADABLE, read_entry
from buffycoat.serve.project import digest_of_cells

MAX_FAULTS = 20


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


@dataclass
class _Derived:
    """What follows from the log.

    Attributes:
        labels: Cell and role -> label, number of its entry, reader.
        signed: Slide and version -> checksum.
        white: Slide -> white cells by the analyser, where somebody has entered or removed them.
        readings: Slide and role -> reader, and whether it is finished.
        slides: Slide -> last version, and whether it is open, of those that were signed.
        imports: Number and checksum of the cells of each import.
    """

    labels: dict[tuple[int, str], tuple[str | None, int, str]] = field(default_factory=dict)
    signed: dict[tuple[int, int], str] = field(default_factory=dict)
    white: dict[int, float | None] = field(default_factory=dict)
    readings: dict[tuple[int, str], tuple[str | None, bool]] = field(default_factory=dict)
    slides: dict[int, tuple[int, bool]] = field(default_factory=dict)
    imports: list[tuple[int, str]] = field(default_factory=list)

    def take(self, n: int, body: dict[str, Any]) -> None:
        """Go on by one entry.

        Args:
            n: Its number.
            body: What was hashed, from `read_entry`.
        """
        kind, slide, data = body.get("kind"), body.get("slide", 0), body.get("data", {})
        if kind == log.DECIDED:
            self.labels[body["cell"], data["role"]] = (data["label"], n, body["person"])
        elif kind == log.SIGNED:
            self.signed[slide, data["version"]] = data["hash"]
            self.slides[slide] = (data["version"], False)
        elif kind == log.AMENDED:
            self.slides[slide] = (data["version"], True)
        elif kind == log.WBC:
            self.white[slide] = None if data["wbc"] is None else float(data["wbc"])
        elif kind in (log.TAKEN, log.RELEASED, log.FINISHED, log.REOPENED):
            held = slide, data["role"]
            holder = self.readings.get(held, (None,))[0]
            if kind in (log.TAKEN, log.RELEASED):
                holder = body["person"] if kind == log.TAKEN else None
            self.readings[held] = (holder, kind == log.FINISHED)
        elif kind == log.IMPORTED:
            self.imports.append((data["n_cells"], data["cells_sha256"]))


def check(reader: Connection) -> LogCheck:
    """Go through the whole log, and compare what is derived from it, and signed versions."""
    faults: list[str] = []
    derived = _Derived()
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
        body, damage = read_entry(row)
        faults += [f"entry {n}: {fault}" for fault in damage]
        if body is not None:
            derived.take(n, body)
        if len(faults) >= MAX_FAULTS:
            break
    else:
        faults += _label_faults(reader, derived.labels)
        white = _signed_white(reader, derived.signed, faults)
        faults += _reading_faults(reader, derived.readings)
        faults += _slide_faults(reader, derived, white)
        faults += _cell_faults(reader, derived.imports)
    return LogCheck(n, head, tuple(faults[:MAX_FAULTS]))


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


def _reading_faults(
    reader: Connection, readings: dict[tuple[int, str], tuple[str | None, bool]]
) -> list[str]:
    stored = {
        (row.slide, row.role): (row.reader, row.is_finished)
        for row in reader.execute(select(schema.readings))
    }
    differ = sorted(
        key for key in stored.keys() | readings.keys() if stored.get(key) != readings.get(key)
    )
    return [
        f"slide {slide}, {role} reading: it is {_held(stored.get((slide, role)))}, by the log "
        f"{_held(readings.get((slide, role)))}"
        for slide, role in differ
    ]


def _held(reading: tuple[str | None, bool] | None) -> str:
    if reading is None or reading[0] is None:
        return "nobody's"
    return f"{reading[0]}'s, {'' if reading[1] else 'not '}finished"


def _slide_faults(
    reader: Connection, derived: _Derived, signed_white: Mapping[int, float | None]
) -> list[str]:
    """Of states and white cells."""
    faults = []
    for row in reader.execute(select(schema.slides).order_by(schema.slides.c.id)):
        # Until version 0003 white cells were kept with the signed versions alone.
        is_signed_alone = row.id in signed_white and row.id not in derived.white
        source = "by its last signed version" if is_signed_alone else "by the log"
        wbc = (signed_white if is_signed_alone else derived.white).get(row.id)
        if row.wbc != wbc:
            faults.append(f"slide {row.id}: its WBC is {_white(row.wbc)}, {source} {_white(wbc)}")
        stored, known = (row.version, row.is_open), derived.slides.get(row.id, (0, True))
        if stored != known:
            faults.append(f"slide {row.id}: it is {_signed(*stored)}, by the log {_signed(*known)}")
    return faults


def _white(wbc: float | None) -> str:
    return "not known" if wbc is None else f"{wbc:g}"


def _signed(version: int, is_open: bool) -> str:
    if not version:
        return "not signed"
    return f"{'open again after' if is_open else 'signed as'} version {version}"


def _cell_faults(reader: Connection, imports: list[tuple[int, str]]) -> list[str]:
    """Of what was predicted: the cells of each import are numbered in its order."""
    columns = schema.cells.c
    query = select(
        columns.name, schema.slides.c.name.label("slide"), columns.predicted, columns.probability,
        columns.image_sha256, columns.bundle_sha256,
    ).join(schema.slides)  # fmt: skip
    rows = reader.execute(query.order_by(columns.id))
    faults = []
    for place, (n, checksum) in enumerate(imports, 1):
        if digest_of_cells(rows.fetchmany(n)) != checksum:
            cells = counted(n, "cell is", "cells are")
            faults.append(f"import {place}: its {cells} not what was predicted")
    if rows.first() is not None:
        faults.append("there are cells that no import put under review")
    return faults


def _signed_white(
    reader: Connection, signed: dict[tuple[int, int], str], faults: list[str]
) -> dict[int, float | None]:
    """Slide -> white cells by the analyser in the last version that is as it was signed.

    Args:
        reader: From `Store.reading`.
        signed: Slide and version -> checksum.
        faults: Grows by the versions that are not what was signed, or are not there.
    """
    white, seen = {}, set()
    for row in reader.execute(select(schema.versions).order_by(schema.versions.c.version)):
        key = (row.slide, row.version)
        seen.add(key)
        found = hashlib.sha256(row.body.encode()).hexdigest()
        if found != row.hash or found != signed.get(key):
            faults.append(f"slide {row.slide}, version {row.version}: is not what was signed")
            continue
        try:
            white[row.slide] = _wbc_of(row.body)
        except UNREADABLE:
            faults.append(f"slide {row.slide}, version {row.version}: is no signed differential")
    faults += [
        f"slide {slide}, version {version}: was signed and is not there"
        for slide, version in sorted(signed.keys() - seen)
    ]
    return white


def _wbc_of(body: str) -> float | None:
    """Raises one of `UNREADABLE` where the text is no signed differential."""
    wbc = ({"wbc": None} | json.loads(body))["wbc"]
    if wbc is not None and type(wbc) not in (int, float):
        raise TypeError("wbc")
    return None if wbc is None else float(wbc)
