"""Fit severity, restorer and gate, and run them over the training cells and their twins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file

from buffycoat.config import Config, to_hash
from buffycoat.images import writing
from buffycoat.pipeline import stages
from buffycoat.pipeline.fingerprint import Outcome, StageStore
from buffycoat.pipeline.prepare import TrainingSet
from buffycoat.pipeline.progress import Reporter
from buffycoat.pipeline.stages import Cleaned, Restoration
from buffycoat.restore import apply as restorers
from buffycoat.restore.gate import GateLimits, fit_gate, known_good, measure_change
from buffycoat.restore.severity import SeverityEstimator, fit_severity, select_pristine
from buffycoat.restore.train import fit_restorer
from buffycoat.segment.stain import segment_all
from buffycoat.simulate.degrade import degrade
from buffycoat.training.loop import Progress

MODEL_FILE = "restorer.safetensors"
GATE_CELLS = 200
"""Clean cells that are degraded, restored and compared with themselves to fit the gate."""


@dataclass(frozen=True)
class CleanedSet:
    """The training cells after restoration.

    Attributes:
        cells: As they are.
        twins: Their degraded twins.
        key: Fingerprint of both.
    """

    cells: Cleaned
    twins: Cleaned
    key: str


def fit(
    data: TrainingSet, config: Config, store: StageStore, reporter: Reporter
) -> tuple[Restoration, str]:
    """Severity estimator, restorer and gate, from clean cells alone.

    Returns:
        The models and their fingerprint.
    """
    inputs = {"data": data.key, "restore": to_hash(config.restore), "seed": config.seed}
    reporter.start("severity")
    severity = store.run("severity", inputs, lambda _: _fit_severity(data, config, reporter))
    reporter.finish(str(severity.values["note"]))
    estimator = SeverityEstimator.from_dict(severity.values["estimator"])
    clean = np.flatnonzero(severity.arrays["is_clean"])

    reporter.start("restore", config.restore.method)
    trained = store.run(
        "restorer",
        inputs | {"clean": severity.key},
        lambda folder: _fit_restorer(data.cells.images[clean], config, folder, reporter),
    )
    tensors = load_file(trained.folder / MODEL_FILE)
    restorer = restorers.from_tensors(trained.values["restorer"], tensors)
    reporter.finish(f"learned from {len(clean)} clean cells")
    ungated = Restoration(config.restore, estimator, restorer, None)
    if not config.restore.gate or config.restore.method == "identity":
        return ungated, trained.key

    reporter.start("gate")
    gate = store.run(
        "gate",
        {"restorer": trained.key},
        lambda _: (
            {},
            {"limits": _fit_gate(data.cells.images[clean], ungated, config.seed).to_dict()},
        ),
    )
    reporter.finish()
    limits = GateLimits.from_dict(gate.values["limits"])
    return Restoration(config.restore, estimator, restorer, limits), gate.key


def clean_all(
    data: TrainingSet, restoration: Restoration, key: str, store: StageStore, reporter: Reporter
) -> CleanedSet:
    """Restore and measure every training cell and every twin."""
    reporter.start("clean", "training cells and their degraded twins")
    total = 2 * len(data.targets)
    done = 0
    parts = []
    for name, images in (("cells", data.cells.images), ("twins", data.degraded)):
        before = done

        def report(count: int, _: int, before: int = before) -> None:
            reporter.advance(before + count, total)

        inputs = {"data": data.key, "restoration": key, "part": name}
        parts.append(
            store.run(
                f"clean-{name}",
                inputs,
                lambda _, i=images, r=report: clean_batches(i, restoration, r),
            )
        )
        done += len(images)
    cells, twins = (Cleaned(reasons=part.values["reasons"], **part.arrays) for part in parts)
    share = twins.is_restored.mean()
    reporter.finish(
        f"restored {cells.is_restored.sum()} of {len(data.targets)} cells as they are, "
        f"{share:.0%} of their degraded twins"
    )
    return CleanedSet(cells, twins, "+".join(part.key for part in parts))


def _fit_severity(data: TrainingSet, config: Config, reporter: Reporter) -> Outcome:
    known = data.known_pristine
    if known.sum() < 2:
        note = f"no cell is marked pristine: all {len(known)} training cells serve as clean targets"
        known = np.ones(len(known), dtype=bool)
    else:
        note = ""
    estimator = fit_severity(data.cells.images[known], config.seed, reporter.advance)
    is_clean = select_pristine(data.cells.images, known, estimator, config.restore.pristine_below)
    note = note or (
        f"{known.sum()} cells are known to be pristine, {(is_clean & ~known).sum()} of the other "
        f"{(~known).sum()} look so (estimated severity < {config.restore.pristine_below})"
    )
    values: dict[str, Any] = {
        "estimator": estimator.to_dict(),
        "note": note,
        "known_pristine": int(known.sum()),
        "clean_targets": int(is_clean.sum()),
    }
    return {"is_clean": is_clean}, values


def _fit_restorer(clean: np.ndarray, config: Config, folder: Path, reporter: Reporter) -> Outcome:
    checkpoint = folder / "checkpoint.safetensors"
    restorer = fit_restorer(clean, config.restore, config.seed, checkpoint, reporter.advance)
    with writing(folder / MODEL_FILE) as part:
        save_file(restorer.to_tensors(), part)
    checkpoint.unlink(missing_ok=True)
    return {}, {"restorer": restorer.to_dict()}


def _fit_gate(clean: np.ndarray, restoration: Restoration, seed: int) -> GateLimits:
    rng = np.random.default_rng((seed, 1))
    rows = rng.permutation(len(clean))[:GATE_CELLS]
    originals = np.stack([clean[row] for row in rows])
    degraded = np.stack([degrade(image, int(rng.integers(1, 5)), rng) for image in originals])
    restored = restoration.restorer.restore(degraded)
    after = segment_all(restored)
    change = measure_change(
        degraded,
        restored,
        segment_all(degraded),
        after,
        restoration.severity.estimate(degraded),
        restoration.severity.estimate(restored),
    )
    is_good = known_good(originals, degraded, restored, segment_all(originals), after)
    return fit_gate(change, is_good)


def clean_batches(images: np.ndarray, restoration: Restoration, on_progress: Progress) -> Outcome:
    """`stages.clean` over any number of cells, a batch in memory at a time.

    Returns:
        The fields of `Cleaned`: arrays, and "reasons".
    """
    parts = []
    for rows in stages.batches(len(images)):
        parts.append(stages.clean(images[rows], restoration))
        on_progress(rows.stop, len(images))
    names = ("images", "is_restored", "severity", "features", "mask_quality")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return arrays, {"reasons": [reason for part in parts for reason in part.reasons]}
