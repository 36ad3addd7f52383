"""What a run says of its cells without labels: in sentences, and cell by cell in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.fuse.pseudo_labels import NONE
from buffycoat.learn.fit_students import Taught
from buffycoat.learn.unlabelled import TABLE, UnlabelledCells
from buffycoat.plurals import counted
from buffycoat.report.wording import between, signed
from buffycoat.tables import write_csv

LOOK = f"Look at {TABLE} in the folder of the run."
WEAK = 0.5
"""Balanced macro-F1 out of fold under which many names are wrong. Ours, not fitted."""
UNSURE = 0.8
"""Expected share of right names under which a student learns much that is wrong. Ours, not
fitted."""
MOST = 0.9
"""Share of the named cells over which one class crowds out the others. Ours, not fitted."""


def write_table(out: Path, cells: UnlabelledCells, taught: Taught, codes: Sequence[str]) -> None:
    """Write `TABLE` anew, with what the models made of each cell.

    Further columns `fold0`, `fold1`, ...: the class under which that fold's student learned from
    the cell, "not sure" or "of no class".

    Args:
        out: Folder of the run.
        cells: From `unlabelled.load`.
        taught: What the models made of them.
        codes: Of the classes.
    """
    table = cells.given.copy()
    is_used = (table["left_out"] == "").to_numpy()
    words = np.array([*codes, "not sure", "of no class"], dtype=object)
    for fold, named in enumerate(taught.each):
        places = np.where(named.labels == NONE, len(codes), named.labels)
        places[named.is_strange] = len(codes) + 1
        column = np.full(len(table), "", dtype=object)
        column[is_used] = words[places]
        table[f"fold{fold}"] = column
    write_csv(out / TABLE, table)


def gain(record: Mapping[str, Any]) -> str:
    """What the cells brought, and whether that is kept.

    Args:
        record: `Taught.record`.
    """
    if not any(sum(fold["named"].values()) for fold in record["folds"]):
        return "No unlabelled cell was named, so the models stay as they were."
    verdict = "the new ones are kept" if record["is_kept"] else "the models stay as they were"
    limits = (
        ""
        if record["low"] is None
        else f", 95 % interval {between(record['low'], record['high'], 3, signed)}"
    )
    return (
        "Balanced macro-F1 out of fold, before second opinions, of models that learned without and "
        "with unlabelled cells: "
        f"{record['before']:.3f} -> {record['after']:.3f} (gain {signed(record['gain'], 3)}"
        f"{limits}), so {verdict}."
    )


def named(record: Mapping[str, Any]) -> str:
    """How many cells each student learned from, of each class; "" where none was named."""
    folds = record["folds"]
    totals = [sum(fold["named"].values()) for fold in folds]
    if not any(totals):
        return ""
    classes = ", ".join(
        f"{code} {_range([fold['named'][code] for fold in folds])}"
        for code in record.get("classes", folds[0]["named"])
    )
    return (
        f"Of {counted(folds[0]['n_cells'], 'usable cell')} each model learned from "
        f"{_range(totals)} that an earlier one had named ({classes}); "
        f"{_range([fold['n_strange'] for fold in folds])} resembled no class."
        f"{_expected(folds)}"
    )


def _expected(folds: Sequence[Mapping[str, Any]]) -> str:
    """By the probabilities of the models that named them; "" in records of earlier versions."""
    shares = _shares(folds)
    if not shares:
        return ""
    percent = _range([round(100 * share) for share in shares])
    return f" By the probabilities of these models {percent} % of the names are right."


def _shares(folds: Sequence[Mapping[str, Any]]) -> list[float]:
    found = [fold.get("expected_right") for fold in folds]
    return [share for share in found if share is not None]


def left_out(record: Mapping[str, Any]) -> str:
    """What no model was asked about; "" where all cells could be used."""
    lost = ", ".join(f"{n:,} {reason}" for reason, n in record["left_out"].items() if n)
    return f"Left out: {lost}." if lost else ""


def warnings(record: Mapping[str, Any]) -> list[str]:
    """Where what was named should be looked at before the models are used."""
    folds = record["folds"]
    if not any(sum(fold["named"].values()) for fold in folds):
        return []
    found = []
    if record["before"] < WEAK:
        found.append(
            f"The models that named the cells have a balanced macro-F1 of {record['before']:.3f} "
            f"out of fold: many names are wrong. {LOOK}"
        )
    least = min(_shares(folds), default=1.0)
    if least < UNSURE:
        found.append(
            f"A model expects {100 * least:.0f} % of its names to be right, since few cells of a "
            f"class are sure. With unlabelled.least_share=0 only sure cells are named. {LOOK}"
        )
    share, code = max(_largest(fold["named"]) for fold in folds)
    if share > MOST:
        found.append(f"{100 * share:.0f} % of the cells that a model named are {code}. {LOOK}")
    return found


def _largest(named: Mapping[str, int]) -> tuple[float, str]:
    """Share and code of the class that most cells are named."""
    code = max(named, key=lambda one: named[one])
    return named[code] / max(1, sum(named.values())), code


def sentences(record: Mapping[str, Any]) -> list[str]:
    """All of it, in the order in which a reader asks."""
    parts = (gain(record), named(record), left_out(record), *warnings(record))
    return [part for part in parts if part]


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
