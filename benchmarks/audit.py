"""How long an audit takes, and which copies it finds.

    python -m benchmarks.audit --cells 2000
    python -m benchmarks.audit --data ../shared/pbc-lt --embedding --out runs/audit.json

Cells are rendered, or the training cells of a data set: held-out cells are never touched. Of some
of them a changed copy is added, one kind of change at a time, and looked for among all, by the
search and the alignment that the command uses. "unplanted" are the pairs that are found without any
copy: false alarms where cells are rendered, since each is drawn anew; of real cells look at them.
The highest correlations of two strangers, in one frame and in a crop or shift, are what
`audit.align.SAME_FRAME_AT_LEAST` and `CROP_AT_LEAST` must lie above.

Times are CPU seconds, as one core would take: run it with OMP_NUM_THREADS=1. The time for more
cells is put together from what grows with the cells (reading, candidates to confirm) and the search
for candidates, which grows with their square and is run at that size on random hashes: its time
does not depend on what they say.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from buffycoat.audit import perceptual
from buffycoat.audit.align import Alignment, align
from buffycoat.audit.candidates import find_candidates
from buffycoat.audit.perceptual import Picture
from buffycoat.audit.scan import Embed, Scan, scan
from buffycoat.cells import Manifest
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.images import read, write_atomic
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import LONG_TAIL_COUNTS, render_benchmark
from buffycoat.sources.read import read as read_source

LARGE = 20_000
SEED = 0
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _jpeg(quality: int) -> Change:
    def change(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        with Image.open(io.BytesIO(buffer.getvalue())) as again:
            return np.array(again.convert("RGB"))

    return change


def _turn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(perceptual.orient(image, int(rng.integers(1, 8))))


def _crop(share: float) -> Change:
    def change(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        side = round(share * min(image.shape[:2]))
        top, left = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
        return np.ascontiguousarray(image[top : top + side, left : left + side])

    return change


def _degrade(severity: int) -> Change:
    return lambda image, rng: degrade(image, severity, rng)


def _both(first: Change, second: Change) -> Change:
    return lambda image, rng: second(first(image, rng), rng)


CHANGES: dict[str, Change] = {
    "JPEG at quality 50": _jpeg(50),
    "JPEG at quality 20": _jpeg(20),
    "turned or mirrored": _turn,
    "turned, JPEG 50": _both(_turn, _jpeg(50)),
    "half the size": lambda image, _: np.array(Image.fromarray(image).reduce(2)),
    "cropped to 90 %": _crop(0.9),
    "cropped to 85 %": _crop(0.85),
    "cropped to 75 %": _crop(0.75),
    "turned, cropped to 85 %": _both(_turn, _crop(0.85)),
    "severity 1": _degrade(1),
    "severity 2": _degrade(2),
    "severity 3": _degrade(3),
    "severity 4": _degrade(4),
    "turned, severity 3": _both(_turn, _degrade(3)),
}
"""What is done to a copy; crops lie anywhere in the frame."""


@dataclass(frozen=True)
class Cells:
    """Cells to search among, and what reading them took."""

    manifest: Manifest
    scan: Scan
    seconds: float


def load(manifest: Manifest, embed: Embed | None) -> Cells:
    """Read all cells, in one thread."""
    start = time.process_time()
    found = scan(manifest, embed, workers=1)
    return Cells(manifest, found, time.process_time() - start)


def _highest(aligned: Sequence[Alignment]) -> list[float]:
    return sorted((round(one.correlation, 3) for one in aligned), reverse=True)[:6]


def time_search(cells: Cells) -> dict[str, Any]:
    """Seconds of the search and of confirming, the pairs found, and the likest strangers."""
    rows = np.arange(len(cells.manifest))
    start = time.process_time()
    candidates = find_candidates(cells.scan, rows)
    searched = time.process_time()
    of_pair = {
        (a, b): alignment
        for a, b in candidates.tolist()
        if (alignment := align(cells.scan.picture(a), cells.scan.picture(b)))
    }
    done = time.process_time()
    names = cells.manifest.column("cell_id")
    unplanted = [[names[a], names[b]] for (a, b), one in of_pair.items() if one.is_same]
    aligned = [one for one in of_pair.values() if not one.is_same]
    return {
        "unplanted": unplanted,
        "read_ms_per_cell": 1000 * cells.seconds / len(rows),
        "search_s": searched - start,
        "candidates_per_cell": len(candidates) / len(rows),
        "confirm_ms_per_candidate": 1000 * (done - searched) / max(len(candidates), 1),
        "highest_same_frame": _highest([one for one in aligned if one.is_same_frame]),
        "highest_other_frame": _highest([one for one in aligned if not one.is_same_frame]),
    }


def time_large(cells: Cells, n: int) -> float:
    """Seconds to search n random hashes, and embeddings of the cells' width if they have any."""
    rng = np.random.default_rng(SEED)
    hashes = [rng.choice(np.array([-1, 1], np.int8), (n, perceptual.BITS)) for _ in range(2)]
    embeddings = None
    if cells.scan.embeddings is not None:
        embeddings = rng.normal(size=(n, cells.scan.embeddings.shape[1])).astype(np.float32)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    large = replace(
        cells.scan, frame_hashes=hashes[0], cell_hashes=hashes[1], embeddings=embeddings
    )
    start = time.process_time()
    find_candidates(large, np.arange(n))
    return time.process_time() - start


