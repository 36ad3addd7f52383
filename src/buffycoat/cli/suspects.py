"""`buffycoat suspects`: labels of training cells that may be wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.output import check_file
from buffycoat.plurals import counted, some_of


def suspects(
    scores: Annotated[
        Path,
        typer.Argument(
            help="out_of_fold.parquet of a training run; or predictions with probabilities by a "
            "model that has not learned from the cells, with --labels."
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV or Parquet for the cells.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV of labels (ID,labels); not for out_of_fold.parquet."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Cells to list; default: those taken for wrong."),
    ] = None,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
) -> None:
    """List the training cells whose label may be wrong, the most suspicious first.

    Nothing is changed: look at each. The list can be opened by `buffycoat review`, whose export is
    a table of labels again. A model cannot tell its own error from a wrong label: where labels had
    been flipped on purpose, about half of what was listed was wrong (docs/audit.md).

    Example: `buffycoat suspects runs/mine/out_of_fold.parquet --out suspects.csv`
    """
    check_file(out, (".csv", ".parquet"), scores, labels)

    from buffycoat.errors import ManifestError
    from buffycoat.evaluate.label_errors import suspects_table
    from buffycoat.evaluate.scored import read_out_of_fold, read_scored
    from buffycoat.images import writing
    from buffycoat.tables import write_csv

    cells = (
        read_out_of_fold(scores, taxonomy, "--labels")
        if labels is None
        else read_scored(scores, labels, taxonomy)
    )
    if cells.probs is None:
        raise ManifestError(
            f"{scores}: has labels and no probabilities. Give what `buffycoat predict` wrote to "
            ".parquet, or to .csv with --columns probs"
        )
    table, n_wrong = suspects_table(cells, count)
    if out.suffix.lower() == ".csv":
        write_csv(out, table)
    else:
        with writing(out) as part:
            table.to_parquet(part, index=False)
    coarse = len(cells.targets) - int(cells.taxonomy.is_fine(cells.targets).sum())
    if coarse:
        errors_console().print(
            f"[yellow]{counted(coarse, 'cell')} left out: the label is coarser than a class.[/]"
        )
    console = results_console()
    console.print(f"{some_of(n_wrong, len(cells.targets) - coarse, 'label')} may be wrong.")
    of = Counter(zip(table["label"], table["suggested"], strict=True))
    for (label, other), n in of.most_common(5):
        console.print(f"  {n} labelled {escape(label)}, more like {escape(other)}")
    console.print(f"Cells to look at: {len(table)}, in {escape(str(out))}", soft_wrap=True)
