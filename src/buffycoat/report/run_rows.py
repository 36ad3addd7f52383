"""Rows of the tables on stages, doubt, audit and provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from buffycoat.report.records import AblationRow, Doubt, ReportData, StageNote
from buffycoat.report.score_rows import spread

Rows = list[dict[str, Any]]


def label_set_rows(doubt: Doubt | None) -> Rows:
    """One row a split and class; in class "all", each class weighs the same."""
    if doubt is None:
        return []
    return [
        {
            "row": f"{split}/{of['class']}",
            "split": split,
            "code": of["class"],
            "rests_on": doubt.guarantees.get(of["class"], ""),
            "n": of["n"],
            "coverage": of["coverage"],
            "coverage_low": of["low"],
            "coverage_high": of["high"],
            "mean_size": of["mean_size"],
            "wanted": 1 - doubt.alpha,
        }
        for split, rows in doubt.coverage.items()
        for of in rows
    ]


def abstention_rows(doubt: Doubt | None) -> Rows:
    """One row a split and share of the cells that is kept."""
    if doubt is None:
        return []
    return [
        {"row": f"{split}/{100 * of['share_kept']:.1f} %", "split": split, **of}
        for split, rows in doubt.abstention.items()
        for of in rows
    ]


def ablation_rows(ablation: Sequence[AblationRow]) -> Rows:
    """One row a stage, in order."""
    return [
        {
            "row": of.stage,
            "is_used": of.is_used,
            **spread("balanced_macro_f1", of.balanced_macro_f1),
            **spread("gain", of.gain),
            "gain_method": (of.gain or {}).get("method", ""),
            **spread("prior_weighted_macro_f1", of.prior_weighted_macro_f1),
            "note": of.note,
        }
        for of in ablation
    ]


def stage_rows(notes: Sequence[StageNote]) -> Rows:
    """One row a stage."""
    return [{"row": of.stage, "state": of.state, "why": of.note} for of in notes]


def rule_rows(rules: Sequence[Mapping[str, Any]]) -> Rows:
    """One row a rule."""
    return [{"row": of["code"], **of} for of in rules]


def audit_rows(audit: Mapping[str, Any] | None) -> Rows:
    """One row a check; a check that found nothing has no message."""
    if audit is None:
        return []
    rows = []
    for of in audit["checks"]:
        kinds = [finding["severity"] for finding in of["findings"]]
        is_grave = of["state"] in ("found", "ignored")
        rows.append(
            {
                "row": of["check"],
                "check": of["trouble"] if is_grave else of["title"],
                "state": of["state"],
                "findings": kinds.count("finding"),
                "notes": kinds.count("note"),
                "looked_at": of["not_checked"] or of["said"],
                "why": of["why"] if is_grave else "",
                "remedy": of["remedy"] if is_grave else "",
                "first": of["findings"][0]["message"] if of["findings"] else "",
            }
        )
    return rows


def provenance_rows(data: ReportData) -> Rows:
    """One row a fact; groups are "record", "settings" and "seconds"."""
    groups = {"record": data.provenance, "settings": data.settings, "seconds": data.seconds}
    return [
        {"row": f"{group}/{name}", "group": group, "name": name, "value": value}
        for group, table in groups.items()
        for name, value in _flat(table)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of each leaf, nested names joined by a middle dot."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name} · ")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", value
