"""Figures as tables in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from buffycoat.cli.console import results_console
from buffycoat.plurals import counted, some_of
from buffycoat.report.wording import ends

OVERALL = (
    "macro_f1",
    "macro_f1_estimable",
    "balanced_macro_f1",
    "prior_weighted_macro_f1",
    "balanced_accuracy",
    "macro_precision",
    "macro_specificity",
    "accuracy",
)
PER_CLASS = ("precision", "sensitivity", "specificity", "f1")
PER_GROUP = ("precision", "sensitivity", "f1")


def print_metrics(metrics: Mapping[str, Any]) -> None:
    """Print what `evaluate.summary.evaluate` gives: overall, per class, per severity.

    Args:
        metrics: Its result.
    """
    console = results_console()
    title = f"{counted(metrics['n'], 'cell')}, {metrics['level']} figures"
    overall = new_table(title, "score", "estimate", "95% interval")
    for name in OVERALL:
        if name == "macro_f1_estimable" and not metrics.get("not_estimable"):
            continue
        if metrics.get(name) is not None:
            overall.add_row(_words(name), *interval_cells(metrics[name]))
    console.print(overall)
    rows = [row for row in metrics["per_class"] if _has_figure(row)]
    if rows:
        console.print(_class_table(rows))
    if metrics.get("by_group"):
        _print_groups(metrics)
    if metrics.get("by_severity"):
        severity = new_table(
            "By severity of degradation", "severity", "cells", "balanced macro F1", "95% interval"
        )
        for row in metrics["by_severity"]:
            level = row["severity"]
            severity.add_row(
                f"{level:g}" if isinstance(level, float) else level,
                str(row["n"]),
                *interval_cells(row["balanced_macro_f1"]),
            )
        console.print(severity)
    for sentence in _sentences(metrics):
        console.print(sentence)
    if metrics.get("absent"):
        console.print(f"No cells of {', '.join(metrics['absent'])}: not in the averages.")
    few = [f"{code} ({why})" for code, why in metrics.get("not_estimable", {}).items()]
    if few:
        text = f"Not estimable: {', '.join(few)}. In macro F1, not in the second row."
        console.print(text, soft_wrap=True)


def _sentences(metrics: Mapping[str, Any]) -> list[str]:
    """Calibration and the maturation lines, in words."""
    found = []
    if metrics.get("calibration"):
        error, chance = metrics["calibration"]["ece"], metrics["calibration"]["ece_if_calibrated"]
        found.append(
            f"Expected calibration error {error:.3f}; perfectly calibrated scores on as many cells "
            f"would show {chance['mean']:.3f} on average, {chance['percentile_95']:.3f} at most "
            "19 times in 20."
        )
    for line in metrics.get("by_maturation", ()):
        found.append(
            f"Maturation line {'-'.join(line['classes'])}: {line['exact']:.0%} exact, "
            f"{line['within_one']:.0%} within one stage, {line['off_line']:.0%} off the line."
        )
    return found


def print_counts(
    counts: Mapping[str, int], names: Mapping[str, str], doubtful: Mapping[str, int]
) -> None:
    """Print how many cells each class was given, and how many of them need a look.

    Args:
        counts: Code -> cells.
        names: Code -> full name.
        doubtful: Code -> cells that need a look; a code without any may be left out.
    """
    table = new_table(
        counted(sum(counts.values()), "cell"), "class", "name", "cells", "need a look"
    )
    for code, count in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(code, escape(names.get(code, "")), str(count), str(doubtful.get(code, 0)))
    results_console().print(table)


def _print_groups(metrics: Mapping[str, Any]) -> None:
    """Figures at the grain of labels coarser than a class, and of which cells they are."""
    table = new_table(
        "By group: any class of it is right", "group", "cells", "classes", *PER_GROUP,
        "95% interval of f1",
    )  # fmt: skip
    for row in metrics["by_group"]:
        table.add_row(
            row["code"],
            f"{row['support']} ({row['n_coarse']} known only as {row['code']})",
            " ".join(row["members"]),
            *(figure(row[name]) for name in PER_GROUP),
            interval_cells(row["f1_interval"])[1],
        )
    console = results_console()
    console.print(table)
    whole = metrics["right_at_grain"]
    estimate, ends = interval_cells(whole)
    console.print(
        f"{some_of(whole['n'] - metrics['n'], whole['n'], 'cell', 'has', 'have')} a label coarser "
        "than a class, counted in the groups' table alone. Right at the grain of its label: "
        f"{estimate} of all cells ({ends})."
    )


def _has_figure(row: Mapping[str, Any]) -> bool:
    """Whether there is any score of a class; the others are named below the table."""
    return any(not isinstance(row[name], str) for name in PER_CLASS)


def _class_table(rows: list[dict[str, Any]]) -> Table:
    table = new_table("By class", "class", "name", "cells", *PER_CLASS, "95% interval of f1")
    for row in rows:
        table.add_row(
            row["code"],
            escape(row["name"]),
            str(row["support"]),
            *(figure(row[name]) for name in PER_CLASS),
            interval_cells(row["f1_interval"])[1],
        )
    return table


def new_table(title: str, *columns: str) -> Table:
    """An empty table; the first column and one called "name" hold text, the others figures."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        is_text = index == 0 or column == "name"
        table.add_column(column, justify="left" if is_text else "right")
    return table


def _words(name: str) -> str:
    return name.replace("_", " ").replace("f1", "F1")


def figure(value: float | str) -> str:
    """A score with three decimals; words stay words."""
    return value if isinstance(value, str) else f"{value:.3f}"


def interval_cells(interval: Mapping[str, Any] | str) -> tuple[str, str]:
    """Estimate and ends; "not estimable" stands for both."""
    if isinstance(interval, str):
        return interval, interval
    return f"{interval['estimate']:.3f}", ends(interval, 3, lambda x, n: f"{x:.{n}f}")
