"""Temperatures, prediction sets and usual strangeness at a site, by its labelled cells.

All take scores by models that did not learn from the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.embed.outliers import MIN_CELLS, OutlierModel
from buffycoat.fuse.calibrate import FLOOR, MIN_ROWS, fit_factor, log_probs
from buffycoat.learn.site_labels import SiteLabels
from buffycoat.refine.conformal import Conformal, fit_conformal


def temperatures(
    fitted: Fitted, logits: Sequence[np.ndarray], labels: SiteLabels
) -> tuple[float, ...]:
    """Of each model; those that it has where the cells are fewer than `MIN_ROWS`.

    Args:
        fitted: The bundle.
        logits: Of each model, shape (m, v, k).
        labels: Of the m cells; of a group's label the classes count together.
    """
    if len(labels) < MIN_ROWS:
        return fitted.temperatures
    of_types, types = labels.of_types.astype(float), labels.types

    def said(own: np.ndarray, temperature: float) -> np.ndarray:
        return np.log(np.maximum(np.exp(log_probs(own, temperature)) @ of_types.T, FLOOR))

    return tuple(fit_factor(lambda t, own=own: said(own, t), types) for own in logits)


def prediction_sets(fitted: Fitted, probs: np.ndarray, labels: SiteLabels) -> Conformal:
    """Limits of the prediction sets.

    A cell labelled with a group counts for the likeliest of its classes: sets then hold one class
    of the group at the stated rate, and no class of it has a guarantee of its own.

    Args:
        fitted: The bundle.
        probs: Under the bundle's own class mix, shape (m, k).
        labels: Of the m cells.
    """
    targets = np.where(labels.allowed, probs, -1.0).argmax(axis=1)
    lineages = [cell.lineage for cell in fitted.taxonomy.classes]
    alpha = fitted.config.refine.conformal_alpha
    found = fit_conformal(probs, targets, alpha, lineages)
    is_coarse = np.any(labels.of_types[labels.of_types.sum(axis=1) > 1], axis=0)
    guarantees = tuple(
        "lineage" if coarse and guarantee == "class" else guarantee
        for coarse, guarantee in zip(is_coarse, found.guarantees, strict=True)
    )
    return replace(found, guarantees=guarantees)


def usual(outliers: OutlierModel, strangeness: np.ndarray) -> OutlierModel:
    """The outlier score with the site's labelled cells as what is usual.

    Args:
        outliers: Of the bundle; it stays as it is if it does not look at logits, which labels
            change, or has fewer than `MIN_CELLS` cells to go by.
        strangeness: Scores of the labelled cells, shape (m,).
    """
    if not outliers.sees_logits or len(strangeness) < MIN_CELLS:
        return outliers
    return replace(outliers, training_scores=np.sort(strangeness))
