"""What a reader took for granted in a table, told to whoever listens to this module's logger."""

from __future__ import annotations

import logging
from pathlib import Path

LOGGER = logging.getLogger(__name__)


def tell(path: Path, *notes: str) -> None:
    """Tell each note once, with the table's name; the commands print them on standard error."""
    for note in dict.fromkeys(filter(None, notes)):
        LOGGER.warning(note if note.startswith(path.name) else f"{path.name}: {note}")
