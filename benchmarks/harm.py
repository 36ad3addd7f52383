"""How many pictures restoration makes worse, on clean cells that are degraded by simulation.

    python -m benchmarks.harm CELLS --out harm.json [--bundle B] [--part report] [--sheet FILE]

CELLS is a folder of clean photographs, of any labels or none, that the bundle's restorer has not
seen. They are shuffled: limits are looked for on the first 60 %, `develop`, and figures are stated
on the others, `report`. Each is degraded once at each severity, as a photograph and as a working
image, and restored; a picture is harmed if its PSNR against the clean one falls by 1 dB or more.
"Before" is the gate without the limits of `gate.OF_THE_FAULT`, on the same images. Killed, the
same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmarks.quality import PSNR_CEILING_DB, mean_interval
from benchmarks.stored import restoration_key, write_json

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.bundle.restoration import Restoration
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.images import list_images, read, to_work, write_png
from buffycoat.learn.stage_store import StageStore, digest
from buffycoat.predict import cleaning, stages
from buffycoat.report.contact_sheet import MAX_PAIRS, Pair, draw_contact_sheet
from buffycoat.restore.gate import OF_THE_FAULT, GateLimits, accept
from buffycoat.simulate.degrade import GROUPS, MAX_SEVERITY, degrade_labelled

PARTS = ("develop", "report")
DEVELOP_SHARE = 0.6
SHUFFLE_SEED = 15
SEED = 1
HARM_DB = 1.0
LEVEL = 0.95
GATES = ("before", "after")
SEVERITIES = {
    **{str(severity): (severity,) for severity in range(MAX_SEVERITY + 1)},
    "1-4": (1, 2, 3, 4),
}
KEPT = 2.0 ** np.arange(len(GROUPS))
NOTES = (
    "gain_db: PSNR of what stands less PSNR of what went in, mean over all pictures, restored or "
    "not; intervals resample cells with all of their rows, image-level: patients are not known",
    "harmed: PSNR down by 1 dB or more; limits of Clopper and Pearson, 95 %; in 1-4 a cell counts "
    "four times, which makes them too narrow",
    f"severity 0: the clean picture itself, whose PSNR counts as {PSNR_CEILING_DB} dB: every "
    "change of it is harm",
)


def without_the_limits(limits: GateLimits) -> GateLimits:
    """The gate that does not ask if there was anything to undo."""
    steps = len(limits.pairs)
    low, high = ([n for n in OF_THE_FAULT if n in d] for d in (limits.lowest, limits.highest))
    return replace(
        limits,
        lowest={**limits.lowest, **dict.fromkeys(low, (0.0,) * steps)},
        highest={**limits.highest, **dict.fromkeys(high, (float("inf"),) * steps)},
    )


def psnr(clean: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Of pairs of images (n, h, w, 3), uint8, in dB, at most `PSNR_CEILING_DB`, shape (n,)."""
    error = ((clean.astype(np.float64) - images) ** 2).mean(axis=(1, 2, 3))
    return np.minimum(10 * np.log10(255**2 / np.maximum(error, 1e-9)), PSNR_CEILING_DB)


def choose(folder: Path, part: str, limit: int | None) -> list[Path]:
    """Photographs of one part, at most `limit` of them."""
    paths = list_images(folder)
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(paths))
    first = int(DEVELOP_SHARE * len(paths))
    rows = order[:first] if part == PARTS[0] else order[first:]
    return [paths[row] for row in rows[:limit]]


def draw(paths: list[Path], severity: int, is_frame: bool, fitted: Fitted) -> Iterator[tuple]:
    """Clean and degraded working image, and a number for the groups that were drawn."""
    images = fitted.config.images

    def work(image: np.ndarray) -> np.ndarray:
        return to_work(image, images.work_px, images.frame_fraction)

    for path in paths:
        photograph = read(path)
        # Of the file's name, so that a cell is degraded alike whichever others are measured.
        rng = np.random.default_rng([SEED, severity, is_frame, *path.stem.encode()])
        clean = work(photograph)
        given = photograph if is_frame else clean
        worse, groups = degrade_labelled(given, severity, rng)
        code = sum(KEPT[column] for column, name in enumerate(GROUPS) if name in groups)
        yield clean, work(worse) if is_frame else worse, code


