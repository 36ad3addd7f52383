"""`buffycoat differential`: percent of leukocytes on each slide, with limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console
from buffycoat.cli.doubtful import MOSTLY
from buffycoat.cli.errors import EXIT_FINDINGS
from buffycoat.cli.output import check_file
from buffycoat.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from buffycoat.evaluate.scored import Scored
    from buffycoat.taxonomy import Taxonomy

THRESHOLD = 2.0
"""Percent; near the 1.95 that Lu et al. 2022 (doi 10.1007/s12308-022-00484-w) found for an analyser
and one question. There is no agreed value."""
BLAST_THRESHOLD = 1.0
"""Percent. Ours: any true blast matters, and of 100 cells one is the least there can be."""


def differential(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="Parquet that predict wrote, or its CSV with --columns doubt; a plain ID,labels "
            "does not say which cells are doubtful."
        ),
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
    max_doubtful: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="Percent of doubtful cells over which a slide has no differential."
        ),
    ] = 100 * MOSTLY,
    taxonomy: Annotated[str, typer.Option(help="auto, wbcbench, pbc or a .toml file.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="CSV file for all figures.")] = None,
) -> None:
    """Count the cells of each slide or patient, with the limits of so few cells.

    Percent is of leukocytes; erythroblasts are stated per 100 of them. Doubtful cells, those that
    predict says need a look, are counted, and the figures without them stand beside. A slide with
    more of them than --max-doubtful has no differential (status refused in --out); the exit code is
    4 if no slide has one. Flag "only doubtful cells: look": the threshold is reached with them and
    not without.

    With --calibration, adjusted figures correct for misclassification, and their limits carry that
    too: of all cells by all labelled cells, without doubtful cells by the labelled cells that are
    not doubtful. It assumes that the model errs on these slides as on the labelled cells, and that
    its calls assume the same prior.

    Example: `buffycoat differential cells.parquet --by slide_id --groups slides.csv --out d.csv`
    """
    if calibration is None and calibration_labels is not None:
        raise ConfigError("--calibration-labels go with --calibration: give the predictions too")
    if out is not None:
        check_file(out, (".csv",), predictions, groups, calibration, calibration_labels)

    import numpy as np
    import pandas as pd

    from buffycoat.cli.counted import print_differential
    from buffycoat.evaluate.differential import BLAST, IMMATURE
    from buffycoat.evaluate.doubtful_cells import REFUSED, check_doubt, flag
    from buffycoat.evaluate.grain import common_grain, relabelled
    from buffycoat.evaluate.reported import BUNDLE
    from buffycoat.evaluate.scored import PROBABILITY, read_predictions
    from buffycoat.evaluate.side_tables import read_doubt, read_groups
    from buffycoat.tables import write_csv
    from buffycoat.taxonomy import resolve

    stated, frame = read_predictions(predictions, taxonomy)
    columns = [] if frame is None else [c for c in frame if str(c).startswith(PROBABILITY)]
    labels = {*stated.values(), *(str(c).removeprefix(PROBABILITY) for c in columns)}
    predicted = set(labels)
    known = _known(calibration, calibration_labels, taxonomy)
    if known is not None:
        labels |= {*known.targets, *known.predicted}
        shared = len(stated.keys() & set(known.cell_ids))
        if shared:
            _caution(
                f"{shared} of the {len(stated)} counted cells are calibration cells too: "
                "the limits are too narrow for new slides."
            )
    classes = common_grain(
        resolve(taxonomy, labels), predicted, [] if known is None else known.targets
    )
    cell_ids = list(stated)
    doubtful = read_doubt(predictions, cell_ids)
    if doubtful is None:
        _caution(
            f"Doubt unknown: {predictions} has no column is_abstained, so doubtful cells are "
            "counted as any others. Predict to .parquet, or to .csv with --columns doubt."
        )
    slides = np.array(read_groups(groups or predictions, by, cell_ids))
    rows = check_doubt(
        classes.encode(relabelled([stated[cell_id] for cell_id in cell_ids], classes)),
        slides,
        classes,
        doubtful,
        *_confusions(known, calibration, classes, doubtful is not None),
        most=max_doubtful / 100,
    )
    thresholds = {IMMATURE: threshold, BLAST: blast_threshold}
    print_differential(rows, by, thresholds)
    if out is not None:
        table = pd.DataFrame([row.to_dict() for row in rows])
        asked = [thresholds.get(row.every.name) for row in rows]
        table["flag"] = [
            None if at is None else flag(row, at) for row, at in zip(rows, asked, strict=True)
        ]
        if frame is not None and BUNDLE in frame and frame[BUNDLE].nunique() == 1:
            table[BUNDLE] = frame[BUNDLE].iloc[0]
        write_csv(out, table)
        typer.echo(f"Figures: {out}")
    if all(row.status == REFUSED for row in rows):
        errors_console().print(
            "[bold red]No differential:[/] every slide is mostly doubtful cells. Look at the "
            "images: is there one white cell in the centre of each, stained and magnified as the "
            "training cells? `buffycoat predict` says what most of them lack. --max-doubtful 100 "
            "counts them all the same.",
            highlight=False,
        )
        raise typer.Exit(EXIT_FINDINGS)


def _caution(text: str) -> None:
    errors_console().print(f"[yellow]{escape(text)}[/]", highlight=False)


def _known(calibration: Path | None, labels: Path | None, taxonomy: str) -> Scored | None:
    """Labelled cells with the model's calls, if there are any."""
    from buffycoat.evaluate.scored import read_out_of_fold, read_scored

    if calibration is None:
        return None
    if labels is not None:
        return read_scored(calibration, labels, taxonomy)
    _caution(
        "Calibrated by out-of-fold calls: each is one fold's model's, which does not err quite as "
        "the bundle does. Adjusted figures are off by the difference, and their limits do not "
        "cover it; predictions for held-out cells are better."
    )
    return read_out_of_fold(calibration, taxonomy)


def _confusions(
    known: Scored | None, calibration: Path | None, taxonomy: Taxonomy, is_doubt_known: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Calls on labelled cells, rows the truth, shape (k, k): on all, and on those without doubt.

    Cells whose label is coarser than a class are left out: it tells no error within it. The second
    is None where the doubt about labelled or counted cells is not known: calls on all labelled
    cells do not say how the model errs on those that it does not doubt.
    """
    import numpy as np

    from buffycoat.evaluate.grain import relabelled
    from buffycoat.evaluate.metrics import confusion
    from buffycoat.evaluate.side_tables import read_doubt

    if known is None or calibration is None:
        return None, None
    targets, predicted = (relabelled(part, taxonomy) for part in (known.targets, known.predicted))
    fine = np.flatnonzero(taxonomy.is_fine(targets))
    if len(fine) < len(targets):
        _caution(
            f"{len(targets) - len(fine)} of {len(targets)} calibration cells have a label coarser "
            "than a class; they are left out."
        )
    truth, calls = (taxonomy.encode([part[row] for row in fine]) for part in (targets, predicted))
    every = confusion(truth, calls, len(taxonomy))
    if not is_doubt_known:
        return every, None
    doubtful = read_doubt(calibration, known.cell_ids)
    if doubtful is None:
        _caution(
            f"Figures without doubtful cells are not adjusted: {calibration} has no column "
            "is_abstained."
        )
        return every, None
    kept = ~doubtful[fine]
    return every, confusion(truth[kept], calls[kept], len(taxonomy))
