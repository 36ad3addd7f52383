"""`buffycoat differential`: percent of leukocytes on each slide, with limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli import count as counting
from buffycoat.cli.output import check_file
from buffycoat.cli.prior import Prior
from buffycoat.errors import ConfigError, OutputError
from buffycoat.evaluate.limits import BLAST_THRESHOLD, MOSTLY, THRESHOLD


def differential(
    what: Annotated[
        str,
        typer.Argument(
            metavar="PREDICTIONS | BUNDLE",
            help="Parquet that predict wrote, or its CSV with --columns doubt (a plain ID,labels "
            "does not say which cells are doubtful). Or, before FIELDS, the folder of a bundle or "
            "`starter`.",
            show_default=False,
        ),
    ],
    fields: Annotated[
        Path | None,
        typer.Argument(metavar="FIELDS", help="Folder of photographs of fields, or one."),
    ] = None,
    *,
    by: Annotated[
        str | None,
        typer.Option(
            help="Column to count by: slide_id, patient_id, ...; default: slide_id, else "
            "patient_id, else the folder of the field, else all together. Of FIELDS, slide_id is "
            "the folder that a field lies in, and `field` counts each by itself."
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            help="CSV or Parquet with ID and that column; default: PREDICTIONS. IDs are those of "
            "cells or of their fields."
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Predictions for labelled cells that the model was not trained on; or a run's "
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
    max_doubtful: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="Percent of doubtful cells over which a slide has no differential."
        ),
    ] = 100 * MOSTLY,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
    count_faulty: Annotated[
        bool, typer.Option("--count-faulty", help="Count cells of fields with a fault too.")
    ] = False,
    um_per_px: Annotated[
        float | None,
        typer.Option(help="Of FIELDS: width of a pixel; by default estimated from red cells."),
    ] = None,
    prior: Prior = None,
    allow_bad: Annotated[
        int,
        typer.Option(min=0, help="Of FIELDS: exit with 0 if at most so many cannot be used."),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="CSV file for all figures. Of FIELDS: folder for all results, by default "
            "NAME-differential here."
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Of PREDICTIONS: SVG file for the differential of each slide as bars with limits. "
            "The page of FIELDS has them."
        ),
    ] = None,
) -> None:
    """Count the cells of each slide or patient: percent of leukocytes, with 95 % limits.

    Cells are those of PREDICTIONS, or are found in photographs of FIELDS and classified with
    BUNDLE first. OUT then has the differential, a page with the cells of each class, the
    predictions, the crops, and each field with its cells outlined. If it is stopped, the same
    command continues.

    Erythroblasts are stated per 100 leukocytes. Doubtful cells, which predict marks for a look,
    are counted; figures without them stand beside. A slide with more of them than --max-doubtful
    has no differential (status refused in the CSV file); the exit code is 4 if no slide has one.
    Flag "only doubtful cells: look": the threshold is reached with them and not without.

    Not counted, and listed: fields with a fault (too thick, out of focus, ...: see
    docs/fields.md), smudges, and cells cut by the right or lower border.

    With --calibration, adjusted figures correct for misclassification, and their limits include
    its uncertainty: all cells by all labelled cells, cells that are not doubtful by the labelled
    cells that are not. This assumes the same misclassification rates on these slides as on the
    labelled cells, and predictions at the same prior.

    Example: `buffycoat differential starter fields/`, or `buffycoat differential cells.parquet
    --groups slides.csv --out d.csv`
    """
    from buffycoat.evaluate.counting import Counting, count, thresholds

    if calibration is None and calibration_labels is not None:
        raise ConfigError("--calibration-labels go with --calibration: give the predictions too")
    asked = Counting(
        by=by,
        groups=groups,
        calibration=calibration,
        calibration_labels=calibration_labels,
        thresholds=thresholds(threshold, blast_threshold),
        max_doubtful=max_doubtful / 100,
        taxonomy=taxonomy,
        count_faulty=count_faulty,
    )
    if fields is not None:
        if Path(what).suffix.lower() in (".parquet", ".csv"):
            raise ConfigError(
                f"{what} {fields}: predictions have their cells already. Give PREDICTIONS alone, "
                "or a BUNDLE and FIELDS"
            )
        from buffycoat.cli.field_differential import Finding, count_fields

        place = out or Path(f"{fields.resolve().stem}-differential")
        if place.suffix.lower() in (".csv", ".parquet"):
            raise OutputError(f"--out {place}: of fields, name a folder for all results")
        if picture is not None:
            raise ConfigError("--picture is of predictions: the page of fields has the same bars")
        count_fields(what, fields, place, asked, Finding(um_per_px, prior, allow_bad))
        return
    _check_predictions(what, um_per_px, prior)
    predictions = Path(what)
    if out is not None:
        check_file(out, (".csv",), predictions, groups, calibration, calibration_labels)
    if picture is not None:
        check_file(picture, (".svg",), predictions, groups, calibration, option="--picture")
    found = count(predictions, asked)
    counting.show(found, asked)
    if out is not None:
        counting.write(found, out)
        typer.echo(f"Figures: {out}")
    if picture is not None and counting.draw(found, asked, picture):
        typer.echo(f"Picture: {picture}")
    counting.fail_without_figures(found)


def _check_predictions(what: str, um_per_px: float | None, prior: str | None) -> None:
    """Refuse a bundle without its fields, and settings that only fields have."""
    if (what == "starter" and not Path(what).exists()) or Path(what).is_dir():
        raise ConfigError(
            f"{what}: a bundle classifies the cells of fields. Give the folder of fields after it, "
            "or a table of predictions alone"
        )
    if um_per_px is not None or prior is not None:
        raise ConfigError(
            "--um-per-px and --prior go with FIELDS: these cells are found and classified already"
        )