def measure(
    paths: list[Path], severity: int, is_frame: bool, fitted: Fitted
) -> dict[str, np.ndarray]:
    """What restoration does to cells degraded once, n rows; images of those that were harmed."""
    restoration = fitted.restoration
    clean, worse, groups = map(np.array, zip(*draw(paths, severity, is_frame, fitted), strict=True))
    found = restoration.severity.estimate(worse)
    tried = np.flatnonzero(found.severity >= restoration.restore_above)
    restored = worse.copy()
    accepted = np.zeros((len(GATES), len(paths)), dtype=bool)
    if len(tried):
        restored[tried] = restoration.restorer.restore(worse[tried])
        masks = restoration.segment(worse[tried])
        few = found.subset(tried)
        verdict = cleaning.check_restored(worse[tried], restored[tried], masks, few, restoration)
        accepted[0, tried] = decided_before(verdict, restoration)
        accepted[1, tried] = verdict.accepted
    was, becomes = psnr(clean, worse), psnr(clean, restored)
    harmed = np.flatnonzero(accepted.any(axis=0) & (becomes - was <= -HARM_DB))
    return {
        "severity": np.full(len(paths), severity),
        "estimate": found.severity,
        "groups": groups,
        "was_db": was,
        "gain_db": becomes - was,
        "before": accepted[0],
        "after": accepted[1],
        "harmed": harmed,
        "harmed_given": worse[harmed],
        "harmed_restored": restored[harmed],
    }


def decided_before(verdict: cleaning.Verdict, restoration: Restoration) -> np.ndarray:
    """Which restored images the gate without the limits in question would have let through."""
    assert restoration.gate is not None, "the bundle has no gate"
    limits = without_the_limits(restoration.gate)
    return accept(verdict.numbers, limits, restoration.restore_above)[0]


def gather(
    paths: list[Path], is_frame: bool, fitted: Fitted, store: StageStore
) -> tuple[dict[str, np.ndarray], list[Pair]]:
    """All rows of all severities, with "cell" their number, and what was harmed, to look at."""
    parts, pairs = [], []
    for severity in range(MAX_SEVERITY + 1):
        for rows in stages.batches(len(paths)):
            names = [path.name for path in paths[rows]]
            inputs = {
                "bundle": restoration_key(fitted),
                "cells": digest(names),
                "severity": severity,
                "is_frame": is_frame,
            }
            found = store.run(
                "harm",
                inputs,
                lambda _, r=rows, s=severity: (measure(paths[r], s, is_frame, fitted), {}),
            ).arrays
            numbers = {"cell": np.arange(rows.start, rows.stop)}
            numbers |= {k: v for k, v in found.items() if not k.startswith("harmed")}
            parts.append(numbers)
            pairs += show(names, found)
        print(f"severity {severity}: {len(paths)} cells", flush=True)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, pairs


def show(names: list[str], found: Mapping[str, np.ndarray]) -> Iterator[Pair]:
    """Harmed pictures: given, restored, and which gate let it through."""
    for place, row in enumerate(found["harmed"]):
        is_restored = bool(found["after"][row])
        was, gain = found["was_db"][row], found["gain_db"][row]
        yield Pair(
            name=Path(names[row]).stem,
            before=found["harmed_given"][place],
            after=found["harmed_restored"][place],
            severity=float(found["estimate"][row]),
            degradation=group_name(float(found["groups"][row])) or "clean",
            verdict=f"{was:.1f} to {was + gain:.1f} dB: {'let through' if is_restored else 'kept'}",
            is_restored=is_restored,
        )


def group_name(code: float) -> str:
    """Such as "noise+light"; "" for none."""
    return "+".join(name for column, name in enumerate(GROUPS) if int(code) >> column & 1)


