"""Rows of the tables of single cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from buffycoat.report.records import ExampleCell, MapPoint, RestoredPair

Rows = list[dict[str, Any]]


def example_rows(cells: Sequence[ExampleCell]) -> Rows:
    """One row a cell, in the order in which they are shown."""
    return [
        {
            "row": of.caption,
            "why": of.why,
            "label": of.predicted,
            "probability": of.probability,
            "true": of.true,
            "label_set": of.label_set,
            "severity": of.severity,
            "evidence": "; ".join(of.evidence),
        }
        for of in cells
    ]


def map_rows(points: Sequence[MapPoint]) -> Rows:
    """One row a cell; a cell that is doubtful and wrong may be there twice."""
    return [
        {"row": f"{of.kind}/{of.caption}", "kind": of.kind, "code": of.code, "x": of.x, "y": of.y}
        for of in points
    ]


def restored_rows(pairs: Sequence[RestoredPair]) -> Rows:
    """One row a cell, with a column for each number that the gate measured."""
    measured = list(dict.fromkeys(name for of in pairs for name in of.change))
    return [
        {
            "row": of.caption,
            "is_accepted": of.is_accepted,
            "reason": of.reason,
            "severity": of.severity,
            "degradation": "+".join(of.degradation),
            **{name: of.change.get(name) for name in measured},
        }
        for of in pairs
    ]
