"""What long work tells the person who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""


class Reporter(Protocol):
    """Where progress goes; the command line draws bars, tests and Python callers may ignore it."""

    def start(self, stage: str, detail: str = "") -> None:
        """A stage begins."""
        ...

    def advance(self, done: int, total: int) -> None:
        """So much of the stage is done."""
        ...

    def finish(self, note: str = "") -> None:
        """The stage is over."""
        ...

    def say(self, text: str) -> None:
        """A line that the person should read."""
        ...


class Silent:
    """A reporter that says nothing."""

    def start(self, stage: str, detail: str = "") -> None:
        """Ignore it."""

    def advance(self, done: int, total: int) -> None:
        """Ignore it."""

    def finish(self, note: str = "") -> None:
        """Ignore it."""

    def say(self, text: str) -> None:
        """Ignore it."""
