"""Fit severity, restorer and gate, and run them over the training cells and their twins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from buffycoat.bundle.restoration import Restoration
from buffycoat.config import Config, to_hash
from buffycoat.embed.encoder import Encoder
from buffycoat.learn import taken_restoration
from buffycoat.learn.fit_restorer import (
    FILE_VERSION,
    MODEL_FILE,
    in_words,
    is_harmful,
    looked_at_key,
    train_restorer,
)
from buffycoat.learn.prepare import segment_key
from buffycoat.learn.stage_store import Outcome, StageResult, StageStore, digest
from buffycoat.learn.training_set import TrainingSet
from buffycoat.learn.unlabelled import UnlabelledCells
from buffycoat.plurals import some_of
from buffycoat.predict import cleaning, stages
from buffycoat.predict.cleaning import Cleaned
from buffycoat.progress import Progress, Reporter
from buffycoat.refine.features import FEATURES
from buffycoat.restore import apply as restorers
from buffycoat.restore.apply import TRAINED
from buffycoat.restore.gate import HIGHEST, LOWEST, GateLimits, fit_gate, known_good
from buffycoat.restore.severity import SeverityEstimator, fit_severity, select_pristine
from buffycoat.restore.train import MIN_CELLS
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.simulate.degrade import MAX_SEVERITY, degrade

GATE_PAIRS = 400
"""Clean cells, a fifth as they are and a fifth at each severity, that are restored and compared
with themselves to fit the gate."""


@dataclass(frozen=True)
class CleanedSet:
    """The training cells after restoration.

    Attributes:
        cells: As they are.
        twins: Their degraded twins.
        learned: Images of `TrainingSet.learned` after restoration, where classifiers learn from
            such; else those of `cells`.
        key: Fingerprint of all.
    """

    cells: Cleaned
    twins: Cleaned
    learned: np.ndarray
    key: str


def fit(
    data: TrainingSet, encoder: Encoder, config: Config, store: StageStore, reporter: Reporter
) -> tuple[Restoration, str, str]:
    """Severity estimator, restorer and gate, from clean cells alone.

    Args:
        data: The training cells.
        encoder: Gives the embeddings that the gate compares.
        config: The settings.
        store: Results of stages.
        reporter: Progress.

    Returns:
        The models, their fingerprint, and why restoration is off although the settings want it:
        clean cells are too few, or a gate was to let through what harms. Empty if it is not.

    Raises:
        ConfigError: They are to be taken from a bundle that was fitted for other images or another
            encoder.
    """
    if config.restore.take_from:
        return *taken_restoration.take(encoder, config, reporter), ""
    inputs = {"data": data.key, "restore": to_hash(config.restore), "seed": config.seed}
    reporter.start("severity")
    severity = store.run("severity", inputs, lambda _: _fit_severity(data, config, reporter))
    reporter.finish(str(severity.values["note"]))
    estimator = SeverityEstimator.from_dict(severity.values["estimator"])
    clean = np.flatnonzero(severity.arrays["is_clean"])
    n_clean = len(np.unique(data.photographs[clean]))
    why_off = ""
    if config.restore.method in TRAINED and n_clean < MIN_CELLS:
        why_off = f"needs {MIN_CELLS} clean cells, has {n_clean}"
        config = _without_restorer(config)

    reporter.start("restore", config.restore.method)
    trained = store.run(
        "restorer",
        inputs | {"clean": severity.key, "features": looked_at_key(config), "file": FILE_VERSION},
        lambda folder: train_restorer(data.cells.images[clean], config, folder, reporter.advance),
    )
    errors = trained.values["errors"]
    if config.restore.gate and is_harmful(errors):
        why_off = f"its restorer harms: {in_words(errors)}. More restore.steps may help"
        config = _without_restorer(config)
        restorer = restorers.Identity()
    else:
        tensors = load_file(trained.folder / MODEL_FILE)
        restorer = restorers.from_tensors(trained.values["restorer"], tensors)
    if why_off:
        reporter.finish(f"off: {why_off}")
    elif errors:
        reporter.finish(f"learned from {len(clean)} clean cells; {in_words(errors)}")
    else:
        reporter.finish("nothing is learned")
    ungated = Restoration(
        config.restore, estimator, restorer, None, encoder.encode, build_segmenter(config.segment)
    )
    if not config.restore.gate or config.restore.method == "identity":
        return ungated, digest(trained.key, segment_key(config)), why_off

    reporter.start("gate")
    gate = store.run(
        "gate",
        {
            "restorer": trained.key,
            "encoder": encoder.fingerprint,
            "segment": segment_key(config),
            "limits": [*LOWEST, *HIGHEST],
        },
        lambda _: (
            {},
            {"limits": _fit_gate(data.cells.images[clean], ungated, config.seed).to_dict()},
        ),
    )
    reporter.finish()
    limits = GateLimits.from_dict(gate.values["limits"])
    return replace(ungated, gate=limits), gate.key, ""


def _without_restorer(config: Config) -> Config:
    """The same settings, but images are not restored."""
    return config.model_copy(
        update={"restore": config.restore.model_copy(update={"method": "identity"})}
    )


def clean_all(
    data: TrainingSet, restoration: Restoration, key: str, store: StageStore, reporter: Reporter
) -> CleanedSet:
    """Restore and measure every training cell and every twin."""
    reporter.start("clean", "training cells and their degraded twins")
    n = len(data.targets)
    given = {"cells": data.cells.images, "twins": data.degraded}
    if restoration.config.use == "restored" and len(data.labels) > n:
        given["coarse"] = data.learned.images[n:]
    total = sum(len(images) for images in given.values())
    done = 0
    parts = []
    for name, images in given.items():
        before = done

        def report(count: int, _: int, before: int = before) -> None:
            reporter.advance(before + count, total)

        inputs = {
            "data": data.key, "restoration": key, "part": name, "features": features_key(),
        }  # fmt: skip
        parts.append(
            store.run(
                f"clean-{name}",
                inputs,
                lambda _, i=images, r=report: clean_batches(i, restoration, r),
            )
        )
        done += len(images)
    cells, twins, *coarse = (as_cleaned(part) for part in parts)
    learned = cells.images
    if coarse:
        learned = np.concatenate([cells.images, coarse[0].images])
    share = twins.is_restored.mean()
    reporter.finish(
        f"restored {some_of(int(cells.is_restored.sum()), len(data.targets), 'cell')} as they are, "
        f"{share:.0%} of their degraded twins"
    )
    return CleanedSet(cells, twins, learned, "+".join(part.key for part in parts))


def as_learned(
    others: UnlabelledCells,
    restoration: Restoration,
    key: str,
    store: StageStore,
    reporter: Reporter,
) -> UnlabelledCells:
    """Unlabelled cells as classifiers learn from cells: restored where the settings fix that."""
    cells = others.cells
    if restoration.config.use != "restored":
        return others
    reporter.start("clean", "unlabelled cells")
    found = store.run(
        "clean-unlabelled",
        {"data": cells.key, "restoration": key, "features": features_key()},
        lambda _: clean_batches(cells.images, restoration, reporter.advance),
    )
    cleaned = as_cleaned(found)
    reporter.finish(
        f"restored {some_of(int(cleaned.is_restored.sum()), len(cleaned.is_restored), 'cell')}"
    )
    return replace(others, cells=replace(cells, images=cleaned.images, key=found.key))


def features_key() -> str:
    """Fingerprint of what is measured: features as an older version defined them are not served."""
    return digest([vars(feature) for feature in FEATURES])


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


def _fit_gate(clean: np.ndarray, restoration: Restoration, seed: int) -> GateLimits:
    """Limits from clean cells, each taken at most twice, as they are or degraded."""
    rng = np.random.default_rng((seed, 1))
    n_pairs = min(GATE_PAIRS, 2 * len(clean))
    rows = np.resize(rng.permutation(len(clean)), n_pairs)
    severities = rng.permutation(np.arange(n_pairs) % (MAX_SEVERITY + 1))
    originals = np.stack([clean[row] for row in rows])
    degraded = np.stack(
        [
            degrade(image, int(severity), rng)
            for image, severity in zip(originals, severities, strict=True)
        ]
    )
    restored = restoration.restorer.restore(degraded)
    found = restoration.severity.estimate(degraded)
    verdict = cleaning.check_restored(
        degraded, restored, restoration.segment(degraded), found, restoration, is_fitting=True
    )
    masks = restoration.segment(originals)
    is_good = known_good(originals, degraded, restored, masks, verdict.masks)
    return fit_gate(verdict.numbers, is_good, severities == 0)


def clean_batches(images: np.ndarray, restoration: Restoration, on_progress: Progress) -> Outcome:
    """`cleaning.clean` over any number of cells, a batch in memory at a time.

    Returns:
        The fields of `Cleaned`, as `as_cleaned` takes them.
    """
    parts = []
    for rows in stages.batches(len(images)):
        parts.append(cleaning.clean(images[rows], restoration))
        on_progress(rows.stop, len(images))
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("images", "is_restored", "severity", "features", "mask_quality")
    }
    return arrays, {
        name: [value for part in parts for value in getattr(part, name)]
        for name in ("reasons", "degradation", "changes")
    }


def as_cleaned(stored: StageResult) -> Cleaned:
    """What `clean_batches` left."""
    values = stored.values
    return Cleaned(
        reasons=values["reasons"],
        degradation=[tuple(names) for names in values["degradation"]],
        changes=values["changes"],
        **stored.arrays,
    )
