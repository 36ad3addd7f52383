"""Every setting, with what it takes and its value in each preset, as Markdown."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from buffycoat import config

BOUNDS = {"gt": "above {}", "ge": "from {}", "lt": "below {}", "le": "up to {}"}
NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def page() -> str:
    """A section with a table for each section of the settings."""
    presets = {name: config.load(name).model_dump(mode="json") for name in config.PRESETS}
    return "\n\n".join(
        _section(name, model, {preset: _at(values, name) for preset, values in presets.items()})
        for name, model in sections()
    )


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Each section's dotted name, "" for the outermost, with its model."""
    yield from _walk("", config.Config)


def _walk(name: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield name, model
    for key, field in model.model_fields.items():
        if _is_section(field):
            yield from _walk(f"{name}.{key}".lstrip("."), field.annotation)  # pyright: ignore


def _is_section(field: FieldInfo) -> bool:
    return inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel)


def _at(values: dict[str, Any], name: str) -> dict[str, Any]:
    for key in filter(None, name.split(".")):
        values = values[key]
    return values


def _section(name: str, model: type[BaseModel], presets: dict[str, dict[str, Any]]) -> str:
    rows = [
        _row(f"{name}.{key}".lstrip("."), field, {p: values[key] for p, values in presets.items()})
        for key, field in model.model_fields.items()
        if not _is_section(field)
    ]
    table = "\n".join(["| setting | meaning | takes | value |", "|-|-|-|-|", *rows])
    about = inspect.cleandoc(model.__doc__ or "")
    return "\n\n".join([f"## {name or 'Of the whole run'}", about, table])


def _row(name: str, field: FieldInfo, values: dict[str, Any]) -> str:
    cells = (f"`{name}`", field.description or "", _takes(field), _values(values))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _takes(field: FieldInfo) -> str:
    kinds = get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
    bounds = [
        text.format(getattr(rule, bound))
        for rule in field.metadata
        for bound, text in BOUNDS.items()
        if getattr(rule, bound, None) is not None
    ]
    words = [*(_type(one) for one in kinds if one is not type(None)), *bounds]
    return ", ".join([*words, "or nothing"] if type(None) in kinds else words)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _type(annotation: Any) -> str:
    """In words: "whole number", "`a` or `b`", "list of text"."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{option}`" for option in inside)
    if origin is Annotated:
        return _type(inside[0])
    if origin is tuple:
        is_any_length = inside[-1] is ...
        return f"list of {_type(inside[0]) if is_any_length else f'{len(inside)} numbers'}"
    if origin is dict:
        return f"table of {_type(inside[0])} = {_type(inside[1])}"
    return NAMES[annotation]


def _values(values: dict[str, Any]) -> str:
    """That of preset `default`, then what other presets have, as TOML writes it."""
    others: dict[str, list[str]] = {}
    usual = _toml(values["default"])
    for preset, value in values.items():
        if _toml(value) != usual:
            others.setdefault(_toml(value), []).append(f"`{preset}`")
    return "; ".join([usual, *(f"{', '.join(who)}: {value}" for value, who in others.items())])


def _toml(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return f"`{{ {', '.join(f'{key} = {json.dumps(one)}' for key, one in value.items())} }}`"
    return f"`{json.dumps(value)}`"
