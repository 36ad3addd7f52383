"""What the training cells are too few for, found before anything is trained.

Each fit states its least data beside itself, as a constant with its reason; here they are held
against the data. A classifier that cannot be scored is an error. Any other stage that lacks data is
off, and a sentence says so in the progress, the report and the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from buffycoat.config import Config
from buffycoat.embed import outliers
from buffycoat.embed.gaussians import GaussianStrangeness
from buffycoat.embed.panel import LABELS, TOO_FEW
from buffycoat.fuse import calibrate, stack
from buffycoat.learn import fit_classifier
from buffycoat.learn.fit_opinion import OUTLIERS
from buffycoat.learn.training_set import TrainingSet
from buffycoat.refine import conformal, distributions
from buffycoat.restore import train as restorer
from buffycoat.restore.apply import TRAINED

RESTORATION = "restoration"


def plan(data: TrainingSet, config: Config) -> dict[str, str]:
    """What is off for want of cells.

    Args:
        data: The training cells. Copies of one picture count as one cell.
        config: The settings; what they switch off is not mentioned.

    Returns:
        Stage -> what it needs and what there is.

    Raises:
        ConfigError: An epoch is to be picked on cells set aside, and there are too few; or batches
            of so few cells cannot be shared by the devices.
    """
    fit_classifier.check_cells(data, config)
    found = {RESTORATION: _restoration(data, config), **_temperature(data, config)}
    for kind in _opinions(config):
        found[kind] = _of_folds(kind, data)
    found[OUTLIERS] = _outliers(data, config)
    # Each cell is scored as it is and once more degraded.
    gain = _least("cells", stack.MIN_ROWS // 2, len(data.targets))
    if config.fuse.stack == "auto" and _opinions(config):
        found["stack"] = gain
    if config.restore.use == "auto" and not (
        found[RESTORATION] or config.restore.method == "identity"
    ):
        found["choice between original and restored"] = gain
    found["outlier percentiles"] = _least("cells", outliers.MIN_CELLS, len(data.targets))
    found |= _by_class(data, config)
    return {stage: reason for stage, reason in found.items() if reason}


def sentences(notes: Mapping[str, str]) -> list[str]:
    """The plan in a line, or none where nothing is off; stages of one reason stand together."""
    stages: dict[str, list[str]] = {}
    for stage, reason in notes.items():
        stages.setdefault(reason, []).append(LABELS.get(stage, stage))
    named = [f"{', '.join(of)} ({reason})" for reason, of in stages.items()]
    return [f"off: {'; '.join(named)}"] if named else []


def _opinions(config: Config) -> list[str]:
    wanted = {
        "head": config.embed.head != "off",
        "neighbours": config.embed.neighbours,
        "class_means": config.embed.class_means,
    }
    return [kind for kind, is_wanted in wanted.items() if is_wanted]


def _least(what: str, least: int, found: int) -> str:
    return "" if found >= least else f"needs {least} {what}, has {found}"


def _restoration(data: TrainingSet, config: Config) -> str:
    if config.restore.take_from or config.restore.method not in TRAINED:
        return ""
    n = len(np.unique(data.photographs))
    return _least("clean cells", restorer.MIN_CELLS, n)


def _temperature(data: TrainingSet, config: Config) -> dict[str, str]:
    if not config.fuse.calibrate:
        return {}
    held_out = int(np.bincount(data.folds.fold, minlength=data.folds.n_folds).min())
    return {"calibration": _least("cells a fold", calibrate.MIN_ROWS // 2, held_out)}


def _of_folds(kind: str, data: TrainingSet) -> str:
    """What a second opinion lacks in the fold that has least for it."""
    is_of_patients = kind == "neighbours" and data.cells.manifest.has_patients
    names = data.groups[: len(data.targets)] if is_of_patients else data.photographs
    for fold in range(data.folds.n_folds):
        seen = data.folds.fold != fold
        reason = TOO_FEW[kind](data.targets[seen], names[seen])
        if reason:
            words = reason.replace("cells", "patients") if is_of_patients else reason
            return f"{words} outside fold {fold + 1}"
    return ""


def _outliers(data: TrainingSet, config: Config) -> str:
    score = outliers.SCORES[config.embed.outliers]
    if issubclass(score, GaussianStrangeness):
        reason = outliers.too_few(data.targets, data.photographs)
        if reason:
            return f"{config.embed.outliers} {reason}; {outliers.FALLBACK} takes its place"
    return ""


def _by_class(data: TrainingSet, config: Config) -> dict[str, str]:
    """Stages that go class by class, and have no class to go by."""
    lineages = np.array([cell.lineage for cell in data.taxonomy.classes])
    pooled = [data.counts[lineages == name].sum() for name in np.unique(lineages)]
    most = int(data.counts.max())
    found = {
        "guarantee of the prediction sets": _least(
            "cells of a lineage", conformal.MIN_CELLS, int(max(pooled))
        ),
        "feature percentiles": _least("cells of a class", distributions.MIN_CELLS, most),
    }
    if config.refine.rescue == "fitted":
        least = config.refine.min_corrected
        found["rescue rules"] = _least("cells of a class", least, most)
    return found
