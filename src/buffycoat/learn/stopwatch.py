"""How long each stage of a run took, kept in a file."""

from __future__ import annotations

import json
import time
from pathlib import Path

from buffycoat.images import write_atomic
from buffycoat.progress import Reporter

SECONDS_BETWEEN_NOTES = 5.0


class Stopwatch:
    """A reporter that passes everything on and keeps the seconds of each stage in a file.

    The file is written every few seconds, so that the time of a killed run is counted too.
    """

    def __init__(self, reporter: Reporter, path: Path) -> None:
        self.reporter = reporter
        self.path = path
        text = path.read_text(encoding="utf-8") if path.exists() else "{}"
        self.seconds: dict[str, float] = json.loads(text)
        self.stage = ""
        self._since = self._noted = time.monotonic()

    def start(self, stage: str, detail: str = "") -> None:
        """Begin to count for a stage."""
        self.stage = stage
        self._since = time.monotonic()
        self.reporter.start(stage, detail)

    def advance(self, done: int, total: int) -> None:
        """Count, and write the file if it is time to."""
        if time.monotonic() - self._noted > SECONDS_BETWEEN_NOTES:
            self._note()
        self.reporter.advance(done, total)

    def finish(self, note: str = "") -> None:
        """Count and write the file."""
        self._note()
        self.reporter.finish(note)

    def say(self, text: str) -> None:
        """Pass it on."""
        self.reporter.say(text)

    def _note(self) -> None:
        now = time.monotonic()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self._since
        self._since = self._noted = now
        write_atomic(self.path, json.dumps(self.seconds, indent=1).encode())
