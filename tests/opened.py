"""Windows' rule on open files, on Linux: none is replaced, renamed or removed.

Python opens files on Windows without the right to delete them meanwhile, and a memory map keeps its
file open. Here the process's own descriptors and maps say what is open.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

_CALLS = ("replace", "rename", "unlink", "remove", "rmdir")


def _open_files() -> set[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # closed since it was listed
            continue
    for line in Path("/proc/self/maps").read_text().splitlines():
        found.update(line.split(maxsplit=5)[5:])
    return {name for name in found if name.startswith("/")}


def _is_open(path: Any, opened: set[str]) -> bool:
    """Whether a file is open, or one in a folder."""
    real = os.path.realpath(os.fspath(path))
    return any(name == real or name.startswith(real + os.sep) for name in opened)


def forbid_on_open_files(monkeypatch: pytest.MonkeyPatch, under: Path) -> None:
    """Let the calls fail that Windows refuses, for what lies in a folder."""
    real_under = os.path.realpath(under)

    def guarded(name: str) -> Any:
        call = getattr(os, name)

        def refuse(*paths: Any, **options: Any) -> Any:
            if options.get("dir_fd") is None:
                inside = [p for p in paths if os.path.realpath(os.fspath(p)).startswith(real_under)]
                opened = _open_files()
                if any(_is_open(path, opened) for path in inside):
                    gc.collect()  # what nothing refers to any more, in a process full of tests
                    opened = _open_files()
                for path in inside:
                    if _is_open(path, opened):
                        raise PermissionError(13, "used by this process (WinError 32)", str(path))
            return call(*paths, **options)

        return refuse

    for name in _CALLS:
        monkeypatch.setattr(os, name, guarded(name))
