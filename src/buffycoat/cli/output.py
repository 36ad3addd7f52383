"""Checks on the place to write to, made before any work starts.

A command that then fails leaves no empty folder behind.
"""

from __future__ import annotations

from pathlib import Path

from buffycoat.api import output
from buffycoat.errors import OutputError

_made: list[Path] = []


def check_folder(folder: Path) -> None:
    """Make a folder and make sure that it can be written to.

    Raises:
        OutputError: It cannot.
    """
    _made[:0] = output.check_folder(folder)


def tidy() -> None:
    """Remove the folders that were made for results that never came; the commands end with it."""
    output.remove_empty(_made)
    _made.clear()


def check_file(
    path: Path, suffixes: tuple[str, ...], *inputs: Path | str | None, option: str = "--out"
) -> None:
    """Make sure that a result file can be written when the work is done.

    Args:
        path: The file.
        suffixes: The kinds that the command can write.
        inputs: What the command reads; None for what was not given.
        option: That the path was given with, for messages.

    Raises:
        OutputError: Another suffix, a folder, one of the inputs, or a folder that may not be
            written to.
    """
    if path.suffix.lower() not in suffixes:
        raise OutputError(
            f"{option} {path}: expected a name that ends in {' or '.join(suffixes)}, "
            f"got {path.suffix or 'no suffix'!r}"
        )
    if path.is_dir():
        raise OutputError(f"{option} {path}: is a folder; give the name of a file in it")
    if any(given is not None and Path(given).resolve() == path.resolve() for given in inputs):
        raise OutputError(f"{option} {path}: would overwrite what is read; choose another name")
    check_folder(path.parent)
