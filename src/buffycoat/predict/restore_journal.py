"""What `restore` remembers of the pictures that are done, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from buffycoat.images import write_atomic

JOURNAL = ".restore-journal.jsonl"
FIELDS = {"out", "key", "picture", "row"}


class Journal:
    """Pictures that are done; what is damaged in it is not believed.

    Args:
        out: Folder of results.
        bundle_key: What the results depend on beside the photographs.
    """

    def __init__(self, out: Path, bundle_key: str) -> None:
        self.out = out
        self.path = out / JOURNAL
        self.bundle_key = bundle_key
        self._done: dict[str, dict[str, Any]] = {}
        data = self.path.read_bytes() if self.path.exists() else b""
        for line in data.splitlines():
            entry = _parse(line)
            if entry is not None:
                self._done[entry["out"]] = entry
        # The first byte ends a line that a kill tore, so that the next one is read by itself.
        self._file = open(self.path, "ab")  # noqa: SIM115
        self._file.write(b"\n" if data and not data.endswith(b"\n") else b"")
        self._file.flush()

    def key(self, data: bytes, um_per_px: float | None) -> str:
        """Fingerprint of a photograph's bytes, of its scale and of the bundle."""
        scale = "" if um_per_px is None else f" {um_per_px!r}"
        return hashlib.sha256(f"{self.bundle_key}{scale}".encode() + data).hexdigest()

    def find(self, out: str, key: str) -> dict[str, Any] | None:
        """The table's row of a picture, by its name, if it is there and still right."""
        entry = self._done.get(out)
        if entry is None or entry["key"] != key:
            return None
        try:
            picture = (self.out / out).read_bytes()
        except OSError:
            return None
        return entry["row"] if _sha256(picture) == entry["picture"] else None

    def add(self, out: str, key: str, row: dict[str, Any]) -> None:
        """Remember a picture that was just written."""
        picture = _sha256((self.out / out).read_bytes())
        entry = {"out": out, "key": key, "picture": picture, "row": row}
        self._done[out] = entry
        self._file.write(_line(entry))
        self._file.flush()

    def close(self, done: Iterable[str] | None = None) -> None:
        """Stop writing.

        Args:
            done: All pictures that are done, the others are forgotten; None keeps the file.
        """
        self._file.close()
        if done is not None:
            write_atomic(self.path, b"".join(_line(self._done[out]) for out in done))


def _line(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, sort_keys=True)
    return json.dumps({"entry": text, "check": _sha256(text.encode())}).encode() + b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        outer = json.loads(line)
        text = outer["entry"]
        entry = json.loads(text)
        is_whole = _sha256(text.encode()) == outer["check"] and entry.keys() >= FIELDS
        return entry if is_whole else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
