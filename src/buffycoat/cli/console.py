"""Where the commands write: results to standard output, all else to standard error."""

from __future__ import annotations

import codecs
import io
import logging
import sys
import warnings
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from buffycoat.plurals import counted

MAX_BAD_SHOWN = 30
CHATTY = ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.rank_zero")
"""Loggers of Fabric's remarks, such as which precision it uses; they would tear the bars."""
PIPED_WIDTH = 120
"""Columns when the output is a file or a pipe, which have no width of their own."""

PLAIN = {"²": "^2", "µ": "u", "–": "-", "−": "-", "…": "...", "\N{NO-BREAK SPACE}": " "}
"""Letters of ours that a terminal may lack -> what stands for them."""

FORMAT_OF_PYTHON = warnings.formatwarning


def spell_out() -> None:
    """Let no letter that standard output or error cannot encode end a command, or be an empty box.

    A terminal of ASCII or Latin-1 prints "um^2" for square micrometres.
    """
    codecs.register_error("spell_out", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spell_out")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in letters), error.end


def results_console() -> Console:
    """Standard output."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPED_WIDTH)


def errors_console() -> Console:
    """Standard error: progress, notices and messages."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=PIPED_WIDTH)


def quiet_libraries() -> None:
    """Let libraries speak up from warnings on."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def plain_warnings() -> None:
    """Let warnings of ours be their text alone, without file, line and code."""
    warnings.formatwarning = _warning_text


def _warning_text(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    if category.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return f"{message}\n"
    return FORMAT_OF_PYTHON(message, category, filename, lineno, line)


def print_note(text: str) -> None:
    """Print what a reader of a table takes for granted (`notes`)."""
    errors_console().print(escape(text), style="yellow", highlight=False, soft_wrap=True)


def print_bad_cells(cells: Sequence[tuple[str, str, str]]) -> None:
    """List the images that could not be used.

    Args:
        cells: Each (cell_id, path, reason).
    """
    table = Table(title=f"{counted(len(cells), 'cell')} could not be used", title_justify="left")
    table.add_column("cell", overflow="fold")
    table.add_column("reason", overflow="fold")
    for cell_id, _, reason in cells[:MAX_BAD_SHOWN]:
        table.add_row(escape(cell_id), escape(reason))
    console = errors_console()
    console.print(table)
    if len(cells) > MAX_BAD_SHOWN:
        console.print(f"... and {len(cells) - MAX_BAD_SHOWN} more")