def plant(cells: Cells, change: Change, n: int, embed: Embed | None) -> dict[str, float]:
    """Share of n changed copies that are found among all cells, with exact 95 % limits."""
    rng = np.random.default_rng(SEED)
    total = len(cells.manifest)
    rows = rng.choice(total, min(n, total), replace=False)
    paths = cells.manifest.column("path")
    copies = [change(read(str(paths[row])), rng) for row in rows]
    both = _with_copies(cells.scan, copies, embed)
    candidates = find_candidates(both, np.arange(total + len(rows)))
    pairs = {(a, b) for a, b in candidates.tolist()}
    wanted = [(int(row), total + place) for place, row in enumerate(rows)]
    aligned = [
        align(both.picture(pair[0]), both.picture(pair[1])) if pair in pairs else None
        for pair in wanted
    ]
    known = [one.correlation for one in aligned if one is not None]
    n_found = sum(one is not None and one.is_same for one in aligned)
    low, high = clopper_pearson(n_found, len(rows))
    return {
        "n": len(rows),
        "candidate": float(np.mean([pair in pairs for pair in wanted])),
        "found": n_found / len(rows),
        "low": float(low),
        "high": float(high),
        "correlation_2_percent": float(np.quantile(known, 0.02)) if known else float("nan"),
    }


def _with_copies(found: Scan, copies: Sequence[np.ndarray], embed: Embed | None) -> Scan:
    pictures = [Picture.of(copy) for copy in copies]
    embeddings = found.embeddings
    if embed is not None and embeddings is not None:
        embeddings = np.concatenate([embeddings, embed(copies)])
    return replace(
        found,
        grays=np.concatenate([found.grays, [p.gray for p in pictures]]),
        frame_hashes=np.concatenate([found.frame_hashes, [p.frame_hash for p in pictures]]),
        cell_hashes=np.concatenate([found.cell_hashes, [p.cell_hash for p in pictures]]),
        places=(*found.places, *(p.place for p in pictures)),
        embeddings=embeddings,
    )


def _embedder(cache: Path) -> Embed:
    from buffycoat.predict.embedder import make_embedder
    from buffycoat.predict.predictor import Pipeline

    return make_embedder(Pipeline.load("starter").fitted, cache)


def _rendered(folder: Path, n: int) -> Manifest:
    share = n / sum(LONG_TAIL_COUNTS.values())
    counts = {code: max(round(share * count), 1) for code, count in LONG_TAIL_COUNTS.items()}
    render_benchmark(folder, counts, 0, 0, SEED)
    for empty in ("phase2_eval.csv", "phase2_eval_severity.csv", "phase2_test.csv"):
        (folder / empty).unlink()
    for empty in ("eval", "test"):
        (folder / "phase2" / empty).rmdir()
    return read_source(folder)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    if options.data:
        manifest = read_source(options.data).of_split("train")
    else:
        manifest = _rendered(folder / "cells", options.cells).of_split("train")
    manifest = manifest.subset(np.arange(min(options.cells, len(manifest))))
    embed = _embedder(folder / "cache") if options.embedding else None
    cells = load(manifest, embed)
    result: dict[str, Any] = {"data": str(options.data or "rendered"), "cells": len(manifest)}
    result |= {"embedding": bool(embed), **time_search(cells)}
    print(json.dumps(result))
    result["large"] = {"cells": LARGE, "search_s": time_large(cells, LARGE)}
    confirm = LARGE * result["candidates_per_cell"] * result["confirm_ms_per_candidate"] / 1000
    result["large"] |= {"read_s": LARGE * result["read_ms_per_cell"] / 1000, "confirm_s": confirm}
    print(json.dumps(result["large"]))
    result["planted"] = {}
    for name, change in CHANGES.items():
        planted = plant(cells, change, options.planted, embed)
        result["planted"][name] = planted
        print(
            f"{name:<24} found {planted['found']:.3f} of {planted['n']} "
            f"({planted['low']:.3f} to {planted['high']:.3f}), "
            f"candidates {planted['candidate']:.3f}, "
            f"correlation of the worst 2 % {planted['correlation_2_percent']:.2f}",
            flush=True,
        )
    return result


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description="Time of an audit, and the copies it finds.")
    parser.add_argument("--data", type=Path, help="a data set; its training cells are taken")
    parser.add_argument("--cells", type=int, default=2000, help="at most")
    parser.add_argument("--planted", type=int, default=150, help="copies of each kind")
    parser.add_argument("--embedding", action="store_true", help="use the starter's encoder too")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    if options.out:
        write_atomic(options.out, (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
