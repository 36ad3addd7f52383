"""`buffycoat review`: look at cells, correct them, sign the differential."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from buffycoat.cli.console import print_note, results_console
from buffycoat.cli.review_accounts import accounts
from buffycoat.cli.review_database import Database, existing_database, ready_database
from buffycoat.errors import ManifestError
from buffycoat.optional import require
from buffycoat.plurals import counted

PORT = 8642
NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "alembic", "argon2")


class ServingGroup(TyperGroup):
    """`review PREDICTIONS` is `review serve PREDICTIONS`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the first word for a command only if it is one."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["serve", *args]
        return super().parse_args(ctx, args)


review = typer.Typer(
    cls=ServingGroup,
    no_args_is_help=True,
    help="Review cells in a browser: `buffycoat review PREDICTIONS --images FOLDER`, short for "
    "`buffycoat review serve`, whose --help lists the options.",
)


@review.callback()
def options() -> None:
    """Look at cells by class, correct them, sign the differential; users, exports, checks.

    Not a medical device. `buffycoat review PREDICTIONS --images FOLDER` opens the page: short for
    `review serve`, whose --help lists the options.
    """
    check_installed()


def check_installed() -> None:
    """Make sure that what the server needs is installed.

    Raises:
        MissingExtraError: A module is missing.
    """
    for module in NEEDED:
        require(module, extra="serve")


@review.command()
def serve(
    predictions: Annotated[
        Path, typer.Argument(help="Table that predict wrote; best a .parquet.", show_default=False)
    ],
    images: Annotated[
        Path, typer.Option(help="Folder of the images, as predict was given.", show_default=False)
    ],
    fields: Annotated[
        Path | None, typer.Option(help="Folder of the fields that find cut the cells out of.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="sqlite:///FILE or postgresql+psycopg://...; default: a file beside PREDICTIONS."
        ),
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV or Parquet with ID and the column of --by.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Column that cells are counted by; default: slide_id, else patient_id, else the "
            "folder of the field, else all together."
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Predictions for labelled cells: corrects figures by the errors."),
    ] = None,
    calibration_labels: Annotated[
        Path | None, typer.Option(help="CSV of their true labels (ID,labels).")
    ] = None,
    second_reader: Annotated[
        bool, typer.Option("--second-reader", help="Every slide is read twice, the second blind.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Add cells that are not under review yet.")
    ] = False,
    taxonomy: Annotated[
        str, typer.Option(help="auto, wbcbench, pbc, blood or a .toml file.")
    ] = "auto",
    reader: Annotated[
        str | None,
        typer.Option(help="Name of who reads, without accounts; default: the page asks for it."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = PORT,
    name: Annotated[
        str | None, typer.Option(help="Name that browsers reach the server by, if not --host.")
    ] = None,
    certfile: Annotated[Path | None, typer.Option(help="TLS certificate.")] = None,
    keyfile: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    behind_proxy: Annotated[
        str | None, typer.Option(help="https://NAME of the proxy in front, which ends TLS.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no page.")] = False,
) -> None:
    """Serve the review page; the same command again continues.

    On this machine alone no login is needed until accounts are made (`review users add`); who reads
    states a name, which the log and every report call a stated one. Any other
    --host demands TLS or a proxy, accounts, and a secret in BUFFYCOAT_REVIEW_SECRET.

    Example: `buffycoat review cells.parquet --images cells/`
    """
    from buffycoat.serve import predictions as tables
    from buffycoat.serve.calibration import read_confusion
    from buffycoat.serve.places import check_fields, root_of
    from buffycoat.serve.review import Review
    from buffycoat.serve.run import bind, serve
    from buffycoat.serve.settings import make_settings
    from buffycoat.serve.start import begin, default_file, file_url, has_users

    read = tables.read(predictions, images, taxonomy, groups, by)
    confusion = read_confusion(calibration, calibration_labels, read.taxonomy, taxonomy)
    if any(cell.is_doubtful is None for cell in read.cells):
        print_note(
            f"Doubt unknown: {predictions} has no column is_abstained, so the page cannot say "
            "which cells need a look. Predict to .parquet, or to .csv with --columns doubt."
        )
    if fields is not None:
        note = check_fields(fields, read.fields)
        if note:
            print_note(note)
    store = ready_database(database or file_url(default_file(predictions)))
    n = begin(store, read, is_adding=add, second=second_reader)
    console = results_console()
    known = len(read.cells) - n
    console.print(f"{counted(n, 'new cell')}, {known} under review already. Not a medical device.")
    with bind(host, port) as listening:
        settings = make_settings(
            root_of(images),
            host=host,
            port=listening.getsockname()[1],
            name=name,
            fields=fields,
            certfile=certfile,
            keyfile=keyfile,
            behind_proxy=behind_proxy,
            has_users=has_users(store),
            reader=reader,
        )
        address = f"{min(settings.origins)}/"

        def started() -> None:
            console.print(f"Review: {address} (Ctrl+C ends it)", highlight=False, soft_wrap=True)
            if not no_browser:
                webbrowser.open(address)

        serve(Review.open(store, settings, confusion), listening, started)
    store.close()


@review.command()
def export(
    database: Database,
    out: Annotated[Path, typer.Option(help="CSV file of the labels.", show_default=False)],
    all_labels: Annotated[
        bool, typer.Option("--all", help="Cells without a class too: artefacts, smudges, unsure.")
    ] = False,
    accepted: Annotated[
        bool,
        typer.Option(
            "--accepted",
            help="Cells of finished readings that nobody decided too: they have the model's class.",
        ),
    ] = False,
) -> None:
    """Write what people decided as a table of labels for `train` and `adapt --labels`.

    A row for each cell that a person decided; cells on which two readers differ are left out until
    there is a consensus.

    Example: `buffycoat review export --database cells.parquet --out labels.csv`
    """
    from buffycoat.cli.output import check_file
    from buffycoat.serve.labels_table import labels_table
    from buffycoat.tables import write_csv

    check_file(out, (".csv",))
    store = existing_database(database)
    with store.reading() as reader:
        table = labels_table(reader, has_extra=all_labels, has_accepted=accepted)
    if table.empty:
        raise ManifestError(
            f"{database}: nobody has decided on a cell yet. Read a slide first, and "
            "confirm cells with Enter"
        )
    write_csv(out, table)
    decided = int(table["is_decided"].to_numpy().sum())
    changed = int((table["label"] != table["predicted"]).to_numpy().sum())
    labels = counted(len(table), "label")
    typer.echo(f"{labels}, {decided} decided one by one, {changed} changed: {out}")


@review.command()
def check(database: Database) -> None:
    """Check that the record is whole: the chain of the log, and what is derived from it.

    The hash that it prints stands for all entries so far: noted elsewhere, it also shows whether
    entries were cut off. Exit code 2 if something does not agree.

    Example: `buffycoat review check --database cells.parquet`
    """
    from buffycoat.serve.log_check import check as check_log

    store = existing_database(database)
    with store.reading() as reader:
        found = check_log(reader)
    entries = counted(found.n, "entry", "entries")
    if not found.is_whole:
        shown = "\n  ".join(found.faults)
        raise ManifestError(f"{database}: the record of {entries} is not whole:\n  {shown}")
    typer.echo(f"{entries}, whole. Head: {found.head}")


review.add_typer(accounts, name="users")