def tabulate(rows: dict[str, np.ndarray]) -> dict[str, Any]:
    """Both gates by severity, and by what was drawn at severity 1 to 4."""
    groups = {name: np.isin(rows["severity"], wanted) for name, wanted in SEVERITIES.items()}
    for code in range(1, int(KEPT.sum()) + 1):
        groups[f"{group_name(code)}, 1-4"] = (rows["groups"] == code) & (rows["severity"] > 0)
    return {name: compare(rows, mask) for name, mask in groups.items() if mask.any()}


def compare(rows: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, Any]:
    """Both gates on some of the rows, and what the second gains over the first, paired."""
    cells = rows["cell"][mask]
    stands = {gate: np.where(rows[gate][mask], rows["gain_db"][mask], 0.0) for gate in GATES}
    table: dict[str, Any] = {"n": int(mask.sum())}
    for gate, gain in stands.items():
        restored, harmed = int(rows[gate][mask].sum()), int((gain <= -HARM_DB).sum())
        table[gate] = {
            "restored": restored,
            "gain_db": mean_interval(gain, cells),
            "worst_db": float(gain.min()),
            "harmed": proportion(harmed, len(gain)),
            "harmed_of_restored": proportion(harmed, restored),
        }
    difference = stands[GATES[1]] - stands[GATES[0]]
    return table | {"after_less_before_db": mean_interval(difference, cells)}


def proportion(count: int, n: int) -> dict[str, Any]:
    """A share with exact limits; nothing but the counts where there is nothing to share."""
    if not n:
        return {"count": count, "n": n}
    low, high = map(float, clopper_pearson(count, n, LEVEL))
    return {"count": count, "n": n, "share": count / n, "low": low, "high": high}


def percent(found: dict[str, Any]) -> str:
    """A share with its limits, in percent."""
    share, low, high = (100 * found[name] for name in ("share", "low", "high"))
    return f"{share:.2f} ({low:.2f} to {high:.2f})"


def markdown(table: dict[str, Any]) -> str:
    """A table for people, a line a group."""
    lines = [
        "| | n | restored | mean gain, dB | harmed | share harmed, % | worst, dB |",
        "|-|-|-|-|-|-|-|",
    ]
    for name, found in table.items():
        both = [found[gate] for gate in GATES]
        gains = [part["gain_db"] for part in both]
        cells = (
            [f"{part['restored']}" for part in both],
            [f"{g['mean']:.2f} ({g['low']:.2f} to {g['high']:.2f})" for g in gains],
            [f"{part['harmed']['count']}" for part in both],
            [percent(part["harmed"]) for part in both],
            [f"{part['worst_db']:.1f}" for part in both],
        )  # fmt: skip
        lines.append(f"| {name} | {found['n']} | " + " | ".join(map(" / ".join, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write JSON, print tables for people."""
    parser = argparse.ArgumentParser(description="Share of pictures that restoration harms.")
    parser.add_argument("cells", type=Path, help="folder of clean photographs")
    parser.add_argument("--bundle", default=files.STARTER)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--part", choices=PARTS, default=PARTS[1])
    parser.add_argument("--limit", type=int, help="take so many cells, for a trial")
    parser.add_argument("--cache", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--sheet", type=Path, help="PNG of harmed pictures; never commit it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    fitted = files.read(options.bundle)
    paths = choose(options.cells, options.part, options.limit)
    store = StageStore(options.cache / "stages")
    found: dict[str, Any] = {
        "notes": list(NOTES),
        "cells": f"{len(paths)} of {options.cells.resolve().parent.name}, part {options.part!r}",
        "bundle": restoration_key(fitted),
    }
    harmed: list[Pair] = []
    for name, is_frame in (("photographs degraded", True), ("working images degraded", False)):
        rows, pairs = gather(paths, is_frame, fitted, store)
        found[name] = tabulate(rows)
        harmed += pairs
        print(f"\n{name}; gate before / after\n\n{markdown(found[name])}\n", flush=True)
    write_json(options.out, found)
    if options.sheet:
        order = sorted(harmed, key=lambda pair: not pair.is_restored)
        write_png(options.sheet, draw_contact_sheet(order[:MAX_PAIRS], len(harmed)))


if __name__ == "__main__":
    main()
