"""`buffycoat review users`: accounts of a server that others reach."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from buffycoat.cli.review_database import Database, existing_database, ready_database
from buffycoat.errors import ConfigError
from buffycoat.plurals import counted

PASSWORD = "BUFFYCOAT_REVIEW_PASSWORD"

accounts = typer.Typer(no_args_is_help=True, help="Accounts of a server that others reach.")


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

    store = ready_database(url_of(database))
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


@accounts.command("password")
def change_password(
    name: Annotated[str, typer.Argument(help="Of the user.", show_default=False)],
    database: Database,
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the password.")
    ] = None,
) -> None:
    """Give an account another password; its sessions end, and its tokens are void.

    Example: `buffycoat review users password anna --database cells.parquet`
    """
    from buffycoat.serve import users
    from buffycoat.serve.review import local_name

    store = existing_database(database)
    with store.writing() as writer:
        n = users.reset_password(writer, local_name(), name, _password(password_file))
    voided = f"; {counted(n, 'token')} made void" if n else ""
    typer.echo(f"User {name}: password changed, sessions ended{voided}")


@accounts.command("list")
def list_accounts(database: Database) -> None:
    """List the accounts.

    Example: `buffycoat review users list --database cells.parquet`
    """
    from buffycoat.serve import users

    store = existing_database(database)
    with store.reading() as reader:
        found = users.users(reader)
    for user in found:
        locked = " (locked)" if user.is_disabled else ""
        typer.echo(f"{user.name}: {', '.join(user.roles)}{locked}")
    if not found:
        typer.echo("No accounts: a single user on this machine, without a login.")
