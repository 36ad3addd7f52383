"""Checks on the place to write to, made before any work starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from buffycoat.errors import OutputError


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


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder for the work inside; one that was not there and stays empty is removed.

    Raises:
        OutputError: It cannot be written to.
    """
    was_there = folder.exists()
    check_folder(folder)
    try:
        yield
    finally:
        if not was_there:
            with suppress(OSError):  # it holds the results
                folder.rmdir()


def check_folder(folder: Path) -> None:
    """Make a folder and make sure that it can be written to.

    Raises:
        OutputError: It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(os.urandom(16))
    except OSError as error:
        raise OutputError(
            f"--out {folder}: cannot be written ({error.strerror or error}). Choose a folder that "
            "you may write to; no work was started"
        ) from error
