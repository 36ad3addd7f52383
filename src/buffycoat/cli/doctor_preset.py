"""`buffycoat doctor --preset`: whether a training could run here, and about what it takes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

GIB = 1 << 30


def of_preset(
    preset: str, changes: Sequence[str], cells: int, machine: Mapping[str, Any]
) -> dict[str, Any]:
    """What a training needs, takes, and what is in its way, as plain values.

    Args:
        preset: Its name, or a .toml file.
        changes: As `--set` takes them.
        cells: That it is to learn from.
        machine: Memory and free disk.

    Raises:
        ConfigError: No such preset or setting.
    """
    from buffycoat import config
    from buffycoat.learn.estimate import estimate
    from buffycoat.learn.needs import needs_of

    settings = config.load(preset, changes)
    needs = needs_of(settings)
    load = _load()
    taken = estimate(settings, cells)
    memory_gib, disk_gib = taken.memory_bytes / GIB, taken.disk_bytes / GIB
    faults = [f"{need.stage}: {need.what}: {need.remedy}" for need in needs if need.remedy]
    faults += _too_little(memory_gib, disk_gib, machine)
    return {
        "preset": preset,
        "cells": cells,
        "needs": [
            {
                "stage": need.stage,
                "what": need.what,
                "licence": need.licence,
                "where": need.where,
                "remedy": need.remedy,
            }
            for need in needs
        ],
        "stages": [
            {
                "stage": stage.stage,
                "memory_gib": round((taken.held_bytes + stage.memory_bytes) / GIB, 1),
                "hours": round(stage.seconds / 3600, 2),
                "disk_gib": round(stage.disk_bytes / GIB, 1),
            }
            for stage in taken.stages
        ],
        "unknown": list(taken.unknown),
        "memory_gib": round(memory_gib, 1),
        "hours": round(taken.seconds / 3600, 2),
        "disk_gib": round(disk_gib, 1),
        "device": taken.device,
        "load": load,
        "asked_hub": any(need.is_asked_for for need in needs),
        "faults": faults,
    }


def _load() -> float | None:
    """Busy processes of the last minute; None where the system does not count them."""
    try:
        return round(os.getloadavg()[0], 1)
    except (AttributeError, OSError):  # Windows
        return None


def _too_little(memory_gib: float, disk_gib: float, machine: Mapping[str, Any]) -> list[str]:
    """Memory and disk that the machine lacks, in words."""
    found = []
    has = machine["trains_in_gib"]
    if has is not None and memory_gib > has:
        found.append(
            f"memory: about {memory_gib:.1f} GiB are needed, {has:.1f} are here. Show fewer cells "
            "at a time: --set classify.micro_batch=16 gives the same gradients; the largest stage "
            "is named above"
        )
    if disk_gib > machine["disk_free_gib"]:
        found.append(
            f"disk: about {disk_gib:.1f} GiB are needed, {machine['disk_free_gib']:.1f} are free "
            "here. Choose another place for --out"
        )
    return found


def print_preset(console: Console, found: Mapping[str, Any]) -> None:
    """Tables of what is needed and taken, then what is in the way."""
    name = escape(str(found["preset"]))
    needs = Table(title=f"Preset {name}: what it needs", title_justify="left")
    for column in ("stage", "what", "licence", "here"):
        needs.add_column(column, overflow="fold")
    for row in found["needs"]:
        here = escape(row["where"]) if row["where"] else "[red]missing[/]"
        needs.add_row(row["stage"], escape(row["what"]), escape(row["licence"]), here)
    if not found["needs"]:
        needs.add_row("", "nothing from outside", "", "")
    where = "CPU" if found["device"] == "cpu" else "GPU"
    title = f"Preset {name}: rough estimate of a training on {found['cells']:,} cells, {where}"
    taken = Table()
    for column in ("stage", "memory, GiB", "time", "disk, GiB"):
        taken.add_column(column, justify="left" if column == "stage" else "right")
    for row in found["stages"]:
        taken.add_row(row["stage"], *_figures(row))
    for stage in found["unknown"]:
        taken.add_row(stage, "unknown", "until its weights", "are here")
    taken.add_section()
    taken.add_row("whole run", *_figures(found))
    console.print(needs)
    console.print(title, highlight=False, soft_wrap=True)
    console.print(taken)
    console.print(_how_rough(found), highlight=False, soft_wrap=True)
    for fault in found["faults"]:
        console.print(f"[red]{escape(fault)}[/]", highlight=False, soft_wrap=True)
    verdict = "cannot be trained here" if found["faults"] else "can be trained here"
    console.print(f"Preset {name} {verdict}.", highlight=False)


def _how_rough(found: Mapping[str, Any]) -> str:
    """What the times rest on."""
    timed = "the time of a product of matrices, taken just now"
    if found["device"] == "cpu" and found["load"] is not None:
        timed += f" at a load of {found['load']:g} (1 is one busy core)"
    return (
        f"Times are rough: counted operations, and {timed}. Other programs make them longer, so "
        "ask again on an idle machine. Work on the pictures is not in them: about 20 ms a cell."
    )


def _figures(row: Mapping[str, Any]) -> tuple[str, str, str]:
    minutes = round(60 * row["hours"])
    span = str(timedelta(minutes=minutes)).removesuffix(":00") if minutes else "< 1 min"
    return f"{row['memory_gib']:.1f}", f"{span} h" if minutes else span, f"{row['disk_gib']:.1f}"
