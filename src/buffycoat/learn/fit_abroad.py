"""Fit the limits for laboratories that training has not seen, on simulated ones.

Those are described in `abroad_cells`. The limits are fitted on all laboratories but one, in turn,
and the strictest of these is taken; what is said of them is what each does to the one left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.classify.laboratory import SPREAD, ZOOM
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.fuse.calibrate import FLOOR, fit_temperature, flatten
from buffycoat.fuse.prior import apply_prior, uniform
from buffycoat.learn.abroad_cells import CELLS, LABORATORIES, Scored, score
from buffycoat.learn.stage_store import StageStore, digest
from buffycoat.learn.training_set import TrainingSet
from buffycoat.progress import Reporter
from buffycoat.refine.abroad import NOTHING_KEPT, AbroadLimits
from buffycoat.refine.conformal import fit_conformal
from buffycoat.refine.decide import OUTLIER_PERCENTILE

LEAST_CELLS = 200
"""Training cells under which limits would be those of a few cells, shown again and again."""
RIGHT = 0.97
"""Share of the kept cells that must be right."""
RIGHT_AT_LEAST = 0.95
"""And the lower end of its 95 % interval."""
GIVEN_UP = 0.05
"""Share of the rightly named cells that may be shown to a person because they look strange."""


@dataclass(frozen=True)
class Terms:
    """What the limits are fitted for.

    Attributes:
        alpha: Share of prediction sets that may miss the truth.
        lineages: Of each class, k of them.
        prior: The class mix that sets and rules were fitted for, shape (k,).
    """

    alpha: float
    lineages: Sequence[str]
    prior: np.ndarray

    def probs(self, cells: Scored, temperature: float) -> np.ndarray:
        """Flattened, then at the class mix, shape (n, k)."""
        flat = flatten(cells.probs, temperature)
        return apply_prior(flat, uniform(flat.shape[1]), self.prior)


def fit(
    data: TrainingSet, fitted: Fitted, models_key: str, store: StageStore, reporter: Reporter
) -> AbroadLimits | None:
    """Limits for other laboratories; None of too few cells, or of cells whose looks are not known.

    Args:
        data: The training cells, and the fold of each.
        fitted: All else that was learned; its first models are those of the folds.
        models_key: Fingerprint of these.
        store: Keeps the scores.
        reporter: Progress.
    """
    if fitted.home is None or len(data.targets) < LEAST_CELLS:
        reporter.say(
            f"Limits for other laboratories: not estimable of {len(data.targets)} training cells "
            f"(needs {LEAST_CELLS}). Where cells look otherwise, all will need a look"
        )
        return None
    reporter.start("abroad", f"{LABORATORIES} simulated laboratories")
    inputs = {
        "data": data.key,
        "models": models_key,
        "temperatures": fitted.temperatures[: data.folds.n_folds],
        "use": fitted.use,
        "stack": fitted.stack.to_dict(),
        "panels": digest({kind: panel.to_dict() for kind, panel in fitted.panels.items()}),
        "outliers": fitted.outliers.name,
        "home": fitted.home.colour.to_dict(),
        "laboratories": [LABORATORIES, CELLS, *SPREAD, ZOOM],
    }
    stored = store.run("abroad", inputs, lambda _: (score(data, fitted, reporter.advance), {}))
    terms = Terms(
        fitted.conformal.alpha,
        [cell.lineage for cell in fitted.taxonomy.classes],
        fitted.prior(),
    )
    limits = limits_of(Scored(**stored.arrays), terms)
    reporter.finish(limits.words())
    return limits


def limits_of(cells: Scored, terms: Terms) -> AbroadLimits:
    """The strictest of the limits that are fitted without one laboratory each.

    Args:
        cells: Of several laboratories.
        terms: What they are fitted for.
    """
    numbers = np.unique(cells.laboratories)
    others = [cells.subset(cells.laboratories != number) for number in numbers]
    own = [cells.subset(cells.laboratories == number) for number in numbers]
    tried = [_fit(part, terms, _temperature(part)) for part in others]
    temperature = max(limits.temperature for limits in tried)
    strict = [_fit(part, terms, temperature) for part in others]
    whole = _fit(cells, terms, temperature)
    return replace(
        whole,
        abstain_below=max(limits.abstain_below for limits in strict),
        outlier_percentile=min(limits.outlier_percentile for limits in strict),
        conformal=replace(
            whole.conformal, limits=np.max([each.conformal.limits for each in strict], axis=0)
        ),
        record=_record([_scored(*pair, terms) for pair in zip(own, tried, strict=True)]),
    )


def _temperature(cells: Scored) -> float:
    logs = np.log(np.maximum(cells.probs, FLOOR))
    return max(1.0, fit_temperature(logs, cells.targets))


def _fit(cells: Scored, terms: Terms, temperature: float) -> AbroadLimits:
    probs = terms.probs(cells, temperature)
    labels = probs.argmax(axis=1)
    is_right = labels == cells.targets
    known = cells.strangeness[is_right & np.isfinite(cells.strangeness)]
    strange = float(np.quantile(known, 1 - GIVEN_UP)) if len(known) else OUTLIER_PERCENTILE
    strange = min(strange, OUTLIER_PERCENTILE)
    usual = ~(cells.strangeness > strange)
    conformal = fit_conformal(probs, cells.targets, terms.alpha, terms.lineages, cells.cells)
    top = probs.max(axis=1)
    return AbroadLimits(temperature, lowest(top[usual], is_right[usual]), strange, conformal, {})


def lowest(top: np.ndarray, is_right: np.ndarray) -> float:
    """The least limit over which enough of the cells are right; `NOTHING_KEPT` if there is none.

    Args:
        top: Probability of each cell's label, shape (n,).
        is_right: Shape (n,), bool.
    """
    order = np.argsort(-top, kind="stable")
    sorted_top, right = top[order], np.cumsum(is_right[order])
    kept = np.arange(1, len(top) + 1)
    low, _ = clopper_pearson(right, kept)
    is_last = np.append(sorted_top[1:] < sorted_top[:-1], True)  # equal ones go together
    fits = np.flatnonzero((right / kept >= RIGHT) & (low >= RIGHT_AT_LEAST) & is_last)
    return float(sorted_top[fits[-1]]) if len(fits) else NOTHING_KEPT


def _scored(cells: Scored, limits: AbroadLimits, terms: Terms) -> dict[str, np.ndarray]:
    """What limits do to cells of a laboratory that they were not fitted on."""
    probs = terms.probs(cells, limits.temperature)
    is_usual = ~(cells.strangeness > limits.outlier_percentile)
    rows = np.arange(len(probs))
    return {
        "kept": (probs.max(axis=1) >= limits.abstain_below) & is_usual,
        "right": probs.argmax(axis=1) == cells.targets,
        "covered": limits.conformal.sets(probs)[rows, cells.targets],
    }


def _record(scored: Sequence[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Over all laboratories, each by limits from the others."""
    kept, right, covered = (
        np.concatenate([part[name] for part in scored]) for name in ("kept", "right", "covered")
    )
    low, high = clopper_pearson(int(right[kept].sum()), int(kept.sum()))
    return {
        "laboratories": len(scored),
        "cells": len(kept),
        "all_right": float(right.mean()),
        "kept": float(kept.mean()),
        "right": float(right[kept].mean()) if kept.any() else None,
        "right_low": float(low),
        "right_high": float(high),
        "covered": float(covered.mean()),
    }
