"""Where commands keep embeddings for the next time."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

from rich.markup import escape

from buffycoat.cli.console import errors_console


def embeddings_cache(chosen: Path | None) -> Path | None:
    """Folder to keep embeddings in.

    A cache only saves time: one that cannot be written to is said on standard error, and stops no
    command.

    Args:
        chosen: What `--cache` names; by default buffycoat's folder in the user's cache, by the XDG
            base directory specification.

    Returns:
        The folder, which may be one that can only be read; None where there is none.
    """
    from buffycoat.embed.cache import UnkeptWarning

    try:
        folder = chosen or _user_cache()
    except RuntimeError:  # no HOME, and no entry for the user
        _say("there is no home folder")
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(os.urandom(16))
    except OSError as error:
        _say(f"{folder} cannot be written ({error.strerror or error})")
        warnings.simplefilter("ignore", UnkeptWarning)  # it has been said
        return folder if folder.is_dir() else None
    return folder


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "buffycoat" / "embeddings"


def _say(reason: str) -> None:
    errors_console().print(
        f"[yellow]Embeddings are not kept for the next time: {escape(reason)}. To keep them, name "
        "a folder with --cache.[/]",
        highlight=False,
        soft_wrap=True,
    )
