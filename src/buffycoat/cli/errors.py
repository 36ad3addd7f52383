"""What a person sees when a command fails: one paragraph, an exit code, no traceback."""

from __future__ import annotations

import errno
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from buffycoat.cli.console import errors_console, print_bad_cells
from buffycoat.cli.output import tidy
from buffycoat.errors import BadCellsError, BuffycoatError

EXIT_FAULT = 2
"""The input, the settings or the place to write to is at fault."""
EXIT_BAD_CELLS = 3
"""More images were unreadable than `--allow-bad` grants; the good ones were not lost."""
EXIT_FINDINGS = 4
"""`audit` found leaks, copies or shortcuts; `differential` found every slide mostly doubtful."""
RESUMING = "train, pretrain, demo, restore, find, predict, differential, review and bench"
"""Commands that keep what they have done."""
EXIT_INTERRUPTED = 130
"""Stopped from the keyboard: 128 + SIGINT, as shells count."""

_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class ExplainingGroup(TyperGroup):
    """Commands whose expected failures are explained instead of traced.

    With `--debug` the traceback is shown. What is not expected is a defect and always shows it.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and turn its errors into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            errors_console().print(
                "\n[yellow]Stopped.[/] Nothing was left half-written. Give the same command again: "
                f"{RESUMING} go on where they were, the others start anew."
            )
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except (BuffycoatError, OSError) as error:
            if ctx.params.get("debug") or not _is_expected(error):
                raise
            if isinstance(error, BadCellsError) and error.cells:
                print_bad_cells(error.cells)
            errors_console().print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False)
            raise typer.Exit(_exit_code(error)) from error
        finally:
            tidy()


def _is_expected(error: Exception) -> bool:
    """Whether it was raised on purpose, or is a disk that is full or may not be written to."""
    if isinstance(error, BuffycoatError):
        return True
    return isinstance(error, OSError) and error.errno in _DISK_FAULTS


def _exit_code(error: Exception) -> int:
    return EXIT_BAD_CELLS if isinstance(error, BadCellsError) else EXIT_FAULT
