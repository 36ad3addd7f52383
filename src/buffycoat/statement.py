"""What a reader found in a data set and what it made of it: said before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from buffycoat.plurals import counted

MAX_NAMES = 3
"""Names of files, tables or labels that a line spells out; the rest is counted."""
MAX_KEPT = 20
"""Names of files not looked at that a JSON file keeps."""
UNLABELLED = "without label"


@dataclass(frozen=True)
class Statement:
    """What was read, from where, and what was not.

    Attributes:
        data: Path that was given.
        layout: How the data lie, in words.
        n_files: Pictures found, those left out among them.
        not_looked_at: Why -> files that were not taken for pictures of cells.
        tables_used: Tables that gave labels, splits or patients.
        tables_not_used: Table -> why it was not used.
        label_from: Where labels come from; empty where no cell has one.
        split_from: Where splits come from.
        spelled: Label as it stands in the data -> the code that it was read as, where they differ.
        groups: Code of a group among the labels -> the classes that it stands for.
        unknown: Labels that mean no known class.
        left_out: What was left out on request -> number of cells.
        cells: Split -> label -> number of cells; `UNLABELLED` where they have none.
        patients: Patients known; 0 where none is.
        without_patient: Cells of unknown patient, where others have one.
        notes: Anything else that was taken for granted.
    """

    data: str = ""
    layout: str = ""
    n_files: int = 0
    not_looked_at: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables_used: tuple[str, ...] = ()
    tables_not_used: Mapping[str, str] = field(default_factory=dict)
    label_from: str = ""
    split_from: str = ""
    spelled: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    cells: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    patients: int = 0
    without_patient: int = 0
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a JSON file; of files not looked at the first and their number."""
        files = {
            why: {"n": len(names), "first": list(names[:MAX_KEPT])}
            for why, names in self.not_looked_at.items()
        }
        return {"said": dict(self.lines()), **asdict(self), "not_looked_at": files}

    def counts(self) -> dict[str, Any]:
        """The statement without a path or name of a file, for a bundle that goes to others."""
        record = self.to_dict()
        kept = ("layout", "n_files", "spelled", "groups", "unknown", "cells", "patients")
        return {key: record[key] for key in kept}

    def lines(self) -> list[tuple[str, str]]:
        """What a person wants to know, as (heading, sentence); at most nine, as a rule six."""
        found = [("Data", f"{self.data}: {self.layout}"), ("Files", self._files())]
        if self.tables_used or self.tables_not_used:
            found.append(("Tables", self._tables()))
        for split, counts in self.cells.items():
            is_all = not self.label_from and len(self.cells) == 1
            found.append(("Cells" if is_all else split.capitalize(), _counts(counts)))
        if self.label_from or self.patients:
            found.append(("Source", self._sources()))
        spelling = self._spelling()
        if spelling:
            found.append(("Labels", spelling))
        more = [f"{count:,} left out: {name}" for name, count in self.left_out.items()]
        if more or self.notes:
            found.append(("Note", ". ".join((*more, *self.notes))))
        return found

    def _files(self) -> str:
        said = counted(self.n_files, "picture")
        why = []
        for reason, files in self.not_looked_at.items():
            names = f" ({_some(files)})" if len(files) <= MAX_NAMES else ""
            why.append(f"{len(files):,} {plural(reason, len(files))}{names}")
        return f"{said}; not looked at: {'; '.join(why)}" if why else said

    def _tables(self) -> str:
        used = [f"{_some(self.tables_used, 6)} used"] if self.tables_used else []
        unused = [f"{name} not used: {why}" for name, why in self.tables_not_used.items()]
        rest = len(unused) - MAX_NAMES
        more = [f"and {rest} more not used"] if rest > 0 else []
        return "; ".join([*used, *unused[:MAX_NAMES], *more])

    def _sources(self) -> str:
        said = []
        if self.label_from:
            said.append(f"labels from {self.label_from}")
        if self.split_from:
            said.append(f"splits from {self.split_from}")
        if self.patients:
            gap = f", {counted(self.without_patient, 'cell')} of unknown patient"
            said.append(f"{counted(self.patients, 'patient')}{gap if self.without_patient else ''}")
        elif self.label_from:
            said.append("no patients known: every figure is image-level")
        return "; ".join(said)

    def _spelling(self) -> str:
        read = [f"{label} as {code}" for label, code in self.spelled.items()]
        said = ["read " + _some(read, 12)] if read else []
        said += [f"{code} is {' or '.join(codes)}" for code, codes in self.groups.items()]
        if self.unknown:
            said.append(f"no known class: {_some(self.unknown, 12)}")
        return "; ".join(said)


def plural(reason: str, count: int) -> str:
    """A kind of file for several: "table (.csv)" becomes "tables (.csv)"."""
    kind, space, rest = reason.partition(" (")
    is_one = count == 1 or kind.startswith(("in ", "at ")) or kind.endswith("s")
    return reason if is_one else f"{kind}s{space}{rest}"


def _counts(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    parts = [f"{label} {count:,}" for label, count in counts.items()]
    if [*counts] == [UNLABELLED]:
        return f"{counted(total, 'cell')} {UNLABELLED}"
    return f"{counted(total, 'cell')}: {', '.join(parts)}"


def _some(names: tuple[str, ...] | list[str], limit: int = MAX_NAMES) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"
