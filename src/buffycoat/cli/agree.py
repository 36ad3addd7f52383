"""`buffycoat agree`: a reader's and a model's differentials of the same slides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.output import check_file
from buffycoat.errors import ConfigError
from buffycoat.plurals import counted, some_of

if TYPE_CHECKING:
    from rich.table import Table

    from buffycoat.evaluate.agreement import ClassAgreement, Estimate
    from buffycoat.evaluate.two_readings import TwoReadings


def agree(
    reader: Annotated[
        Path,
        typer.Argument(help="The reader's counts, as `differential --out` writes them; or labels."),
    ],
    model: Annotated[
        Path, typer.Argument(help="The model's counts of the same slides; or its predictions.")
    ],
    by: Annotated[
        str | None, typer.Option(help="Column of slides, where both are tables of cells.")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV or Parquet with ID and that column; default: MODEL.")
    ] = None,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="CSV file for all figures.")] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="SVG file: of each class the model's figures against the reader's, with "
            "Passing-Bablok's line, and a Bland-Altman plot."
        ),
    ] = None,
) -> None:
    """Compare a reader's and a model's differentials, class by class over slides.

    Bland-Altman bias and limits of agreement, Passing-Bablok regression, and on how many slides the
    model lies within the 95 % limits of the reader's count. CLSI H20 has two readers count 200
    cells of each slide: sum their counts. Two tables of the same cells give Cohen's kappa too.

    Example: `buffycoat agree reader.csv differential.csv --out agreement.csv --picture a.svg`
    """
    if out is not None:
        check_file(out, (".csv",), reader, model, groups)
    if picture is not None:
        check_file(picture, (".svg",), reader, model, groups, option="--picture")

    import pandas as pd

    from buffycoat.evaluate.agreement import compare_slides
    from buffycoat.images import write_atomic
    from buffycoat.report.agreement_plot import agreement_plot
    from buffycoat.tables import write_csv

    found = _read(reader, model, by, groups, taxonomy)
    rows = compare_slides(found.reader, found.model, found.taxonomy)
    console = results_console()
    console.print(_table(rows))
    for line in _notes(found):
        console.print(line, highlight=False)
    if out is not None:
        write_csv(out, pd.DataFrame([row.to_dict() for row in rows]))
        console.print(f"Figures: {escape(str(out))}", soft_wrap=True)
    if picture is not None:
        write_atomic(picture, agreement_plot(rows).encode())
        console.print(f"Picture: {escape(str(picture))}", soft_wrap=True)
    console.print("Not a medical device.")


def _read(
    reader: Path, model: Path, by: str | None, groups: Path | None, taxonomy: str
) -> TwoReadings:
    from buffycoat.evaluate.two_readings import is_counted, read_cells, read_slides

    are_counted = [is_counted(path) for path in (reader, model)]
    if all(are_counted):
        return read_slides(reader, model, taxonomy)
    if any(are_counted):
        raise ConfigError(
            f"{reader} and {model}: one holds counts of slides and the other cells. Count the "
            "cells first: buffycoat differential"
        )
    if by is None:
        raise ConfigError("tables of cells need --by: the column of their slides")
    return read_cells(reader, model, by, groups, taxonomy)


def _table(rows: list[ClassAgreement]) -> Table:
    from buffycoat.cli.tables import new_table

    n = len(rows[0].reader)
    shown = new_table(
        f"{counted(n, 'slide')}; percent of leukocytes, model minus reader",
        "class", "reader", "model", "bias", "limits of agreement", "slope", "intercept",
        "within limits",
    )  # fmt: skip
    for row in rows:
        if not (row.reader.any() or row.model.any()):
            continue
        of = row.differences
        limits = "-" if of is None else f"{of.lower.value:.1f} to {of.upper.value:.1f}"
        shown.add_row(
            row.name,
            f"{row.reader.mean():.1f}",
            f"{row.model.mean():.1f}",
            _words(of and of.bias),
            limits,
            _words(row.line and row.line.slope, 2),
            _words(row.line and row.line.intercept),
            f"{row.n_within} of {n}",
        )
    return shown


def _words(of: Estimate | None, digits: int = 1) -> str:
    if of is None:
        return "-"
    if of.value != of.value:  # NaN
        return "not estimable"
    if of.low != of.low:
        return f"{of.value:.{digits}f} (no interval)"
    return f"{of.value:.{digits}f} ({of.low:.{digits}f} to {of.high:.{digits}f})"


def _notes(found: TwoReadings) -> list[str]:
    from buffycoat.evaluate.agreement import H20_CELLS, LEAST_SLIDES, kappa, maturation_columns

    notes = [
        "Intervals are 95 %. Within limits: slides where the model is within the 95 % limits of "
        "the reader's count.",
        f"A slope needs the class on {LEAST_SLIDES} slides.",
    ]
    few = int((found.reader.sum(axis=1) < H20_CELLS).sum())
    if few:
        notes.append(
            f"{some_of(few, len(found.slides), 'slide', 'has', 'have')} fewer than {H20_CELLS} "
            "cells by the reader, "
            "two readers' 200 each in CLSI H20: limits are wider there, and easier to be within."
        )
    if found.confusions is not None:
        notes.append(f"Kappa per cell: {_words(kappa(found.confusions), 2)}")
        line = maturation_columns(found.taxonomy)
        weighted = kappa(found.confusions[:, line][:, :, line], is_weighted=True)
        if weighted.value == weighted.value:
            codes = ", ".join(found.taxonomy.codes[column] for column in line)
            notes.append(f"Weighted kappa along maturation ({codes}): {_words(weighted, 2)}")
    if found.left_out:
        what = "slides are in one table only" if found.confusions is None else (
            "cells have a label coarser than a class"
        )  # fmt: skip
        errors_console().print(f"[yellow]{found.left_out} {what} and were left out.[/]")
    return notes
