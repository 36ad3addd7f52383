"""`buffycoat explain`: why a cell was classified so, as one figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.optimise import Mix, Optimise, check_optimise
from buffycoat.cli.output import check_file
from buffycoat.cli.prior import Prior, check_prior

if TYPE_CHECKING:
    from buffycoat.cells import CellRef


def explain(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    cell: Annotated[Path, typer.Argument(help="Image of one cell.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="The figure, .png; default: CELL.explained.png beside the image."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder or table of the training cells, for pictures of the nearest of them; "
            "default: where they lay in training, if BUNDLE is still in the folder of its run.",
            show_default=False,
        ),
    ] = None,
    um_per_px: Annotated[
        float | None,
        typer.Option(
            help="Micrometres that one pixel of CELL is wide: gives sizes in µm and µm², and the "
            "frame of a bundle that frames by scale."
        ),
    ] = None,
    prior: Prior = None,
    optimise: Optimise = None,
    mix: Mix = None,
) -> None:
    """Show why a cell was classified so: contours, features, each stage's scores, cells like it.

    The figure shows the features as percentiles among the training cells of the most probable
    classes, those first that separate these classes, and the nearest training cells with their
    labels. A bundle holds no images: pictures of training cells come from DATA.

    Example: `buffycoat explain starter cell.png --out why.png`
    """
    from buffycoat.images import FIGURE_SUFFIX, read, write_png

    target = out or cell.with_name(f"{cell.stem}{FIGURE_SUFFIX}")
    check_file(target, (".png",), cell, data)
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
    explanation, _ = explain_cell(
        photograph, cell.name, pipeline.fitted, prior, um_per_px, _pictures(bundle, data)
    )
    write_png(target, draw_explanation(explanation))
    console = results_console()
    console.print(escape(explanation.verdict), highlight=False)
    for reason in explanation.reasons:
        console.print(f"- {escape(reason)}", highlight=False)
    console.print("Nearest training cells (label, cosine distance):", highlight=False)
    for one in explanation.like:
        line = f"  {one.label:<4} {one.distance:.3f}  {one.cell_id}"
        console.print(escape(line), highlight=False, soft_wrap=True)
    if explanation.like and all(one.image is None for one in explanation.like):
        console.print("Without their pictures: --data FOLDER of the training cells adds them.")
    console.print(f"Figure: {escape(str(target))}", soft_wrap=True)


def _pictures(bundle: str, data: Path | None) -> dict[str, CellRef]:
    """Training cell -> its picture, of the folder that was named or of the bundle's own run.

    Raises:
        ManifestError: The folder that was named cannot be read.
    """
    from buffycoat.errors import ManifestError
    from buffycoat.learn import run_folder
    from buffycoat.sources.read import read

    root = Path(bundle).resolve().parent
    try:
        place = data or (run_folder.data_of(root) if Path(bundle).is_dir() else None)
        if place is None:
            return {}
        cells = read(place, "auto", run_folder.reading(root))
    except ManifestError as error:
        if data is not None:
            raise
        errors_console().print(
            f"[yellow]No pictures of training cells: {escape(str(error))}[/]", highlight=False
        )
        return {}
    return dict(zip(cells.frame["cell_id"].astype(str), cells.refs(), strict=True))
