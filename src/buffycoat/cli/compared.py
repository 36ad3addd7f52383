"""What the comparison of two methods looks like in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.markup import escape

from buffycoat.cli.console import results_console
from buffycoat.cli.tables import figure, interval_cells, new_table
from buffycoat.evaluate.compare import BOTH_WRONG
from buffycoat.plurals import counted
from buffycoat.report.wording import ends


def some_of_each(cells: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most so many rows, as evenly over the true classes as can be, order kept."""
    turn = cells.groupby("truth").cumcount().to_numpy()
    chosen = np.sort(np.argsort(turn, kind="stable")[:count])
    return cells.iloc[chosen]


def print_comparison(record: Mapping[str, Any], a: Path, b: Path) -> None:
    """Print what `evaluate.compare.compare` gives."""
    console = results_console()
    console.print(f"A: {escape(str(a))}\nB: {escape(str(b))}", highlight=False, soft_wrap=True)
    title = f"{counted(record['n'], 'cell')}, {record['level']} figures"
    overall = new_table(title, "score", "A", "B", "B - A", "95% interval of B - A")
    for name, of in record["overall"].items():
        words = name.replace("_", " ").replace("f1", "F1")
        overall.add_row(words, figure(of["a"]["estimate"]), figure(of["b"]["estimate"]),
                        *_signed(of["difference"]))  # fmt: skip
    console.print(overall)
    console.print(_class_table(record["per_class"]))
    test, changed = record["mcnemar"], record["changed"]
    console.print(
        f"Changed: {test['won']} won (wrong by A, right by B), {test['lost']} lost, "
        f"{changed[BOTH_WRONG]} wrong by both in another way. Exact McNemar p {test['p']:.3g}, "
        "which assumes independent cells. Won, lost and p by class count the cells of that true "
        "class: they are of its sensitivity; F1 falls with false positives too. P by class is "
        "corrected for the number of classes (Holm).",
        highlight=False,
    )
    console.print(_merit(record["order_of_merit"]), highlight=False)
    if not any(changed.values()):
        console.print("A and B give every cell the same class: the limits are of cells not seen.")
    if record["absent"]:
        console.print(f"No cells of {', '.join(record['absent'])}: not in the averages.")


def _merit(order: Mapping[str, Any]) -> str:
    if order["better"] is None:
        return "By WBCBench's order of merit neither is better; inference time is not compared."
    words = order["decided_by"].replace("_", " ").replace("f1", "F1")
    return f"By WBCBench's order of merit {order['better'].upper()} is better, by {words}."


def _class_table(rows: list[dict[str, Any]]) -> Any:
    columns = ("F1 A", "F1 B", "B - A", "95% interval", "won", "lost", "p (Holm)")
    table = new_table("By class", "class", "name", "cells", *columns)
    for row in rows:
        table.add_row(
            row["code"],
            escape(row["name"]),
            str(row["support"]),
            figure(row["f1_a"]),
            figure(row["f1_b"]),
            *_signed(row["f1_difference"]),
            str(row["won"]),
            str(row["lost"]),
            f"{row['p_holm']:.3g}",
        )
    return table


def _signed(difference: Mapping[str, Any] | str) -> tuple[str, str]:
    if isinstance(difference, str):
        return interval_cells(difference)
    return f"{difference['estimate']:+.3f}", ends(difference, 3, lambda x, n: f"{x:+.{n}f}")
