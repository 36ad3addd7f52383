"""Optional dependencies and registries: fail early, and say what to do."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Collection, Mapping
from types import ModuleType
from typing import TypeVar

from buffycoat.errors import ConfigError, MissingExtraError

Entry = TypeVar("Entry")


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Args:
        module: Dotted module name.
        extra: The extra of buffycoat that installs it.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: It is not installed; the message holds the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{module!r} is not installed. Install it with: pip install 'buffycoat[{extra}]'"
        ) from error


def choose(registry: Mapping[str, Entry], name: str, what: str) -> Entry:
    """Look a name up in a registry, or say which names there are.

    Args:
        registry: Name -> entry.
        name: The name asked for.
        what: What the registry holds, for the message ("loss", "backbone").

    Returns:
        The entry.

    Raises:
        ConfigError: No such name; the message gives the nearest match and all options.
    """
    if name in registry:
        return registry[name]
    raise ConfigError(unknown(registry, name, what))


def unknown(options: Collection[str], name: str, what: str) -> str:
    """That there is no such name, with the nearest match and all options.

    >>> unknown(["lite", "swin"], "lit", "backbone")
    "unknown backbone 'lit'. Did you mean 'lite'? Options: lite, swin"

    Args:
        options: The names that there are.
        name: The name asked for.
        what: What it is to be, such as "loss".
    """
    near = difflib.get_close_matches(name, options, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {name!r}.{hint} Options: {', '.join(sorted(options))}"
