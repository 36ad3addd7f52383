"""The `buffycoat` command."""

from __future__ import annotations

from typing import Annotated

import typer

from buffycoat import __version__, notes
from buffycoat.cli.adapt import adapt
from buffycoat.cli.agree import agree
from buffycoat.cli.annotate import annotate
from buffycoat.cli.audit import audit
from buffycoat.cli.bench import bench
from buffycoat.cli.compare import compare
from buffycoat.cli.console import plain_warnings, print_note, spell_out
from buffycoat.cli.crop import crop
from buffycoat.cli.demo import demo
from buffycoat.cli.differential import differential
from buffycoat.cli.doctor import doctor
from buffycoat.cli.errors import ExplainingGroup
from buffycoat.cli.evaluate import evaluate
from buffycoat.cli.explain import explain
from buffycoat.cli.export import export
from buffycoat.cli.find import find
from buffycoat.cli.measure import measure
from buffycoat.cli.predict import predict
from buffycoat.cli.pretrain import pretrain
from buffycoat.cli.report import report
from buffycoat.cli.restore import restore
from buffycoat.cli.review import review
from buffycoat.cli.send import send
from buffycoat.cli.similar import similar
from buffycoat.cli.suggest import suggest
from buffycoat.cli.suspects import suspects
from buffycoat.cli.train import train

app = typer.Typer(
    cls=ExplainingGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"buffycoat {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Find the rare white blood cells: train, run and audit classifiers on long-tailed smears.

    Not a medical device. Start with `buffycoat demo`, or classify your own images:
    `buffycoat predict starter FOLDER --out cells.csv`
    """
    spell_out()
    plain_warnings()
    notes.listen(print_note)


for command in (
    train,
    pretrain,
    adapt,
    find,
    crop,
    annotate,
    report,
    predict,
    explain,
    measure,
    restore,
    similar,
    export,
    evaluate,
    compare,
    differential,
    agree,
    send,
    audit,
    suspects,
    suggest,
    demo,
    doctor,
):
    app.command()(command)
app.add_typer(review, name="review")
app.add_typer(bench, name="bench")
