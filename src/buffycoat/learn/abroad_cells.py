"""Training cells as laboratories that do not exist would show them, scored out of fold.

Each laboratory is one setting of stain, light, sharpness and size, farther from home than training
goes. Its cells are scored by the model of the fold that has not seen them, after they were brought
to the training's colours as `adapt` would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.classify.laboratory import Laboratory
from buffycoat.learn.training_set import TrainingSet
from buffycoat.predict.background import as_seen
from buffycoat.predict.bracket import run_stages
from buffycoat.predict.needs import needs_of
from buffycoat.progress import Progress
from buffycoat.refine.rescue import RescueRules
from buffycoat.sites.colour import measure
from buffycoat.sites.reference import AdaptedSite
from buffycoat.sites.standardise import ColourReference

LABORATORIES = 8
CELLS = 120
"""Of each laboratory, as many of each class."""


@dataclass(frozen=True)
class Scored:
    """Cells of simulated laboratories, each scored by a model that has not seen it.

    Attributes:
        probs: After the stack, under a uniform prior, shape (n, k).
        strangeness: Percentile of the outlier score among the training cells, shape (n,).
        targets: Shape (n,).
        cells: Number of the training photograph, shape (n,): several laboratories show the same.
        laboratories: Number of the laboratory, shape (n,).
    """

    probs: np.ndarray
    strangeness: np.ndarray
    targets: np.ndarray
    cells: np.ndarray
    laboratories: np.ndarray

    def subset(self, rows: np.ndarray) -> Scored:
        """Some of the cells."""
        return Scored(**{name: values[rows] for name, values in vars(self).items()})


def score(data: TrainingSet, fitted: Fitted, on_progress: Progress) -> dict[str, np.ndarray]:
    """Scores of training cells as simulated laboratories show them; arrays as in `Scored`.

    Args:
        data: The training cells, and the fold of each.
        fitted: What was learned; its first models are those of the folds, and it knows its home.
        on_progress: Called with (laboratories done, laboratories in all).
    """
    parts = []
    for number in range(LABORATORIES):
        rows = balanced_rows(data.targets, CELLS, np.random.default_rng((number, 2)))
        parts.append(_score_one(Laboratory.draw(number), rows, data, fitted))
        on_progress(number + 1, LABORATORIES)
    names = ("probs", "strangeness", "targets", "cells")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in names}
    sizes = [len(part["targets"]) for part in parts]
    return arrays | {"laboratories": np.repeat(np.arange(LABORATORIES), sizes)}


def _score_one(
    laboratory: Laboratory, rows: np.ndarray, data: TrainingSet, fitted: Fitted
) -> dict[str, np.ndarray]:
    """Scores of some training cells as a laboratory shows them; arrays as in `Scored`."""
    images = np.stack([laboratory.photograph(data.cells.images[row]) for row in rows])
    site = AdaptedSite("simulated", ColourReference.of(measure(images)), True, {})
    needs = needs_of(("outlier_score",), fitted)
    probs = np.empty((len(rows), len(data.taxonomy)))
    strangeness = np.empty(len(rows))
    for fold in np.unique(data.folds.fold[rows]):
        inside = np.flatnonzero(data.folds.fold[rows] == fold)
        system = replace(of_fold(fitted, int(fold)), site=site)
        found = run_stages(
            as_seen(images[inside], system), [str(row) for row in rows[inside]], system, needs=needs
        )
        probs[inside] = found.fused
        strangeness[inside] = found.findings.outlier_percentile
    return {
        "probs": probs,
        "strangeness": strangeness,
        "targets": data.targets[rows],
        "cells": data.photographs[rows],
    }


def of_fold(fitted: Fitted, fold: int) -> Fitted:
    """The system with the models of one fold alone, every view looked at, and no rescue rules."""
    return replace(
        fitted,
        models=(fitted.models[fold],),
        temperatures=(fitted.temperatures[fold],),
        panels={
            kind: replace(
                panel, models=(panel.models[fold],), temperatures=(panel.temperatures[fold],)
            )
            for kind, panel in fitted.panels.items()
        },
        rules=RescueRules(fitted.taxonomy.codes, ()),
        cascade=None,
        abroad=None,
    )


def balanced_rows(targets: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """About n rows, as many of each class that has cells; of a small class, all.

    Args:
        targets: Shape (m,).
        n: Rows.
        rng: Of the draw.
    """
    classes = np.unique(targets)
    each = max(1, round(n / len(classes)))
    return np.concatenate(
        [rng.permutation(np.flatnonzero(targets == column))[:each] for column in classes]
    )
