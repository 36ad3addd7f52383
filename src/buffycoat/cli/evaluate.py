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
    taxonomy: Annotated[str, typer.Option(help="auto, wbcbench, pbc or a .toml file.")] = "auto",
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

    from buffycoat.cli.doubtful import print_without_doubtful
    from buffycoat.cli.tables import print_metrics
    from buffycoat.evaluate import summary
    from buffycoat.evaluate.doubt import without_doubtful
    from buffycoat.evaluate.grain import restated
    from buffycoat.evaluate.scored import read_scored
    from buffycoat.evaluate.side_tables import (
        read_doubt,
        read_patients,
        read_severity,
        read_train_counts,
    )
    from buffycoat.fuse.prior import given
    from buffycoat.images import write_atomic

    scored = read_scored(predictions, labels, taxonomy, id_column, label_column)
    codes = scored.taxonomy.codes
    mix = None if prevalence is None else given(prevalence, codes)
    of_patients = None if patients is None else read_patients(patients, scored.cell_ids)
    metrics = summary.evaluate(
        scored.predicted if scored.probs is None else scored.probs,
        scored.targets,
        scored.taxonomy,
        train_counts=None
        if train_counts is None
        else restated(read_train_counts(_bundle(train_counts), taxonomy), scored.taxonomy),
        severity=None if severity is None else read_severity(severity, scored.cell_ids),
        patients=of_patients,
        labels=scored.predicted,
        prevalence=None if mix is None else dict(zip(codes, mix.tolist(), strict=True)),
    )
    print_metrics(metrics)
    doubtful = read_doubt(predictions, scored.cell_ids)
    if doubtful is not None:
        metrics["without_doubtful"] = without_doubtful(
            scored.predicted, scored.targets, scored.taxonomy, doubtful, of_patients
        )
        print_without_doubtful(metrics)
    if out is not None:
        write_atomic(out, json.dumps(metrics, indent=2).encode())
        typer.echo(f"Figures: {out}")
    if picture is not None:
        from buffycoat.report.page_figures import class_picture

        write_atomic(picture, class_picture(metrics).encode())
        typer.echo(f"Picture: {picture}")


def _bundle(path: Path) -> Path:
    """The path, or the folder of the bundle that ships where that is meant."""
    from buffycoat.bundle.files import STARTER, locate

    return locate(path) if str(path) == STARTER and not path.exists() else path
