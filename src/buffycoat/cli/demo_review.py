"""The review page on the cells of a demo, where a person sits at a display."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from buffycoat.cli.console import print_note, results_console
from buffycoat.errors import MissingExtraError


@dataclass(frozen=True)
class Shown:
    """What the review page shows.

    Attributes:
        predictions: Table with all columns.
        images: Folder of the cells.
        fields: Folder of the fields that they were found in, if they were.
    """

    predictions: Path
    images: Path
    fields: Path | None = None

    @property
    def command(self) -> str:
        """What to type to open the page."""
        fields = () if self.fields is None else ("--fields", self.fields)
        words = ("buffycoat", "review", self.predictions, "--images", self.images, *fields)
        return shlex.join(map(str, words))


def open_review(shown: Shown, *, is_wanted: bool) -> None:
    """Serve the page until it is interrupted, or say how to; never where nobody could see it.

    Args:
        shown: What to review.
        is_wanted: Whether a browser may be opened.
    """
    results_console().print(
        f"Review page: {shown.command}", soft_wrap=True, highlight=False, markup=False
    )
    if not is_wanted or not has_display():
        return
    from buffycoat.cli.review import check_installed, serve

    try:
        check_installed()
    except MissingExtraError as error:
        print_note(f"The review page does not open: {error}")
        return
    try:
        serve(shown.predictions, shown.images, shown.fields, port=0)
    except KeyboardInterrupt:  # the page is the end of the demo, and so is Ctrl+C
        return


def has_display() -> bool:
    """Whether a person at this machine would see a page: a terminal, a display, and no CI."""
    if os.environ.get("CI") or not sys.stdout.isatty():
        return False
    if sys.platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
