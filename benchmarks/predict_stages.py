"""Cells a second of `buffycoat predict`, and where the time goes, stage by stage.

    python -m benchmarks.predict_stages PBC-LT --out benchmarks/results/predict/stages.json

Times the same calls as the command line makes, on cells of the evaluation split, without the start
of the interpreter. A stage's time is its own: listed calls inside it count for themselves.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from buffycoat.images import write_atomic
from buffycoat.predict import batches, bracket, cleaning, stages
from buffycoat.predict.predictor import Pipeline
from buffycoat.restore.severity import SeverityEstimator
from buffycoat.sources.read import read

CALLS = {
    "decode": (batches, "load_work"),
    "severity": (SeverityEstimator, "estimate"),
    "gate": (cleaning, "check_restored"),
    "morphology": (cleaning, "measure_all"),
    "restore": (cleaning, "clean"),
    "classify": (stages, "classify"),
    "embed": (stages, "embed"),
    "refine": (stages, "refine"),
    "decide": (bracket, "decide"),
}
"""Stage -> where its call is looked up; segmentation, which a bundle carries, is timed besides.
"restore" is what `clean` does besides the listed ones."""


class Clock:
    """Seconds of each stage, without those of the stages that it calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.inner = [0.0]

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed."""

        @functools.wraps(call)
        def timed(*args: Any, **options: Any) -> Any:
            self.inner.append(0.0)
            start = time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                took = time.perf_counter() - start
                self.seconds[name] += took - self.inner.pop()
                self.inner[-1] += took

        return timed


def measure(bundle: str, data: Path, n_cells: int) -> dict[str, Any]:
    """Predict cells spread over the evaluation split, with every stage timed."""
    pipeline = Pipeline.load(bundle)
    cells = read(data).of_split("eval")
    chosen = np.linspace(0, len(cells) - 1, n_cells).round().astype(int)
    pipeline.predict_manifest(cells.subset(chosen[:8]))  # the first calls are slow
    clock = Clock()
    fitted = pipeline.fitted
    segment = clock.wrap("segment", fitted.restoration.segment)
    pipeline.fitted = replace(fitted, restoration=replace(fitted.restoration, segment=segment))
    kept = {name: getattr(*place) for name, place in CALLS.items()}
    for name, (owner, attribute) in CALLS.items():
        setattr(owner, attribute, clock.wrap(name, kept[name]))
    try:
        start = time.perf_counter()
        pipeline.predict_manifest(cells.subset(chosen))
        total = time.perf_counter() - start
    finally:
        for name, (owner, attribute) in CALLS.items():
            setattr(owner, attribute, kept[name])
    rest = total - sum(clock.seconds.values())
    per_cell = {name: 1000 * clock.seconds[name] / n_cells for name in (*CALLS, "segment")}
    return {
        "bundle": bundle,
        "models": len(pipeline.fitted.models),
        "views": pipeline.fitted.config.classify.views,
        "input_px": pipeline.fitted.config.classify.input_px,
        "cells": n_cells,
        "threads": torch.get_num_threads(),
        "cells_per_second": n_cells / total,
        "ms_per_cell": per_cell | {"other": 1000 * rest / n_cells},
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Speed of prediction, stage by stage.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--cells", type=int, default=256)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = measure(options.bundle, options.data, options.cells)
    for name, value in found["ms_per_cell"].items():
        print(f"{name:<12}{value:8.1f} ms a cell")
    print(f"{found['cells_per_second']:.1f} cells/s, {found['peak_memory_mib']:.0f} MiB at most")
    if options.out:
        write_atomic(options.out, (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
