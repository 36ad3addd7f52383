"""`buffycoat export`: a bundle's classifier for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console, results_console
from buffycoat.cli.output import check_file


def export(
    bundle: Annotated[
        str, typer.Argument(help="Folder of a trained bundle, or `starter`: the one that ships.")
    ],
    onnx: Annotated[Path, typer.Option(help="The file to write, .onnx.", show_default=False)],
) -> None:
    """Write the classifier as one ONNX file, for programs that are not buffycoat.

    Preprocessing, every view of every model, and calibration are in the graph: crops in,
    probabilities out. How to crop, and what the graph leaves out, is in FILE.json beside it.

    Example: `buffycoat export starter --onnx starter.onnx`
    """
    from buffycoat.bundle import files
    from buffycoat.predict.export import TOLERANCE, note_of

    folder = files.locate(bundle)
    inputs = (*folder.iterdir(), folder)
    check_file(onnx, (".onnx",), *inputs, option="--onnx")
    check_file(note_of(onnx), (".json",), *inputs, option="--onnx")

    from buffycoat.bundle.lineage import restricted
    from buffycoat.predict.export import export as write

    fitted = files.read(bundle)
    notice = " ".join([fitted.provenance["notice"], *restricted(fitted.provenance)])
    errors_console().print(f"[yellow]{escape(notice)}[/]", highlight=False)
    done = write(fitted, files.checksum(bundle), onnx)
    console = results_console()
    size = done.graph.stat().st_size / 1e6
    console.print(f"Graph: {escape(str(done.graph))} ({size:.0f} MB)", soft_wrap=True)
    console.print(f"Note:  {escape(str(done.note))}", soft_wrap=True)
    if done.difference is None:
        console.print("Not checked: pip install onnxruntime, and export again.", soft_wrap=True)
    else:
        console.print(
            f"Checked: onnxruntime's probabilities are within {done.difference:.1g} of buffycoat's "
            f"own in fp32 (allowed: {TOLERANCE:g}).",
            soft_wrap=True,
        )
