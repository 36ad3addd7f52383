"""Cells of each class and patients in each split."""

from __future__ import annotations

import pandas as pd

from buffycoat.audit.findings import Finding, Looked
from buffycoat.audit.naming import TRAIN, ids_of, labels_of, order, splits_of
from buffycoat.evaluate.class_table import MIN_SUPPORT
from buffycoat.plurals import counted

NAME = "class_counts"
UNLABELLED = "unlabelled"


def count_classes(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Split -> class -> cells, classes by name; cells without a label last."""
    splits, labels = splits_of(frame), labels_of(frame)
    counts: dict[str, dict[str, int]] = {}
    for split in order(splits):
        inside = [label for label, where in zip(labels, splits, strict=True) if where == split]
        counts[split] = {label: inside.count(label) for label in sorted({*inside} - {""})}
        if "" in inside:
            counts[split][UNLABELLED] = inside.count("")
    return counts


def count_patients(frame: pd.DataFrame) -> dict[str, int]:
    """Split -> patients that are named in it; empty if none is."""
    splits, patients = splits_of(frame), ids_of(frame, "patient_id")
    if not any(patients):
        return {}
    known = {pair for pair in zip(splits, patients, strict=True) if pair[1]}
    return {split: sum(where == split for where, _ in known) for split in order(splits)}


def check(frame: pd.DataFrame) -> Looked:
    """Classes that no score can be had for.

    A class that is held out and never trained on is a finding, one of very few held-out cells a
    note.
    """
    counts = count_classes(frame)
    trained = {code for code in counts.get(TRAIN, {}) if code != UNLABELLED}
    findings: list[Finding] = []
    for split, classes in counts.items():
        held_out = {code: n for code, n in classes.items() if code != UNLABELLED}
        if split == TRAIN:
            continue
        for code, n in held_out.items():
            if trained and code not in trained:
                text = f"{split} has {counted(n, 'cell')} of {code}, and training has none"
                findings.append(Finding(NAME, "finding", text, number=float(n)))
            elif n < MIN_SUPPORT:
                cells = counted(n, "cell")
                text = f"{split} has {cells} of {code}: its scores are hardly more than chance"
                findings.append(Finding(NAME, "note", text, number=float(n)))
    findings.sort(key=lambda finding: finding.severity)
    told = [f"{split} {sum(classes.values()):,}" for split, classes in counts.items()]
    return Looked(tuple(findings), f"Cells: {', '.join(told)}.")
