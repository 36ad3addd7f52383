"""Folders of results: made, and found to be writable, before any work starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from buffycoat.errors import OutputError


@contextmanager
def new_folder(folder: Path) -> Generator[None]:
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
