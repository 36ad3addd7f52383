"""`buffycoat evaluate`: predictions against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.output import check_file


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="CSV (ID,labels) or Parquet that predict wrote.")
    ],
    labels: Annotated[
        Path,
        typer.Argument(
            help="Table of the true labels (ID,labels, or as it comes: CSV with any delimiter or "
            "Parquet, other names of columns and classes, one column a class), or the boxes "
            "(COCO, YOLO, Pascal VOC) that predict or crop cut the cells out by."
        ),
    ],
    severity: Annotated[
        Path | None, typer.Option(help="CSV (ID,severity): scores by degradation too.")
    ] = None,
    train_counts: Annotated[
        Path | None,
        typer.Option(
            help="A bundle, a JSON of counts or the CSV of the training labels: adds the "
            "prior-weighted macro-F1."
        ),
    ] = None,
    patients: Annotated[
        Path | None,
        typer.Option(help="CSV (ID,patient_id): patients are resampled whole. May be LABELS."),
    ] = None,
    prevalence: Annotated[
        str | None,
        typer.Option(
            help="Class mix for the predictive values in --out, SNE=60,LY=30,...; default: that of "
            "the training cells."
        ),
    ] = None,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
    id_column: Annotated[
        str | None, typer.Option(help="Column of LABELS with the cells' names.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of LABELS with the classes.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for all figures.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="SVG file for the F1 of each class with its interval.")
    ] = None,
) -> None:
    """Score predictions: macro-F1 with its interval, per class and by severity.

    Every ID must be in both files; those that are not are listed. Where PREDICTIONS has the column
    is_abstained, scores without the doubtful cells stand beside those of all. How intervals are
    made, and their coverage: docs/honest-reporting.md.

    Example: `buffycoat evaluate cells.parquet phase2_eval.csv --severity phase2_eval_severity.csv`
    """
    if out is not None:
        check_file(out, (".json",), train_counts)
    if picture is not None:
        check_file(picture, (".svg",), predictions, labels, option="--picture")

    import json

    from buffycoat.api import scores
    from buffycoat.cli.doubtful import print_without_doubtful
    from buffycoat.cli.tables import print_metrics
    from buffycoat.images import write_atomic

    found = scores.evaluate(
        predictions,
        labels,
        severity=severity,
        train_counts=train_counts,
        patients=patients,
        prevalence=prevalence,
        taxonomy=taxonomy,
        id_column=id_column,
        label_column=label_column,
    ).figures
    print_metrics(found)
    if "without_doubtful" in found:
        print_without_doubtful(found)
    if out is not None:
        write_atomic(out, json.dumps(found, indent=2).encode())
        typer.echo(f"Figures: {out}")
    if picture is not None:
        from buffycoat.report.page_figures import class_picture

        write_atomic(picture, class_picture(found).encode())
        typer.echo(f"Picture: {picture}")
