"""Folders of results: made, and found to be writable, before any work starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from buffycoat.errors import OutputError


@contextmanager
def new_folder(folder: Path) -> Generator[None]:
    """Make a folder for the work inside; what was not there and stays empty is removed.

    Raises:
        OutputError: It cannot be written to.
    """
    made = check_folder(folder)
    try:
        yield
    finally:
        remove_empty(made)


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders in which nothing lies, each before those that it lies in."""
    for folder in folders:
        with suppress(OSError):  # it holds something, or is gone
            folder.rmdir()


def check_folder(folder: Path) -> list[Path]:
    """Make a folder and make sure that it can be written to.

    Returns:
        The folders that were made for it, the deepest first.

    Raises:
        OutputError: It cannot.
    """
    given, folder = folder, folder.absolute()
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(os.urandom(16))
    except (FileExistsError, NotADirectoryError) as error:
        file = next((one for one in (folder, *folder.parents) if one.is_file()), folder)
        what = "is a file" if file == folder else f"{file} is a file"
        raise OutputError(
            f"--out {given}: {what}, and a folder is wanted there. Choose another name, or move "
            "the file; no work was started"
        ) from error
    except OSError as error:
        remove_empty(made)
        raise OutputError(
            f"--out {given}: cannot be written ({error.strerror or error}). Choose a folder that "
            "you may write to; no work was started"
        ) from error
    return made
