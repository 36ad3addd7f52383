"""`buffycoat suggest`: which cells to label next."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import results_console
from buffycoat.cli.output import check_file
from buffycoat.plurals import counted


def suggest(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="Predictions with probabilities, .parquet or .csv.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV or Parquet for the cells.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV with ID,labels of the cells that have one: they are not suggested."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Cells to suggest.")] = 20,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
) -> None:
    """Suggest which cells to label next, the most useful first.

    They are cells of which the model is unsure, and unlike each other. Pictures that show no white
    cell by the model's evidence (no_cell) are left out. OUT has the columns of the predictions, so
    `buffycoat review` opens it, and its export goes to --labels and to `adapt` or `train`.

    Example: `buffycoat suggest cells.parquet --out next.parquet`

    The next twenty: `buffycoat suggest cells.parquet --labels labels.csv --out next.parquet`
    """
    check_file(out, (".csv", ".parquet"), predictions, labels)

    from buffycoat.evaluate import label_next
    from buffycoat.images import writing
    from buffycoat.tables import write_csv

    found = label_next.suggest(predictions, count, labels, taxonomy)
    if out.suffix.lower() == ".csv":
        write_csv(out, found.table)
    else:
        with writing(out) as part:
            found.table.to_parquet(part, index=False)
    console = results_console()
    console.print(
        f"{counted(len(found.table), 'cell')} to label next, of {found.n_open} without a label.",
        highlight=False,
    )
    counts = Counter(found.predicted).most_common()
    console.print(
        f"Predicted classes: {escape(', '.join(f'{n} {code}' for code, n in counts))}",
        highlight=False,
    )
    if found.n_without_cell:
        console.print(
            f"Left out, since they show no white cell: {found.n_without_cell}", highlight=False
        )
    console.print(f"Cells: {escape(str(out))}", soft_wrap=True, highlight=False)
