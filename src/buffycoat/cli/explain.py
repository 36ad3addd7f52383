"""`buffycoat explain`: why a cell was classified so, as one figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.optimise import Mix, Optimise, check_optimise
from buffycoat.cli.output import check_file
from buffycoat.cli.prior import Prior, check_prior


def explain(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    cell: Annotated[Path, typer.Argument(help="Image of one cell.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="The figure, .png; default: CELL.explained.png beside the image."),
    ] = None,
    prior: Prior = None,
    optimise: Optimise = None,
    mix: Mix = None,
) -> None:
    """Show why a cell was classified so: contours, features, each stage's scores, cells like it.

    Features are shown as percentiles among the training cells of the classes of highest
    probability, those first that tell these classes apart.

    Example: `buffycoat explain starter cell.png --out why.png`
    """
    from buffycoat.images import FIGURE_SUFFIX, read, write_png

    target = out or cell.with_name(f"{cell.stem}{FIGURE_SUFFIX}")
    check_file(target, (".png",), cell)
    check_prior(prior)
    check_optimise(optimise, mix)

    from buffycoat.predict.explain import explain as explain_cell
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.report.explanation import draw_explanation

    photograph = read(str(cell))
    pipeline = Pipeline.load(bundle)
    if pipeline.notice:
        errors_console().print(f"[yellow]{escape(pipeline.notice)}[/]", highlight=False)
    pipeline.fitted.prior(prior)
    if optimise is not None:
        pipeline = pipeline.optimising(optimise, mix or "train")
    explanation, _ = explain_cell(photograph, cell.name, pipeline.fitted, prior)
    write_png(target, draw_explanation(explanation))
    console = results_console()
    console.print(escape(explanation.verdict), highlight=False)
    for reason in explanation.reasons:
        console.print(f"- {escape(reason)}", highlight=False)
    console.print(f"Figure: {escape(str(target))}", soft_wrap=True)
