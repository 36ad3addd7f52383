"""Fills in the reference pages, between `<!-- generated: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import inspect
import re
from typing import Any

import command_line
import settings

import buffycoat

MARKER = re.compile(r"^<!-- generated: ([\w ]+) -->$.*?^<!-- end -->$", re.M | re.S)


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def python_names() -> str:
    """Directives that document every public name of the package."""
    names = [name for name in buffycoat.__all__ if not name.startswith("_")]
    return "\n\n".join(map(_directive, names))


def _directive(name: str) -> str:
    is_class = inspect.isclass(getattr(buffycoat, name))
    lines = [".. autoclass::" if is_class else ".. autofunction::"]
    lines[0] += f" buffycoat.{name}"
    lines += ["   :members:", "   :inherited-members: BaseModel, BaseEstimator"] if is_class else []
    return "\n".join([f"## {name}", "", "```{eval-rst}", *lines, "```"])


GENERATORS = {
    "command line": command_line.page,
    "settings": settings.page,
    "python": python_names,
}


def _fill_in(_: Any, docname: str, source: list[str]) -> None:
    if docname.startswith("docs/reference/"):
        source[0] = MARKER.sub(lambda found: GENERATORS[found[1]](), source[0])
