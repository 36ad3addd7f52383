"""Two tables of predictions and the labels, joined by ID; and what their comparison looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.markup import escape

from buffycoat.cli.console import results_console
from buffycoat.cli.label_tables import read_labels, say
from buffycoat.cli.scored import read_predictions
from buffycoat.cli.tables import figure, interval_cells, new_table
from buffycoat.errors import ManifestError
from buffycoat.evaluate.compare import BOTH_WRONG, LOST, SAME, WON, changes
from buffycoat.evaluate.grain import common_grain, relabelled
from buffycoat.report.wording import ends
from buffycoat.tables import join_names
from buffycoat.taxonomy import Taxonomy, resolve


@dataclass(frozen=True)
class Compared:
    """Cells that both methods and the truth have.

    Attributes:
        frame: One row a cell, in the order of the labels: `ID`, `truth`, `a`, `b` (codes) and
            `change`, as `evaluate.compare.changes` says.
        taxonomy: The classes.
        left_out: Cells that one of the files lacks, with `--common`.
        coarse: Cells left out since their label is coarser than a class.
    """

    frame: pd.DataFrame
    taxonomy: Taxonomy
    left_out: int
    coarse: int

    def indices(self, column: str) -> np.ndarray:
        """Column index of each cell's truth, a or b, shape (n,)."""
        return self.taxonomy.encode(self.frame[column].tolist())


def read_compared(
    a: Path, b: Path, labels: Path, taxonomy: str = "auto", is_common: bool = False
) -> Compared:
    """Read two tables of predictions and the labels.

    Args:
        a: CSV (`ID,labels`) or Parquet, as `buffycoat predict` writes them.
        b: The same of the other method.
        labels: CSV with `ID,labels`.
        taxonomy: "auto", a built-in name, or a .toml file.
        is_common: Compare the cells that all three hold; else others are a fault.

    Raises:
        ManifestError: The files hold different cells, no cell in common, or a table has faults.
        TaxonomyError: A label is not in the taxonomy.
    """
    if a.resolve() == b.resolve():
        raise ManifestError(f"{a}: is both A and B; give the predictions of two methods")
    by_a, by_b = (read_predictions(path, taxonomy)[0] for path in (a, b))
    truth = read_labels(labels, taxonomy, by_a)
    tables = [_named_as(by_a, truth, labels), by_a, _named_as(by_a, by_b, b)]
    every = list(dict.fromkeys(cell_id for of in tables for cell_id in of))
    common = [cell_id for cell_id in every if all(cell_id in of for of in tables)]
    if not common or (len(common) < len(every) and not is_common):
        raise ManifestError(_different((labels, a, b), tables, every, len(common)))
    n_lacking = len(every) - len(common)
    truth, by_a, by_b = ([of[cell_id] for cell_id in common] for of in tables)
    classes = common_grain(resolve(taxonomy, {*truth, *by_a, *by_b}), {*by_a, *by_b}, truth)
    truth, by_a, by_b = (relabelled(part, classes) for part in (truth, by_a, by_b))
    is_fine = classes.is_fine(truth)
    common, truth, by_a, by_b = (
        [value for value, fine in zip(part, is_fine, strict=True) if fine]
        for part in (common, truth, by_a, by_b)
    )
    change = changes(*(classes.encode(part) for part in (truth, by_a, by_b)))
    frame = pd.DataFrame({"ID": common, "truth": truth, "a": by_a, "b": by_b, "change": change})
    return Compared(frame, classes, n_lacking, int((~is_fine).sum()))


def _named_as(known: Mapping[str, str], table: Mapping[str, str], path: Path) -> dict[str, str]:
    """A table by the names that A has for its cells, where these are written in another way."""
    joined = join_names(table, known)
    if joined.how:
        say(path, f"IDs matched {joined.how}: {len(joined.known)} of {len(table)}")
    return {joined.known.get(cell_id, cell_id): label for cell_id, label in table.items()}


def changed_cells(compared: Compared) -> pd.DataFrame:
    """The cells that changed: won, lost, both wrong; of each kind in the taxonomy's order."""
    kinds = [WON, LOST, BOTH_WRONG]
    change = compared.frame["change"].tolist()
    rows = [row for row, kind in enumerate(change) if kind != SAME]
    column = compared.indices("truth")
    rows.sort(key=lambda row: (kinds.index(change[row]), column[row]))
    return compared.frame.iloc[rows].reset_index(drop=True)


def some_of_each(cells: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most so many rows, as evenly over the true classes as can be, order kept."""
    turn = cells.groupby("truth").cumcount().to_numpy()
    chosen = np.sort(np.argsort(turn, kind="stable")[:count])
    return cells.iloc[chosen]


def print_comparison(record: Mapping[str, Any], a: Path, b: Path) -> None:
    """Print what `evaluate.compare.compare` gives."""
    console = results_console()
    console.print(f"A: {escape(str(a))}\nB: {escape(str(b))}", highlight=False, soft_wrap=True)
    title = f"{record['n']} cells, {record['level']} figures"
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
        f"{changed[BOTH_WRONG]} wrong by both in another way. Exact McNemar p {test['p']:.3g}; it "
        "takes cells for independent. Won, lost and p of a class are of the cells that are truly "
        "of it, so of its sensitivity; F1 falls with false calls too. P by class is corrected for "
        "the number of classes (Holm).",
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


def _different(
    paths: Sequence[Path], tables: Sequence[Mapping[str, str]], every: list[str], n_common: int
) -> str:
    lacks = []
    for path, of in zip(paths, tables, strict=True):
        missing = [cell_id for cell_id in every if cell_id not in of]
        if missing:
            lacks.append(f"{path} lacks {len(missing)} of them, first {missing[0]!r}")
    remedy = "Give tables of the same cells"
    if n_common:
        remedy += f", or compare the {n_common} that all three hold with --common"
    return f"the files hold {len(every)} cells, but not the same ones: {'; '.join(lacks)}. {remedy}"
