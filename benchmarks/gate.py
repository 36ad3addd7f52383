"""What the gate lets through: wrong restorers planted before it, and the bundle's own restorer.

    python -m benchmarks.gate PBC_LT --bundle BUNDLE --out gate.json [--cache FOLDER]

PBC_LT is a data set in WBCBench's Kaggle layout with clean twins in `phase2/eval_pristine/`, on
which nothing is fitted or chosen. Plants are checked in three ways: by the whole system (a pristine
cell is not even tried), by the limits of the lowest severity alone, and on degraded cells that
were honestly restored and accepted, then tampered with.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from benchmarks.plants import LEAST_PSNR, PLANTS, REQUIRED, psnr
from benchmarks.twins import Twins, load_eval, spread

from buffycoat.bundle import files
from buffycoat.bundle.restoration import Restoration
from buffycoat.images import write_atomic
from buffycoat.predict import cleaning
from buffycoat.predict.cleaning import Verdict
from buffycoat.restore.gate import MIN_QUALITY, GateLimits, broken, known_good
from buffycoat.restore.severity import Degradation
from buffycoat.segment.stain import CellMasks, segment_all

PLANTED_CLASSES = ("EO", "BA")
GAIN = ("severity_gain", "lowest")
WORTH = (GAIN, ("change_size", "lowest"), ("unfounded_light", "highest"))
"""Limits that ask whether there was anything to undo: a plant may keep to them or not."""
SEED = 20
TAMPERED_CELLS = 240
"""Honestly restored cells that each plant is tried on, at most, evenly spread."""


@dataclass(frozen=True)
class Tried:
    """Cells of a set, each with a restored image and what the gate says of it.

    Attributes:
        original: Shape (n, w, w, 3), uint8.
        restored: Same shape.
        masks: Of the originals.
        found: Severity and kind, as estimated.
        verdict: The gate's.
    """

    original: np.ndarray
    restored: np.ndarray
    masks: list[CellMasks]
    found: Degradation
    verdict: Verdict

    @classmethod
    def of(
        cls,
        original: np.ndarray,
        restored: np.ndarray,
        masks: Sequence[CellMasks],
        found: Degradation,
        restoration: Restoration,
    ) -> Tried:
        """Ask the gate, whatever the severity is."""
        everything = replace(
            restoration, config=restoration.config.model_copy(update={"restore_above": 0.0})
        )
        verdict = cleaning.check_restored(original, restored, masks, found, everything)
        return cls(original, restored, list(masks), found, verdict)


def of_own_restorer(twins: Twins, restoration: Restoration) -> tuple[Tried, dict[str, Any]]:
    """Restore and check every cell; by true severity what is routed, accepted and changed."""
    restored = restoration.restorer.restore(twins.degraded)
    found = restoration.severity.estimate(twins.degraded)
    masks = segment_all(twins.degraded)
    tried = Tried.of(twins.degraded, restored, masks, found, restoration)
    good = known_good(
        twins.clean, twins.degraded, restored, segment_all(twins.clean), tried.verdict.masks
    )
    routed = found.severity >= restoration.restore_above
    accepted = tried.verdict.accepted
    table = {
        name: {
            "n": int(rows.sum()),
            "routed": share(routed[rows]),
            "accepted_of_routed": share(accepted[rows & routed]),
            "changed": share((accepted & routed)[rows]),
            "right_of_routed": share(good[rows & routed]),
            "accepted_of_right": share(accepted[rows & routed & good]),
            "accepted_of_wrong": share(accepted[rows & routed & ~good]),
        }
        for name, rows in twins.by_severity()
    }
    limits = restoration.gate
    assert limits is not None, "the bundle has no gate"
    eligible = routed & good & (twins.severity > 0)
    return tried, {
        "by_severity": table,
        "right_ones_refused_by": by_number(tried.verdict, limits, eligible),
    }


def plant(
    name: str, images: np.ndarray, masks: Sequence[CellMasks]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that can be tampered with, and the tampered images; the plant's bounds are checked."""
    rng = np.random.default_rng((SEED, list(PLANTS).index(name)))
    rows, planted = [], []
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        changed = PLANTS[name](image, mask, rng) if mask.quality >= MIN_QUALITY else None
        if changed is not None:
            assert name != "smoothed cytoplasm" or psnr(image, changed) >= LEAST_PSNR
            rows.append(row)
            planted.append(changed)
    return np.array(rows, dtype=np.int64), np.stack(planted)


