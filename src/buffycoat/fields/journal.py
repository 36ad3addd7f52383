"""What `find` remembers of fields that are done, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

JOURNAL = ".find-journal.jsonl"
RESULTS = 4
"""Raised when the same field gives other cells or columns, so that none is reused."""


class Journal:
    """A line a result: its key, a digest of all that it depends on, and its values.

    Lines that a kill has torn are not believed.

    Args:
        out: Folder of results; made if need be.
    """

    def __init__(self, out: Path) -> None:
        self._done: dict[str, Any] = {}
        out.mkdir(parents=True, exist_ok=True)
        path = out / JOURNAL
        lines = path.read_bytes().splitlines() if path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
                self._done[entry["key"]] = entry["value"]
            except (ValueError, KeyError, TypeError):
                continue
        self._file = path.open("ab")
        self._file.write(b"\n" if lines else b"")

    def find(self, key: str) -> Any | None:
        """The values under a key; None if there are none."""
        return self._done.get(key)

    def add(self, key: str, value: Any) -> None:
        """Remember plain values."""
        self._done[key] = value
        self._file.write(json.dumps({"key": key, "value": value}).encode() + b"\n")
        self._file.flush()

    def values(self) -> list[Any]:
        """Everything that is remembered."""
        return list(self._done.values())

    def close(self) -> None:
        """Stop writing."""
        self._file.close()


def digest(data: bytes, *settings: object) -> str:
    """SHA-256 of a file's bytes and of what else a result depends on."""
    return hashlib.sha256(json.dumps(settings).encode() + b"\0" + data).hexdigest()
