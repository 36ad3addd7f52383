"""`buffycoat compare`: two tables of predictions on the same cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, print_bad_cells
from buffycoat.cli.output import check_folder
from buffycoat.errors import ConfigError, ImageError
from buffycoat.plurals import counted

if TYPE_CHECKING:
    import pandas as pd


def compare(
    a: Annotated[Path, typer.Argument(help="Predictions of the first method, .csv or .parquet.")],
    b: Annotated[Path, typer.Argument(help="Predictions of the second method.")],
    labels: Annotated[Path, typer.Argument(help="CSV of the true labels (ID,labels).")],
    patients: Annotated[
        Path | None,
        typer.Option(help="CSV (ID,patient_id): patients are resampled whole. May be LABELS."),
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare the cells that all three files hold.")
    ] = False,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Folder for comparison.json and changed.csv.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of the cells' images: adds OUT/changed.png, won and lost cells."),
    ] = None,
) -> None:
    """Compare two methods on the same cells: score differences, and cells that one gets right.

    Every difference is B minus A, on the same resampled cells. Won cells: wrong by A, right by B;
    lost cells: the reverse. How intervals are made, and their coverage: docs/honest-reporting.md.

    Example: `buffycoat compare old.parquet new.parquet labels.csv --out old-new`
    """
    if images is not None and out is None:
        raise ConfigError("--images draws OUT/changed.png: give a folder with --out as well")
    if out is not None:
        check_folder(out)

    import numpy as np

    from buffycoat.cli.compared import print_comparison
    from buffycoat.evaluate.compare import compare as compare_methods
    from buffycoat.evaluate.compared import changed_cells, read_compared
    from buffycoat.evaluate.side_tables import read_patients

    compared = read_compared(a, b, labels, taxonomy, common)
    groups = None
    if patients is not None:
        groups = np.array(read_patients(patients, compared.frame["ID"].tolist()))
    truth, by_a, by_b = (compared.indices(column) for column in ("truth", "a", "b"))
    record = compare_methods(truth, by_a, by_b, compared.taxonomy, groups)
    if compared.left_out:
        errors_console().print(
            f"[yellow]{counted(compared.left_out, 'cell')} left out: not in all three files.[/]"
        )
    if compared.coarse:
        errors_console().print(
            f"[yellow]{counted(compared.coarse, 'cell')} left out: the label is coarser than a "
            "class.[/]"
        )
    print_comparison(record, a, b)
    if out is not None:
        record |= {
            "a": str(a),
            "b": str(b),
            "left_out": compared.left_out,
            "coarse": compared.coarse,
        }
        _write(record, changed_cells(compared), out, images)


def _write(record: dict[str, Any], changed: pd.DataFrame, out: Path, images: Path | None) -> None:
    from buffycoat.images import write_atomic
    from buffycoat.tables import write_csv

    write_atomic(out / "comparison.json", (json.dumps(record, indent=1) + "\n").encode())
    write_csv(out / "changed.csv", changed)
    if images is not None:
        _draw(record, changed, out, images)
    typer.echo(f"Figures, changed cells{' and contact sheet' if images else ''}: {out}")


def _draw(record: dict[str, Any], changed: pd.DataFrame, out: Path, images: Path) -> None:
    import pandas as pd

    from buffycoat.cli.compared import some_of_each
    from buffycoat.evaluate.compare import LOST, WON
    from buffycoat.images import read, write_png
    from buffycoat.report.changed_sheet import MAX_CELLS, ChangedCell, draw_changed_sheet
    from buffycoat.sources.read import read as read_cells

    cells = read_cells(images, "images" if images.is_dir() else "auto").frame
    paths = dict(zip(cells["cell_id"].astype(str), cells["path"].astype(str), strict=True))
    wanted = changed.loc[changed["change"].isin([WON, LOST])]
    there = wanted.loc[wanted["ID"].isin(list(paths))]
    if len(there) < len(wanted):
        errors_console().print(
            f"[yellow]{len(wanted) - len(there)} of {len(wanted)} won or lost cells have no image "
            f"in {escape(str(images))} and are not on the sheet.[/]",
            highlight=False,
        )
    parts = [some_of_each(there.loc[there["change"] == kind], MAX_CELLS) for kind in (WON, LOST)]
    shown, bad = [], []
    for row in pd.concat(parts).to_dict("records"):
        try:
            image = read(paths[row["ID"]])
        except ImageError as error:
            bad.append((row["ID"], paths[row["ID"]], str(error)))
            continue
        is_won = row["change"] == WON
        shown.append(ChangedCell(row["ID"], image, row["truth"], row["a"], row["b"], is_won))
    counts = record["changed"]
    names = (Path(record["a"]).name, Path(record["b"]).name)
    write_png(out / "changed.png", draw_changed_sheet(names, shown, counts[WON], counts[LOST]))
    if bad:
        print_bad_cells(bad)