def on_pristine(
    name: str, images: np.ndarray, masks: Sequence[CellMasks], restoration: Restoration
) -> dict[str, Any]:
    """A plant on pristine cells: checked by the whole system, then by the lowest limits alone."""
    limits = restoration.gate
    assert limits is not None
    rows, planted = plant(name, images, masks)
    found = restoration.severity.estimate(images[rows])
    tried = Tried.of(images[rows], planted, [masks[row] for row in rows], found, restoration)
    lowest = replace(
        tried.verdict, numbers=replace(tried.verdict.numbers, severity_before=np.zeros(len(rows)))
    )
    changed = tried.verdict.accepted & (found.severity >= restoration.restore_above)
    return {
        "n": len(rows),
        "skipped": len(images) - len(rows),
        "median_psnr": float(
            np.median([psnr(images[r], p) for r, p in zip(rows, planted, strict=True)])
        ),
        "rejected_by_the_system": share(~changed),
        "rejected_by_the_limits_alone": share(sameness(lowest, limits)),
        "rejected_by": by_number(lowest, limits, np.full(len(rows), True)),
    }


def on_restored(name: str, tried: Tried, restoration: Restoration) -> dict[str, Any]:
    """A plant on honestly restored and accepted cells that still look cleaner than they were."""
    limits = restoration.gate
    assert limits is not None
    routed = tried.found.severity >= restoration.restore_above
    honest = np.flatnonzero(tried.verdict.accepted & routed)
    honest = honest[spread(len(honest), TAMPERED_CELLS)]
    after = [tried.verdict.masks[row] for row in honest]
    rows, planted = plant(name, tried.restored[honest], after)
    chosen = honest[rows]
    again = Tried.of(
        tried.original[chosen],
        planted,
        [tried.masks[row] for row in chosen],
        tried.found.subset(chosen),
        restoration,
    )
    faults = broken(again.verdict.numbers, limits)
    cleaner = ~faults[GAIN]
    refused = sameness(again.verdict, limits)
    step = np.clip(tried.found.severity[chosen].astype(int), 0, 3)
    return {
        "n": int(cleaner.sum()),
        "no_longer_cleaner": int((~cleaner).sum()),
        "rejected": share(refused[cleaner]),
        "by_estimated_severity": {
            f"{low}-{low + 1}": share(refused[cleaner & (step == low)]) for low in range(4)
        },
        "rejected_by": by_number(again.verdict, limits, cleaner),
    }


def sameness(verdict: Verdict, limits: GateLimits) -> np.ndarray:
    """Cells that break any limit but those of `WORTH`, shape (n,), bool."""
    faults = broken(verdict.numbers, limits)
    return np.any([values for key, values in faults.items() if key not in WORTH], axis=0)


def by_number(verdict: Verdict, limits: GateLimits, rows: np.ndarray) -> dict[str, Any]:
    """For each limit the share of the rows that it refuses, and that it alone refuses."""
    faults = broken(verdict.numbers, limits)
    count = np.sum([values for key, values in faults.items() if key not in WORTH], axis=0)
    return {
        f"{name} {side}": [share(values[rows]), share((values & (count == 1))[rows])]
        for (name, side), values in faults.items()
        if (name, side) not in WORTH
    }


def share(values: np.ndarray) -> float | None:
    """Mean of booleans to four digits; None of nothing."""
    return round(float(np.mean(values)), 4) if len(values) else None


def measure(data: Path, folder: Path, cache: Path | None, limit: int | None) -> dict[str, Any]:
    """All figures; see the module."""
    fitted = files.read(folder)
    restoration = fitted.restoration
    cells, twins = load_eval(data, fitted.config, cache, limit)
    assert restoration.gate is not None, f"{folder}: the bundle has no gate"
    tried, own = of_own_restorer(twins, restoration)
    codes = cells.frame["label"].to_numpy(dtype=str)
    pristine = np.asarray(twins.clean)[np.isin(codes, PLANTED_CLASSES)]
    masks = segment_all(pristine)
    routed = restoration.severity.estimate(twins.clean).severity >= restoration.restore_above
    return {
        "restorer": restoration.restorer.name,
        "restore_above": restoration.restore_above,
        "gate": restoration.gate.to_dict(),
        "own_restorer": own,
        "clean_twins_routed": share(routed),
        "required": list(REQUIRED),
        "planted_on_pristine": {
            name: on_pristine(name, pristine, masks, restoration) for name in PLANTS
        },
        "planted_on_restored": {name: on_restored(name, tried, restoration) for name in PLANTS},
    }


def main() -> None:
    """Measure, print the main figures, write all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder of decoded images")
    parser.add_argument("--limit", type=int, help="that many evaluation cells, evenly spread")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    found = measure(arguments.data, arguments.bundle, arguments.cache, arguments.limit)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(arguments.out, json.dumps(found, indent=1, allow_nan=False).encode())
    for name, row in found["own_restorer"]["by_severity"].items():
        print(f"severity {name}: {row}")
    for name in PLANTS:
        clean, worn = (found[f"planted_on_{where}"][name] for where in ("pristine", "restored"))
        print(
            f"{name}: rejected by the system {clean['rejected_by_the_system']}, by limits alone "
            f"{clean['rejected_by_the_limits_alone']} (n = {clean['n']}), after honest restoration "
            f"{worn['rejected']} (n = {worn['n']})"
        )


if __name__ == "__main__":
    main()
