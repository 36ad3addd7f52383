"""`buffycoat review`: look at cells, correct them, sign the differential."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from buffycoat.cli.console import errors_console, results_console
from buffycoat.errors import ConfigError, ManifestError
from buffycoat.optional import require

if TYPE_CHECKING:
    from buffycoat.serve.database import Store

PORT = 8642
PASSWORD = "BUFFYCOAT_REVIEW_PASSWORD"
NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "alembic", "argon2")
Database = Annotated[
    str,
    typer.Option(
        help="sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME, or the predictions it is of.",
        show_default=False,
    ),
]


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
    help="Review cells in a browser: `buffycoat review PREDICTIONS --images FOLDER`.",
)
accounts = typer.Typer(no_args_is_help=True, help="Accounts of a server that others reach.")


@review.callback()
def options() -> None:
    """Look at cells by class, correct them, sign the differential; users, exports, checks.

    Not a medical device. `buffycoat review PREDICTIONS --images FOLDER` opens the page.
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
        typer.Option(help="Column that cells are counted by; default: slide_id, then patient_id."),
    ] = None,
    second_reader: Annotated[
        bool, typer.Option("--second-reader", help="Every slide is read twice, the second blind.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Add cells that are not under review yet.")
    ] = False,
    taxonomy: Annotated[str, typer.Option(help="auto, wbcbench, pbc or a .toml file.")] = "auto",
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

    On this machine alone no login is needed until accounts are made (`review users add`). Any other
    --host demands TLS or a proxy, accounts, and a secret in BUFFYCOAT_REVIEW_SECRET.

    Example: `buffycoat review cells.parquet --images cells/`
    """
    from buffycoat.serve import predictions as tables
    from buffycoat.serve.places import root_of
    from buffycoat.serve.review import Review
    from buffycoat.serve.run import bind, serve
    from buffycoat.serve.settings import make_settings
    from buffycoat.serve.start import begin, default_file, file_url, has_users

    read = tables.read(predictions, images, taxonomy, groups, by)
    store = _open(database or file_url(default_file(predictions)))
    n = begin(store, read, is_adding=add, second=second_reader)
    listening = bind(host, port)
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
    )
    address = f"{min(settings.origins)}/"
    console = results_console()
    known = len(read.cells) - n
    console.print(f"{n} cells new, {known} under review already. Not a medical device.")

    def started() -> None:
        console.print(f"Review: {address} (Ctrl+C ends it)", highlight=False, soft_wrap=True)
        if not no_browser:
            webbrowser.open(address)

    serve(Review.open(store, settings), listening, started)
    store.close()


@accounts.command("add")
def add_account(
    name: Annotated[str, typer.Argument(help="Of the user.", show_default=False)],
    role: Annotated[
        list[str], typer.Option(help="reader, signer or admin; repeatable.", show_default=False)
    ],
    database: Database,
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the password.")
    ] = None,
) -> None:
    """Make an account.

    The password is asked for, or read from --password-file or BUFFYCOAT_REVIEW_PASSWORD.

    Example: `buffycoat review users add anna --role reader --database cells.parquet`
    """
    from buffycoat.serve import users
    from buffycoat.serve.review import local_name
    from buffycoat.serve.start import url_of

    store = _open(url_of(database))
    with store.writing() as writer:
        users.add_user(writer, local_name(), name, _password(password_file), role)
    typer.echo(f"User {name}: {', '.join(role)}")


def _password(file: Path | None) -> str:
    """From a file, the environment, or the keyboard; never from the command line."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--password-file {file}: cannot be read ({error})") from error
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True)


@accounts.command("list")
def list_accounts(database: Database) -> None:
    """List the accounts.

    Example: `buffycoat review users list --database cells.parquet`
    """
    from buffycoat.serve import users

    store = _existing(database)
    with store.reading() as reader:
        found = users.users(reader)
    for user in found:
        locked = " (locked)" if user.is_disabled else ""
        typer.echo(f"{user.name}: {', '.join(user.roles)}{locked}")
    if not found:
        typer.echo("No accounts: a single user on this machine, without a login.")


@review.command()
def check(database: Database) -> None:
    """Check that the record is whole: the chain of the log, labels and signed versions.

    The hash that it prints stands for all entries so far: noted elsewhere, it also shows whether
    entries were cut off. Exit code 2 if something does not agree.

    Example: `buffycoat review check --database cells.parquet`
    """
    from buffycoat.serve.log_check import check as check_log

    store = _existing(database)
    with store.reading() as reader:
        found = check_log(reader)
    if not found.is_whole:
        shown = "\n  ".join(found.faults)
        raise ManifestError(f"{database}: the record of {found.n} entries is not whole:\n  {shown}")
    typer.echo(f"{found.n} entries, whole. Head: {found.head}")


review.add_typer(accounts, name="users")


def _open(url: str) -> Store:
    """A database, made anew or migrated if need be."""
    from buffycoat.serve.start import open_database

    opened = open_database(url)
    if opened.copy is not None:
        text = f"Database migrated; as it was it is {opened.copy}"
        errors_console().print(escape(text), highlight=False, soft_wrap=True)
    return opened.store


def _existing(database: str) -> Store:
    """A database that must be there."""
    from sqlalchemy.engine import make_url

    from buffycoat.serve.start import url_of

    url = url_of(database)
    parsed = make_url(url)
    if parsed.drivername == "sqlite" and not Path(str(parsed.database)).is_file():
        raise ManifestError(f"--database {parsed.database}: no such file. Check the path")
    return _open(url)
