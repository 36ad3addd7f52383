"""Options that say how a data set is read, and the statement of what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buffycoat.cli.console import errors_console

if TYPE_CHECKING:
    from buffycoat.cells import Manifest

Layout = Annotated[
    str,
    typer.Option(
        help="How the data lies: auto, kaggle, hugging_face, folders, table or images (unlabelled)."
    ),
]
LabelsFrom = Annotated[
    str,
    typer.Option(
        help="Which labels count where several places have some: auto, folders, names or tables."
    ),
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Leave out cells by their label, such as platelet, or by the name of a file, folder "
        "or table; * stands for any characters. Repeatable.",
    ),
]


def print_statement(manifest: Manifest) -> None:
    """Say on standard error what was found in a data set and what was made of it."""
    console = errors_console()
    for heading, text in manifest.statement.lines():
        console.print(f"[bold]{heading:<8}[/] {escape(text)}", highlight=False, soft_wrap=True)
