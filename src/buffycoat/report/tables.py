"""The tables beside a report: every figure on the page is a row of one of them.

A row has a name of its own in the column `row`; the page marks each number with it, so that a
reader, or a test, can go from a mark in a figure to the file and the line that it was drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buffycoat.images import write_atomic
from buffycoat.report import cell_rows, run_rows, score_rows
from buffycoat.report.records import ReportData
from buffycoat.tables import csv_text

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """One file.

    Attributes:
        name: Of the file, without ".csv".
        about: What it holds, in a sentence.
        rows: Each with a unique `row`; all with the same columns.
    """

    name: str
    about: str
    rows: Sequence[Row]

    def of(self, **wanted: Any) -> list[Row]:
        """The rows whose columns hold these values, in order."""
        return [row for row in self.rows if all(row[k] == v for k, v in wanted.items())]

    def get(self, name: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row["row"] == name)

    def to_csv(self) -> str:
        """As text: numbers in full, nothing where there is none, lists joined by spaces."""
        if not self.rows:
            return ""
        return csv_text([*self.rows[0]], ([*map(_plain, row.values())] for row in self.rows))


def build_tables(data: ReportData) -> dict[str, Table]:
    """Every table of a report by its name; one without rows is not written."""
    evaluations = data.evaluations
    tables = (
        Table("metrics", "Every overall score of every split, with its interval and what it "
              "rests on.", score_rows.metric_rows(evaluations)),
        Table("classes", "Every score of every class of every split, with its interval.",
              score_rows.class_rows(evaluations)),
        Table("groups", "Scores of groups of classes that true labels name: any class of the group "
              "is right.", score_rows.group_rows(evaluations)),
        Table("curves", "Points of each class's precision-recall curve.",
              score_rows.curve_rows(data.curves)),
        Table("confusion", "Cells of each true and each predicted class.",
              score_rows.confusion_rows(evaluations)),
        Table("differential", "Percent of the cells of each class, by the labels and as predicted.",
              score_rows.differential_rows(evaluations)),
        Table("strata", "Scores by severity of degradation, by band of class size, and by both.",
              score_rows.strata_rows(evaluations, data.crossing)),
        Table("reliability", "Bins of the reliability diagrams.",
              score_rows.reliability_rows(evaluations)),
        Table("label_sets", "Coverage of the prediction sets of each class.",
              run_rows.label_set_rows(data.doubt)),
        Table("abstention", "Scores of the surest cells, as the model abstains on the others.",
              run_rows.abstention_rows(data.doubt)),
        Table("ablation", "The score as stages are added.", run_rows.ablation_rows(data.ablation)),
        Table("stages", "What each stage did, or why it is off.",
              run_rows.stage_rows(data.stage_notes)),
        Table("rules", "Rules that return rare classes, and what they did to held-out cells.",
              run_rows.rule_rows(data.rules)),
        Table("doubtful", "Every cell that a person should look at, with the reasons.",
              cell_rows.example_rows(data.cells.doubtful)),
        Table("rescued", "Every cell whose label a rule changed, with the reasons.",
              cell_rows.example_rows(data.cells.rescued)),
        Table("restored", "Every cell that restoration was tried on, and what the gate measured.",
              cell_rows.restored_rows(data.cells.restored)),
        Table("examples", "Right, doubtful and wrong cells of each class: its contact sheet.",
              cell_rows.example_rows(data.cells.examples)),
        Table("confused", "Cells of the commonest confusions.",
              cell_rows.example_rows(data.cells.confused)),
        Table("map", "Places of training, doubtful and wrong cells on the map of embeddings.",
              cell_rows.map_rows(data.points)),
        Table("audit", "What the audit of the data set checked and found.",
              run_rows.audit_rows(data.audit)),
        Table("provenance", "Data, settings, versions and times that these figures were made with.",
              run_rows.provenance_rows(data)),
    )  # fmt: skip
    return {table.name: table for table in tables}


def write_tables(folder: Path, tables: Mapping[str, Table]) -> list[Path]:
    """Write each table that has rows as `NAME.csv`; one left by an older report is removed.

    Raises:
        OutputError: The folder cannot be written.
    """
    written = []
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        if not table.rows:
            path.unlink(missing_ok=True)
            continue
        write_atomic(path, table.to_csv().encode("utf-8"))
        written.append(path)
    return written


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return value
