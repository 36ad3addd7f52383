"""Patients and slides that several splits share."""

from __future__ import annotations

import pandas as pd

from buffycoat.audit.findings import Finding, Looked
from buffycoat.audit.naming import Cells, ids_of, order
from buffycoat.plurals import counted

NAME = "shared_patients"
COLUMNS = {"patient_id": "patient", "slide_id": "slide"}
NO_IDS = (
    "the data names neither patients nor slides, so it cannot be told whether cells of one patient "
    "lie on both sides: scores are image-level, and may be higher than on new patients"
)


def check(frame: pd.DataFrame) -> Looked:
    """One finding a patient (or slide) with cells in two splits."""
    cells = Cells.of(frame)
    splits = cells.splits
    given = {column: word for column, word in COLUMNS.items() if any(ids_of(frame, column))}
    if not given:
        return Looked(not_checked=NO_IDS)
    if len(set(splits)) == 1:
        return Looked(not_checked=f"all cells are in one split ({splits[0]})")
    findings: list[Finding] = []
    said = []
    for column, word in given.items():
        values = ids_of(frame, column)
        # The slides of a shared patient are shared too, as a rule: the patient says it all.
        told = {cell_id for finding in findings for cell_id in finding.cell_ids}
        found = _shared(cells, values, word)
        findings += [finding for finding in found if not told.issuperset(finding.cell_ids)]
        unknown = values.count("")
        rest = f"; of {counted(unknown, 'cell')} it is unknown" if unknown else ""
        compared = counted(len({*values} - {""}), f"{word} was", f"{word}s were")
        said.append(f"{compared} compared{rest}.")
    return Looked(tuple(findings), " ".join(said))


def _shared(cells: Cells, values: list[str], word: str) -> list[Finding]:
    findings = []
    members: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        members.setdefault(value, []).append(row)
    members.pop("", None)
    for value, rows in members.items():
        splits = [cells.splits[row] for row in rows]
        counts = {split: splits.count(split) for split in order(splits)}
        if len(counts) < 2:
            continue
        told = ", ".join(f"{count:,} in {split}" for split, count in counts.items())
        message = f"{word} {value} has cells in {len(counts)} splits: {told}"
        findings.append(cells.finding(NAME, "finding", message, rows, float(len(rows))))
    return sorted(findings, key=lambda finding: -(finding.number or 0))
