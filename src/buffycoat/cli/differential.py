"""`buffycoat differential`: percent of leukocytes on each slide, with limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.output import check_file
from buffycoat.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from buffycoat.cli.scored import Scored
    from buffycoat.evaluate.differential import DifferentialRow, Percent
    from buffycoat.taxonomy import Taxonomy

FULL_TABLES = 3
"""Groups up to which all classes are shown; of more, one line each."""
THRESHOLD = 2.0
"""Percent; near the 1.95 that Lu et al. 2022 (doi 10.1007/s12308-022-00484-w) found for an analyser
and one question. There is no agreed value."""
BLAST_THRESHOLD = 1.0
"""Percent. Ours: any true blast matters, and of 100 cells one is the least there can be."""


def differential(
    predictions: Annotated[
        Path, typer.Argument(help="CSV (ID,labels) or Parquet that predict wrote.")
    ],
    by: Annotated[str, typer.Option(help="Column to count by: slide_id, patient_id, ...")],
    groups: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet with ID and that column; default: PREDICTIONS."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Predictions for labelled cells that the model has not learned from; or a run's "
            "out_of_fold.parquet, which has their labels too."
        ),
    ] = None,
    calibration_labels: Annotated[
        Path | None,
        typer.Option(help="CSV of their true labels (ID,labels); not for out_of_fold.parquet."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of immature granulocytes to flag.")
    ] = THRESHOLD,
    blast_threshold: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of blasts to flag.")
    ] = BLAST_THRESHOLD,
    taxonomy: Annotated[str, typer.Option(help="auto, wbcbench, pbc or a .toml file.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="CSV file for all figures.")] = None,
) -> None:
    """Count the cells of each slide or patient, with the limits of so few cells.

    Percent is of leukocytes; erythroblasts are stated per 100 of them. With `--calibration`,
    a second figure takes out how the model errs, and its limits carry that too. It assumes that the
    model errs on these slides as on the labelled cells, and that its calls assume the same prior.

    Example: `buffycoat differential cells.parquet --by slide_id --groups slides.csv --out d.csv`
    """
    if calibration is None and calibration_labels is not None:
        raise ConfigError("--calibration-labels go with --calibration: give the predictions too")
    if out is not None:
        check_file(out, (".csv",), predictions, groups, calibration, calibration_labels)

    import numpy as np
    import pandas as pd

    from buffycoat.cli.scored import PROBABILITY, read_groups, read_predictions
    from buffycoat.evaluate.differential import BLAST, IMMATURE
    from buffycoat.evaluate.differential import differential as count
    from buffycoat.evaluate.grain import common_grain, relabelled
    from buffycoat.images import writing
    from buffycoat.taxonomy import resolve

    stated, frame = read_predictions(predictions)
    columns = [] if frame is None else [c for c in frame if str(c).startswith(PROBABILITY)]
    labels = {*stated.values(), *(str(c).removeprefix(PROBABILITY) for c in columns)}
    predicted = set(labels)
    known = _known(calibration, calibration_labels, taxonomy)
    if known is not None:
        labels |= {*known.targets, *known.predicted}
        shared = len(stated.keys() & set(known.cell_ids))
        if shared:
            errors_console().print(
                f"[yellow]{shared} of the {len(stated)} counted cells are calibration cells too: "
                "the limits are too narrow for new slides.[/]"
            )
    classes = common_grain(
        resolve(taxonomy, labels), predicted, [] if known is None else known.targets
    )
    table = None if known is None else _confusion(known.targets, known.predicted, classes)
    cell_ids = list(stated)
    slides = np.array(read_groups(groups or predictions, by, cell_ids))
    called = relabelled([stated[cell_id] for cell_id in cell_ids], classes)
    rows = count(classes.encode(called), slides, classes, table)
    _print(rows, by, {IMMATURE: threshold, BLAST: blast_threshold})
    if out is not None:
        with writing(out) as part:
            pd.DataFrame([row.to_dict() for row in rows]).to_csv(part, index=False)
        typer.echo(f"Figures: {out}")


def _known(calibration: Path | None, labels: Path | None, taxonomy: str) -> Scored | None:
    """Labelled cells with the model's calls, if there are any."""
    from buffycoat.cli.scored import read_out_of_fold, read_scored

    if calibration is None:
        return None
    if labels is not None:
        return read_scored(calibration, labels, taxonomy)
    errors_console().print(
        "[yellow]Calibrated by out-of-fold calls: each is one fold's model's, which does not err "
        "quite as the bundle does. Adjusted figures are off by the difference, and their limits do "
        "not cover it; predictions for held-out cells are better.[/]"
    )
    return read_out_of_fold(calibration, taxonomy)


def _confusion(targets: list[str], predicted: list[str], taxonomy: Taxonomy) -> np.ndarray:
    """Of the cells whose class is known: a label coarser than one tells no error within it."""
    from buffycoat.evaluate.grain import relabelled
    from buffycoat.evaluate.metrics import confusion

    targets, predicted = relabelled(targets, taxonomy), relabelled(predicted, taxonomy)
    is_fine = taxonomy.is_fine(targets)
    if not is_fine.all():
        errors_console().print(
            f"[yellow]{(~is_fine).sum()} of {len(targets)} calibration cells have a label coarser "
            "than a class; they are left out.[/]"
        )
    truth, called = (
        taxonomy.encode([label for label, fine in zip(part, is_fine, strict=True) if fine])
        for part in (targets, predicted)
    )
    return confusion(truth, called, len(taxonomy))


def _print(rows: Sequence[DifferentialRow], by: str, thresholds: Mapping[str, float]) -> None:
    """Figures of each group, and those that are flagged from a threshold on."""
    from buffycoat.cli.tables import new_table

    console = results_console()
    names = list(dict.fromkeys(row.group for row in rows))
    if len(names) <= FULL_TABLES:
        for name in names:
            of = [row for row in rows if row.group == name]
            title = f"{escape(name)}: {of[0].n_leukocytes} leukocytes"
            shown = new_table(title, "class", "cells", "percent", "adjusted for errors")
            for row in of:
                unit = "" if row.is_leukocyte else ", per 100 leukocytes"
                shown.add_row(row.name + unit, str(row.count), *_figures(row))
            console.print(shown)
    for name, threshold in thresholds.items():
        flagged = [row for row in rows if row.name == name]
        if not flagged:
            continue
        title = f"{name[0].upper()}{name[1:]}, flagged from {threshold:g} % on"
        shown = new_table(title, by, "leukocytes", "percent", "adjusted for errors", "flag")
        for row in flagged:
            flag = _flag(row.adjusted or row.raw, threshold)
            shown.add_row(escape(row.group), str(row.n_leukocytes), *_figures(row), flag)
        console.print(shown)
    for why in dict.fromkeys(f"{row.name}: {row.why}" for row in rows if row.why):
        console.print(f"Not adjusted, too few labelled cells: {escape(why)}.", highlight=False)
    console.print(
        "Limits are 95 %: of counting for percent, of counting and misclassification for adjusted. "
        "Not a medical device."
    )


def _figures(row: DifferentialRow) -> tuple[str, str]:
    return _words(row.raw), "" if row.adjusted is None else _words(row.adjusted)


def _words(of: Percent) -> str:
    value = "-" if of.value != of.value else f"{of.value:.1f}"
    return f"{value} ({of.low:.1f} - {of.high:.1f})"


def _flag(of: Percent, threshold: float) -> str:
    """Flagged, or not; and a count too small to say so is no all-clear."""
    if of.value >= threshold:
        return "flagged"
    return "not excluded" if of.high >= threshold else "below"
