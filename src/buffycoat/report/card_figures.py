"""The figures of a model card: each with split, n, interval and what the interval rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from buffycoat.report import wording
from buffycoat.report.markdown import inline, table

Record = Mapping[str, Any]


def figures(split: str, record: Record) -> str:
    """What a card says of one split.

    Args:
        split: Its name.
        record: Of `evaluate.summary.evaluate`.
    """
    level = record["level"]
    blocks = (
        f"### {inline(split)}",
        inline(" ".join(wording.sentences(split, record))),
        _overall(split, record),
        f"Scores of each class, with {level} intervals. "
        "PPV is at the stated prevalence, the share of the training cells.",
        _classes(record["per_class"]),
        _groups(record.get("by_group", [])),
        _bands(record["by_band"]),
        _severities(record["by_severity"]),
        _sites(record.get("by_site", [])),
        _calibration(record["calibration"]),
    )
    return "\n\n".join(block for block in blocks if block)


def _overall(split: str, record: Record) -> str:
    keys = ("metric", "value", "interval", "split", "n", "level", "method")
    return table(
        ("Metric", "Value", "Interval", "Split", "n", "Level", "Method"),
        [tuple(row[key] for key in keys) for row in wording.metric_rows(split, record)],
    )


def _classes(rows: Sequence[Record]) -> str:
    head = ("Class", "Band", "n", "Precision", "Sensitivity", "Specificity", "F1", "Prevalence")
    return table(
        (*head, "PPV", "Too few"),
        [
            (
                row["code"],
                row["band"] or wording.MISSING,
                f"{row['support']:,}",
                *(_score(row, key) for key in ("precision", "sensitivity", "specificity", "f1")),
                wording.percent(row.get("prevalence"), 2),
                _score(row, "ppv_at_prevalence"),
                row["why"] or "",
            )
            for row in rows
        ],
    )


def _groups(rows: Sequence[Record]) -> str:
    """Scores at the grain of labels coarser than a class; nothing where there are none."""
    if not rows:
        return ""
    head = ("Group", "Any class of", "n", "n known only so", "Precision", "Sensitivity", "F1")
    return table(
        head,
        [
            (
                row["code"],
                ", ".join(row["members"]),
                f"{row['support']:,}",
                f"{row['n_coarse']:,}",
                *(_score(row, key) for key in ("precision", "sensitivity", "f1")),
            )
            for row in rows
        ],
    )


def _score(row: Record, key: str) -> str:
    """A score and its interval; a score that is not estimable has none to show."""
    if key not in row:
        return wording.MISSING
    value, interval = row[key], row[f"{key}_interval"]
    if isinstance(value, str):
        return value
    if wording.interval_ends(interval) is None:
        return f"{wording.number(value, 2)} ({wording.NO_INTERVAL})"
    return f"{wording.number(value, 2)} ({wording.ends(interval, 2)})"


def _bands(rows: Sequence[Record]) -> str:
    if not rows:
        return ""
    return table(
        ("Band", "Classes", "n", "Mean F1", "Mean sensitivity"),
        [
            (
                row["band"],
                ", ".join(row["classes"]),
                f"{row['n']:,}",
                *(_interval(row[key]) for key in ("macro_f1", "sensitivity")),
            )
            for row in rows
        ],
    )


def _severities(rows: Sequence[Record]) -> str:
    if not rows:
        return ""
    return table(
        ("Severity", "n", "Balanced macro-F1"),
        [
            (
                row["severity"] if isinstance(row["severity"], str) else f"{row['severity']:g}",
                f"{row['n']:,}",
                _interval(row["balanced_macro_f1"]),
            )
            for row in rows
        ],
    )


def _sites(rows: Sequence[Record]) -> str:
    if not rows:
        return ""
    return table(
        ("Site", "Classes", "n", "Balanced macro-F1", "Balanced accuracy"),
        [
            (
                row["site"],
                f"{row['classes']}",
                f"{row['n']:,}",
                *(_interval(row[key]) for key in ("balanced_macro_f1", "balanced_accuracy")),
            )
            for row in rows
        ],
    )


def _interval(of: Record) -> str:
    return f"{wording.number(of['estimate'])} ({wording.ends(of)})"


def _calibration(of: Record | None) -> str:
    if of is None:
        return ""
    chance = of["ece_if_calibrated"]
    return (
        f"Calibration: expected error of the top class {wording.number(of['ece'])} (by chance "
        f"alone {wording.number(chance['mean'])}, at most {wording.number(chance['percentile_95'])}"
        f" in 95 of 100 samples), class-wise error {wording.number(of['classwise_ece'])}, Brier "
        f"score {wording.number(of['brier'])} (0 to 2)."
    )
