from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from buffycoat.cli import main
from buffycoat.cli.errors import ExplainingGroup
from buffycoat.errors import BadCellsError, ConfigError, OutputError


def _run(error: BaseException, *options: str):
    app = typer.Typer(cls=ExplainingGroup)

    @app.callback()
    def options_of_all(debug: bool = False) -> None:
        pass

    @app.command()
    def fail() -> None:
        raise error

    return CliRunner().invoke(app, [*options, "fail"])


def test_a_fault_is_one_message_without_a_traceback() -> None:
    result = _run(ConfigError("unknown preset [cpuu]"))
    assert result.exit_code == 2
    assert "Error: unknown preset [cpuu]" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_debug_lets_the_error_through() -> None:
    error = ConfigError("unknown preset")
    result = _run(error, "--debug")
    assert result.exception is error


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_is_full_or_closed_is_a_fault_not_a_defect(code: int) -> None:
    result = _run(OSError(code, "no room", "report.html"))
    assert result.exit_code == 2
    assert "report.html" in result.stderr


def test_what_is_not_expected_is_not_explained_away() -> None:
    error = ZeroDivisionError("a defect")
    assert _run(error).exception is error
    other = OSError(errno.EINVAL, "not about the disk")
    assert _run(other).exception is other
    assert _run(OutputError("no")).exit_code == 2


def test_bad_cells_are_a_table_and_an_exit_code_of_their_own() -> None:
    cells = [(f"{n}.jpg", f"cells/{n}.jpg", "truncated [at 3 bytes]") for n in range(40)]
    result = _run(BadCellsError("40 of 50 cells could not be read", cells))
    assert result.exit_code == 3
    assert "0.jpg" in result.stderr
    assert "truncated [at 3 bytes]" in result.stderr
    assert "... and 10 more" in result.stderr
    assert "40 of 50 cells" in result.stderr


def test_an_interrupt_says_how_to_go_on() -> None:
    result = _run(KeyboardInterrupt())
    assert result.exit_code == 130
    said = " ".join(result.stderr.split())
    assert "same command again" in said
    kept = said.partition("again: ")[2].partition(" go on")[0]
    named = {*kept.replace(",", "").replace(" and ", " ").split()}
    assert {"predict", "demo", "differential", "review"} <= named
    told = {
        name.partition(" ")[0]
        for name, text in _helps(get_command(main.app))
        if "same command goes on" in text or "same again resumes" in text
    }
    assert {"train", "pretrain", "bench"} <= told <= named


def _helps(command: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each command, under its name, and what its help says of it and of its options."""
    for sub, one in getattr(command, "commands", {}).items():
        yield from _helps(one, f"{name} {sub}".strip())
    texts = [command.help, *(getattr(option, "help", None) for option in command.params)]
    yield name, " ".join(" ".join(text.split()) for text in texts if text)
