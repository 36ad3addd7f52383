"""One command at a time writes into a folder: two would mix what they write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from buffycoat.errors import OutputError

LOCK = ".lock"
"""Readers of folders, Parquet's among them, leave out names that begin with a point."""


@contextlib.contextmanager
def only_writer(folder: Path, lock: Path | None = None) -> Iterator[None]:
    """Be the only command that writes into a folder, until the block ends or the process is killed.

    The system holds the lock and drops it with the process; children that are spawned do not
    inherit it. Who reads the folder is not hindered.

    Args:
        folder: Made if need be; removed again if it was made and stays empty.
        lock: The file that is locked; by default `LOCK` in the folder.

    Raises:
        OutputError: Another command writes there, or the folder cannot be written.
    """
    path = lock or folder / LOCK
    made = not path.parent.exists()
    held = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except Timeout as error:
        raise OutputError(
            f"{folder}: another command writes into this folder. Wait until it ends, or choose "
            "another --out"
        ) from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        yield
    finally:
        is_removed = _remove(path)  # while it is held, or another command may hold it by then
        held.release()
        if not is_removed:  # Windows removes no file that is open
            _remove(path)
        if made:
            with contextlib.suppress(OSError):  # results lie there
                path.parent.rmdir()


def _remove(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
