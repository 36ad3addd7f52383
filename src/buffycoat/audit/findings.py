"""What an audit says: findings, the checks that they came from, and the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from buffycoat.statement import Statement

Severity = Literal["finding", "note"]
State = Literal["found", "ignored", "noted", "passed", "not checked"]


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        check: Name of the check, a key of `run.CHECKS`.
        severity: "finding" makes a score untrue until it is dealt with; "note" should be known.
        message: A sentence, with the number in it.
        cell_ids: The cells concerned, of a pair the two; empty where it concerns all.
        paths: Their files.
        number: What was measured: a similarity, a score, a count; None where there is none.
        is_picture: Whether the cells are worth seeing side by side.
    """

    check: str
    severity: Severity
    message: str
    cell_ids: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    number: float | None = None
    is_picture: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "severity": self.severity,
            "message": self.message,
            "number": self.number,
            "is_picture": self.is_picture,
            "cells": [
                {"cell_id": cell_id, "path": path}
                for cell_id, path in zip(self.cell_ids, self.paths, strict=True)
            ],
        }


@dataclass(frozen=True)
class Looked:
    """What a check returns.

    Attributes:
        findings: What it found, the gravest first.
        said: One sentence on what was looked at, for a reader who wants to trust a pass.
        not_checked: Why nothing could be looked at; "" if something was.
    """

    findings: tuple[Finding, ...] = ()
    said: str = ""
    not_checked: str = ""


@dataclass(frozen=True)
class Result:
    """A check with what became of it.

    Attributes:
        name: Key of the check, as `--ignore` takes it.
        title: What holds if the check passes.
        trouble: What is the matter if it does not.
        why: Why a finding matters for scores.
        remedy: What to do about one.
        looked: What the check returned.
        is_ignored: Whether its findings were accepted beforehand.
    """

    name: str
    title: str
    trouble: str
    why: str
    remedy: str
    looked: Looked
    is_ignored: bool = False

    @property
    def state(self) -> State:
        """What the check came to."""
        if self.looked.not_checked:
            return "not checked"
        if self.n_findings:
            return "ignored" if self.is_ignored else "found"
        return "noted" if self.looked.findings else "passed"

    @property
    def n_findings(self) -> int:
        """Findings that are more than notes."""
        return sum(finding.severity == "finding" for finding in self.looked.findings)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "check": self.name,
            "title": self.title,
            "trouble": self.trouble,
            "state": self.state,
            "why": self.why,
            "remedy": self.remedy,
            "said": self.looked.said,
            "not_checked": self.looked.not_checked,
            "findings": [finding.to_dict() for finding in self.looked.findings],
        }


@dataclass(frozen=True)
class Audit:
    """All checks on one data set.

    Attributes:
        data: The data set as it was named.
        n_cells: Cells in it.
        searched: How near duplicates were searched for, in a sentence.
        counts: Split -> class -> cells; cells without a label are under "unlabelled".
        patients: Split -> patients known.
        results: One a check, in the order of `run.CHECKS`.
        notes: What the reader of the data left out or took for granted.
        statement: What was read and what was not.
        cells_sha256: Fingerprint of the cells, by which `report` knows whose audit it is.
    """

    data: str
    n_cells: int
    searched: str
    counts: Mapping[str, Mapping[str, int]]
    patients: Mapping[str, int]
    results: tuple[Result, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)
    statement: Statement = field(default_factory=Statement)
    cells_sha256: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether no check found anything that was not accepted beforehand."""
        return not any(result.state == "found" for result in self.results)

    def of_state(self, *states: State) -> list[Result]:
        """The results in any of these states."""
        return [result for result in self.results if result.state in states]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the keys are the attributes' names, and `is_clean`."""
        return {
            "data": self.data,
            "n_cells": self.n_cells,
            "cells_sha256": self.cells_sha256,
            "is_clean": self.is_clean,
            "searched": self.searched,
            "counts": {split: dict(classes) for split, classes in self.counts.items()},
            "patients": dict(self.patients),
            "notes": list(self.notes),
            "statement": self.statement.to_dict(),
            "checks": [result.to_dict() for result in self.results],
        }
