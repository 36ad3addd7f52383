"""Cells a second from the embedding cache, and its memory at 10,000 and at 100,000 cells.

    python -m benchmarks.embedding_cache --out runs/embedding-cache.json

Cells are random pixels in a memory-mapped file, small ones for memory, and the encoder costs next
to nothing. Every call runs in a process of its own. Rates include hashing the pixels and reading
the embeddings; files are fresh in the system's page cache.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.embed.cache import encode_cached
from buffycoat.images import write_atomic
from buffycoat.progress import Progress

SIDES_PX = {"speed": 224, "memory": 32}
CELLS_AT_ONCE = 100
WIDTH = 1280
"""Of EfficientNet-Lite0's features."""


class PixelEncoder:
    """The first pixels, scaled to length 1."""

    fingerprint = "pixels"

    def encode(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Shape (n, `WIDTH`)."""
        rows = images.reshape(len(images), -1)[:, :WIDTH].astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_cells(path: Path, n: int, side_px: int) -> None:
    """Write n random images, without holding them: a process starts with its parent's peak."""
    rng = np.random.default_rng(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (n, side_px, side_px, 3)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n, CELLS_AT_ONCE):
            file.write(rng.bytes(min(CELLS_AT_ONCE, n - start) * side_px**2 * 3))


def call(cells: Path, cache: Path) -> dict[str, float]:
    """One call of `encode_cached` in this process."""
    images = np.load(cells, mmap_mode="r")
    before = _peak_mib()
    start = time.perf_counter()
    embeddings = encode_cached(PixelEncoder(), images, cache)
    seconds = time.perf_counter() - start
    return {
        "cells_per_second": len(images) / seconds,
        "peak_mib": _peak_mib(),
        "peak_before_mib": before,
        "result_mib": embeddings.nbytes / 2**20,
    }


def measure(n: int, side_px: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Fill a cache once, then read it in each round."""
    cells, cache = folder / f"{n}.npy", folder / f"{n}"
    folder.mkdir(exist_ok=True)
    write_cells(cells, n, side_px)
    command = [sys.executable, "-m", "benchmarks.embedding_cache", "--call", str(cells), str(cache)]
    fill, *hits = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(1 + rounds)
    ]
    cells.unlink()
    return {"cells": n, "side_px": side_px, "fill": fill, "hits": hits}


def _peak_mib() -> float:
    """Largest resident memory of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print a line a call."""
    parser = argparse.ArgumentParser(description="Speed and memory of the embedding cache.")
    parser.add_argument("--cells", type=int, default=4000, help="for speed")
    parser.add_argument("--memory-cells", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--call", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        print(json.dumps(call(*options.call)))
        return
    with tempfile.TemporaryDirectory() as folder:
        speed = measure(options.cells, SIDES_PX["speed"], options.rounds, Path(folder))
        memory = [
            measure(n, SIDES_PX["memory"], 1, Path(folder) / "memory") for n in options.memory_cells
        ]
    for found in (speed, *memory):
        for name, figures in [("fill", found["fill"]), *(("hit", hit) for hit in found["hits"])]:
            print(
                f"{found['cells']:>7} cells of {found['side_px']} px, {name:<5}"
                f"{figures['cells_per_second']:8.0f} cells/s, peak {figures['peak_mib']:.0f} MiB "
                f"({figures['peak_before_mib']:.0f} before; result {figures['result_mib']:.0f})"
            )
    if options.out:
        result = {"width": WIDTH, "speed": speed, "memory": memory}
        write_atomic(options.out, (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
