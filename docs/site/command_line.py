"""Every command and option of the command line, as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from typer.core import TyperGroup
from typer.main import get_command

from buffycoat.cli.main import app

NAMES = {str: "text", Path: "path", int: "whole number", float: "number"}


def page() -> str:
    """Sections of all commands, in the order of `buffycoat --help`."""
    return "\n\n".join(_section(words, command) for words, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Each command that does something, with the words that name it: "review users add"."""
    yield from _walk("buffycoat", get_command(app))


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _walk(f"{words} {name}", child)


def _section(words: str, command: Any) -> str:
    level = "##" if words.count(" ") < 2 else "###"
    parts = [f"{level} {words}", inspect.cleandoc(command.help or "")]
    parts.append(f"```text\n{words} {' '.join(_usage(command))}\n```")
    hints = get_type_hints(command.callback, include_extras=True) if command.callback else {}
    rows = [_row(one, hints[one.name]) for one in command.params if one.name in hints]
    if rows:
        parts.append("\n".join(["| | takes | default | meaning |", "|-|-|-|-|", *rows]))
    return "\n\n".join(parts)


def _usage(command: Any) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        yield "COMMAND"
        return
    for one in command.params:
        if _is_argument(one):
            yield _argument(one) if one.required else f"[{_argument(one)}]"
        elif one.required:
            yield f"{one.opts[0]} ..."
    yield "[OPTIONS]"


def _row(one: Any, hint: Any) -> str:
    annotation, info = get_args(hint)[0], get_args(hint)[1]
    is_many, (kind,) = _kind(annotation)
    takes = "" if _is_argument(one) or kind is bool else info.metavar or _words(kind, info)
    name = f"`{_argument(one)}`" if _is_argument(one) else ", ".join(f"`{o}`" for o in one.opts)
    help_ = one.help or ""
    if is_many and not _is_argument(one) and "epeatable" not in help_:
        help_ += " Repeatable."
    return f"| {' | '.join(map(_cell, (name, takes, _default(one, kind), help_)))} |"


def _kind(annotation: Any) -> tuple[bool, tuple[type]]:
    """Whether several may be given, and the class of each: of `list[str] | None`, True and str."""
    inside = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is list:
        return True, (inside[0],)
    return _kind(inside[0]) if inside else (False, (annotation,))


def _words(kind: type, info: Any) -> str:
    if issubclass(kind, Enum):
        return ", ".join(f"`{one.value}`" for one in kind)
    name = NAMES[kind]
    if info.min is not None and info.max is not None:
        return f"{name}, {info.min} to {info.max}"
    if info.min is not None:
        return f"{name} from {info.min}"
    return name if info.max is None else f"{name} up to {info.max}"


def _is_argument(one: Any) -> bool:
    return one.param_type_name == "argument"


def _argument(one: Any) -> str:
    return one.metavar or f"{one.name.upper()}{'...' if one.nargs == -1 else ''}"


def _default(one: Any, kind: type) -> str:
    if one.required:
        return "must be given"
    if kind is bool or one.default in (None, "", (), []):
        return ""
    return f"`{getattr(one.default, 'value', one.default)}`"


def _cell(text: str) -> str:
    """Text that fits a cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()
