"""Where commands keep embeddings for the next time."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Folder of embeddings in the user's cache, by the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "buffycoat" / "embeddings"
