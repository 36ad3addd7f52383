"""Cells a second of a restorer alone and of the whole gated stage, and the memory of it."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import twins
from buffycoat.bundle.fitted import Fitted
from buffycoat.predict import cleaning
from buffycoat.restore.one_by_one import Restorer

SIDE_PX = 256
CELLS = 100
ROUNDS = 3
WARM_UP = 4
"""Cells run before the clock starts."""
STAGE = "whole stage with gate"

Apply = Callable[[np.ndarray], object]


def race(methods: Mapping[str, Apply], images: np.ndarray, rounds: int) -> dict[str, list[float]]:
    """Cells a second of each method in each round; rounds alternate, so that all meet one load.

    Args:
        methods: Name -> what is timed.
        images: Shape (n, h, w, 3), uint8.
        rounds: At least 1.
    """
    for apply in methods.values():
        apply(images[:WARM_UP])
    rates: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, apply in methods.items():
            start = time.perf_counter()
            apply(images)
            rates[name].append(len(images) / (time.perf_counter() - start))
    return rates


def measure(
    fitted: Fitted, others: Mapping[str, Restorer], data: Path, cache: Path
) -> dict[str, Any]:
    """Rates at `SIDE_PX` on degraded cells and on the evaluation split's own mix.

    Args:
        fitted: Gives our restorer and the gated stage.
        others: Restorers to compare with, by name.
        data: Gives the cells.
        cache: Folder for decoded images.
    """
    larger = fitted.config.images.model_copy(update={"work_px": SIDE_PX})
    config = fitted.config.model_copy(update={"images": larger})
    _, cells = twins.load_eval(data, config, cache / "images")
    degraded = np.flatnonzero(cells.severity > 0)
    sets = {
        "degraded, severity 1-4": degraded[twins.spread(len(degraded), CELLS)],
        "evaluation mix, severity 0-4": twins.spread(len(cells), CELLS),
    }
    methods: dict[str, Apply] = {"ours alone": fitted.restoration.restorer.restore}
    methods |= {f"{name} alone": other.restore for name, other in others.items()}
    methods[STAGE] = lambda images: cleaning.clean(images, fitted.restoration)
    before = _peak_mib()
    return {
        "side_px": SIDE_PX,
        "images": {
            name: _figures(race(methods, np.array(cells.degraded[rows]), ROUNDS), rows)
            for name, rows in sets.items()
        },
        "peak_memory_mib": _peak_mib(),
        "peak_memory_before_the_race_mib": before,
    }


def _figures(rates: Mapping[str, list[float]], rows: np.ndarray) -> dict[str, Any]:
    middle = {name: float(np.median(values)) for name, values in rates.items()}
    return {
        "n": len(rows),
        "cells_per_second": middle,
        "of_each_round": dict(rates),
        "ours_over": {
            name: middle["ours alone"] / rate
            for name, rate in middle.items()
            if name not in ("ours alone", STAGE)
        },
    }


def _peak_mib() -> float:
    """Largest resident memory of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def markdown(found: Mapping[str, Any]) -> str:
    """A table for people."""
    sets = found["images"]
    lines = [
        f"| cells/s at {found['side_px']} px | " + " | ".join(sets) + " |",
        "|-" * (len(sets) + 1) + "|",
    ]
    for name in next(iter(sets.values()))["cells_per_second"]:
        rates = [f"{figures['cells_per_second'][name]:.1f}" for figures in sets.values()]
        lines.append(f"| {name} | " + " | ".join(rates) + " |")
    lines.append(f"\npeak memory {found['peak_memory_mib']:.0f} MiB")
    return "\n".join(lines)
