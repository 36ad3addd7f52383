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
    of = getattr(buffycoat, name)
    lines = [f".. auto{'class' if inspect.isclass(of) else 'function'}:: buffycoat.{name}"]
    # Not what scikit-learn adds to an estimator: its docstrings link to its own site.
    own = [key for key, value in vars(of).items() if _is_own(key, value)]
    lines += [f"   :members: {', '.join(own)}"] if inspect.isclass(of) and own else []
    return "\n".join([f"## {name}", "", "```{eval-rst}", *lines, "```"])


def _is_own(name: str, member: object) -> bool:
    """Whether a public method or property was written here."""
    function = getattr(member, "fget", None) or getattr(member, "__func__", member)
    is_code = inspect.isfunction(function)
    return is_code and not name.startswith("_") and function.__module__.startswith("buffycoat")


GENERATORS = {
    "command line": command_line.page,
    "settings": settings.page,
    "python": python_names,
}


def _fill_in(_: Any, docname: str, source: list[str]) -> None:
    if docname.startswith("docs/reference/"):
        source[0] = MARKER.sub(lambda found: GENERATORS[found[1]](), source[0])
