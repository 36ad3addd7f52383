"""How near restored cells come to their clean twins, and how fast.

    python -m benchmarks.restoration DATA --bundle B --restorer pix2pix=FOLDER --out quality.json
    python -m benchmarks.restoration DATA --bundle B --restorer pix2pix=FOLDER --speed --out S.json

DATA is PBC-LT or a set like it, with `phase2/eval_pristine/`. PSNR and SSIM are measured on working
images: by severity on the evaluation split as it is, and by kind on phase1's cells and on the clean
twins of evaluation cells, both degraded by simulation. Killed, the same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmarks.twins import Twins

from benchmarks import quality, speed, stored, twins
from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.learn.stage_store import StageStore
from buffycoat.predict import cleaning, stages
from buffycoat.restore.apply import from_tensors
from buffycoat.restore.one_by_one import Restorer

UNTRAINED = ("identity", "non_local_means", "flat_field", "wiener")
UNGATED, GATED = "ours ungated", "ours with gate"
OURS = (UNGATED, GATED)
SEED = 20
NOTES = (
    "ours with gate is the bundle's whole stage: images that stand, restored or not",
    f"the PSNR of an image equal to its twin is infinite and counts as {quality.PSNR_CEILING_DB} "
    "dB; psnr_of_mean_mse needs no such ceiling unless all are equal",
    "intervals: 95 %, cells resampled with all of their rows; image-level, patients not known",
    "phase1_by_kind: phase1's cells are among the clean targets that trained restorers learned "
    "from; eval_by_kind: nothing was trained on these cells",
    "share_changed: share of images of which any pixel was changed",
)


@dataclass(frozen=True)
class Method:
    """A way to restore.

    Attributes:
        key: Fingerprint.
        apply: Images (n, h, w, 3), uint8, to images of the same shape.
    """

    key: str
    apply: Callable[[np.ndarray], np.ndarray]


def gather(fitted: Fitted, others: Mapping[str, Restorer]) -> dict[str, Method]:
    """All methods by name: the untrained, those handed in, ours without and with the gate."""
    restorers = {name: from_tensors({"name": name}, {}) for name in UNTRAINED}
    restorers |= {**others, UNGATED: fitted.restoration.restorer}
    methods = {
        name: Method(stored.restorer_key(restorer), restorer.restore)
        for name, restorer in restorers.items()
    }

    def stand(images: np.ndarray) -> np.ndarray:
        return cleaning.clean(images, fitted.restoration).images

    return methods | {GATED: Method(stored.restoration_key(fitted), stand)}


def score(methods: Mapping[str, Method], cells: Twins, store: StageStore) -> dict[str, Any]:
    """Errors of every method on every image; kept, and taken from the store if they are there."""

    def compute(method: Method) -> dict[str, np.ndarray]:
        parts = []
        for rows in stages.batches(len(cells)):
            given = np.array(cells.degraded[rows])
            found = method.apply(given)
            changed = (found != given).any(axis=(1, 2, 3))
            parts.append(quality.compare(cells.clean[rows], found) | {"changed": changed})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    found = {}
    for name, method in methods.items():
        print(f"{cells.name}: {name}, {len(cells)} images", flush=True)
        inputs = {"cells": cells.key, "method": method.key}
        found[name] = store.run("quality", inputs, lambda _, m=method: (compute(m), {})).arrays
    return found


def measure(options: argparse.Namespace, fitted: Fitted) -> dict[str, Any]:
    """All tables of quality."""
    methods = gather(fitted, options.restorers)
    store = StageStore(options.cache / "stages")
    images = options.cache / "images"
    _, as_is = twins.load_eval(options.data, fitted.config, images, options.limit)
    pristine = twins.load_pristine(options.data, fitted.config, images, options.limit)
    sets = {
        "eval_by_severity": as_is,
        "phase1_by_kind": twins.degrade_by_kind(pristine, "phase1", options.per_kind, SEED),
        "eval_by_kind": twins.degrade_by_kind(
            as_is.clean, "eval's clean twins", options.per_kind, SEED
        ),
    }
    tables = {
        name: quality.tabulate(score(methods, cells, store), cells, OURS)
        for name, cells in sets.items()
    }
    worse = tables["eval_by_severity"].get("2-4")
    return {
        "notes": list(NOTES),
        "work_px": fitted.config.images.work_px,
        "psnr_ceiling_db": quality.PSNR_CEILING_DB,
        "simulation_seed": SEED,
        "gap_at_severity_2_to_4_db": {our: quality.gap(worse, our) for our in OURS if worse},
        **tables,
    }


def read_arguments() -> argparse.Namespace:
    """The command line, restorers loaded."""
    parser = argparse.ArgumentParser(description="PSNR, SSIM and speed of restoration.")
    parser.add_argument("data", type=Path, help="PBC-LT, with phase2/eval_pristine/")
    parser.add_argument("--bundle", default=files.STARTER, help="ours: a bundle's folder")
    parser.add_argument(
        "--restorer", action="append", default=[], metavar="NAME=FOLDER",
        help="another one, as benchmarks.train_restorer writes it; may be given several times",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--cache", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--limit", type=int, help="take so many cells of each set, for a trial")
    parser.add_argument("--per-kind", type=int, default=100, help="images of each kind")
    parser.add_argument("--speed", action="store_true", help="measure speed, not quality")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    pairs = [text.partition("=") for text in options.restorer]
    options.restorers = {name: stored.read_restorer(Path(folder)) for name, _, folder in pairs}
    return options


def main() -> None:
    """Measure, write JSON, print tables for people."""
    options = read_arguments()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    fitted = files.read(options.bundle)
    about = {"bundle": stored.restoration_key(fitted), "data": options.data.name}
    if options.speed:
        found = speed.measure(fitted, options.restorers, options.data, options.cache)
        stored.write_json(options.out, about | {"threads": options.threads} | found)
        print(speed.markdown(found))
        return
    found = measure(options, fitted)
    stored.write_json(options.out, about | found)
    for name in ("eval_by_severity", "phase1_by_kind", "eval_by_kind"):
        print(f"\n{name}\n\n{quality.markdown(found[name])}")
    for our, gap in found["gap_at_severity_2_to_4_db"].items():
        print(
            f"\n{our} minus {gap['best_other']} at severity 2-4: "
            f"{gap['mean']:+.2f} dB ({gap['low']:+.2f} to {gap['high']:+.2f}, n = {gap['n']})"
        )


if __name__ == "__main__":
    main()
