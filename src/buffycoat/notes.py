"""What a reader took for granted in a table, told to whoever listens."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

LOGGER = logging.getLogger(__name__)
_listeners: list[Callable[[str], None]] = []


def listen(listener: Callable[[str], None]) -> None:
    """Hand each note to a listener; without any, notes are warnings of this module's logger.

    The commands listen, since a library may switch off all loggers that are there before it.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def tell(path: Path, *notes: str) -> None:
    """Tell each note once, with the table's name."""
    for note in dict.fromkeys(filter(None, notes)):
        text = note if note.startswith(path.name) else f"{path.name}: {note}"
        for listener in _listeners or [LOGGER.warning]:
            listener(text)
