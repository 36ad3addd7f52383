"""The table of a bundle at other laboratories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from buffycoat.report import svg
from buffycoat.report.interval_plot import Dot, interval_plot

KEYS = ("bundle", "site", "step", "labels_a_type", "draw")
"""What makes a row."""
FIGURES = (
    "n", "balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high", "macro_f1",
    "macro_f1_low", "macro_f1_high", "kept", "kept_right", "kept_right_low", "kept_right_high",
    "coverage", "coverage_low", "coverage_high", "set_size", "recalls",
)  # fmt: skip
COLUMNS = (
    *KEYS, *FIGURES, "labelled", "is_last_stage_taught", "estimated_gain", "seconds", "note",
)  # fmt: skip
NUMBERS = [name for name in FIGURES if name != "recalls"] + ["seconds"]


def markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """The table for people: the mean over draws, with the least and largest of them.

    Args:
        table: A row a step and draw, with `COLUMNS`.
    """
    head = (
        "site", "step", "labels a type", "cells scored", "balanced accuracy, forced to the types",
        "macro-F1", "kept", "right of those", "coverage of sets", "size of sets", "draws refused",
        "seconds",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|-" * len(head) + "|"]
    frame = pd.DataFrame(table, columns=list(COLUMNS))
    for key, rows in frame.groupby(["site", "step", "labels_a_type"], sort=False):
        site, step, n = cast(tuple[str, str, int], key)
        mean = rows[NUMBERS].astype(float).mean()
        refused = int(rows["note"].fillna("").str.startswith("refused").sum())
        figures = (
            site,
            step,
            str(n) if n else "",
            f"{mean['n']:.0f}",
            _with_ends(rows, mean, "balanced_accuracy"),
            _with_ends(rows, mean, "macro_f1"),
            f"{mean['kept']:.2f}",
            f"{mean['kept_right']:.3f}",
            f"{mean['coverage']:.3f}",
            f"{mean['set_size']:.2f}",
            f"{refused} of {len(rows)}" if refused or len(rows) > 1 else "",
            f"{mean['seconds']:.0f}",
        )
        lines.append("| " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines) + "\n"


def picture(table: Sequence[Mapping[str, Any]]) -> str:
    """Balanced accuracy of each site and step as the text of an .svg file.

    Args:
        table: A row a step and draw, with `COLUMNS`; of several draws the mean, least and largest.
    """
    frame = pd.DataFrame(table, columns=list(COLUMNS))
    dots = []
    for key, rows in frame.groupby(["site", "step", "labels_a_type"], sort=False):
        site, step, n = cast(tuple[str, str, int], key)
        columns = [f"balanced_accuracy{end}" for end in ("", "_low", "_high")]
        figures = rows[columns].to_numpy(dtype=float)  # (draws, 3)
        values = figures[:, 0]
        ends = values if len(values) > 1 else figures[0, 1:]
        low, high = float(ends.min()), float(ends.max())
        words = f"{values.mean():.2f} ({low:.2f} to {high:.2f})"
        label = f"{site}: {step}" + (f", {n} labels" if n else "")
        dots.append(Dot(label, float(values.mean()), low, high, words, "tail" if n else "main"))
    said = "; ".join(f"{dot.label}: {dot.text}" for dot in dots)
    title = "Balanced accuracy at other laboratories; diamonds: adapted with labels"
    return svg.alone(interval_plot(dots, "balanced accuracy"), "sites", title, said)


def _with_ends(rows: pd.DataFrame, mean: Any, name: str) -> str:
    """Of one row its 95 % interval; of several draws their mean, least and largest."""
    if len(rows) == 1:
        return f"{mean[name]:.3f} ({mean[name + '_low']:.3f} to {mean[name + '_high']:.3f})"
    values = rows[name].astype(float)
    return f"{mean[name]:.3f} (draws {values.min():.3f} to {values.max():.3f})"
