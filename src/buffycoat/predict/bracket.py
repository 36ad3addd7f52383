"""Every stage of a prediction, in order, written once.

segment -> restore, gate -> segment what was kept -> classify + embed -> fuse -> refine
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Prediction
from buffycoat.embed.panel import HEAD
from buffycoat.fuse.calibrate import flatten
from buffycoat.predict import cleaning, stages
from buffycoat.predict.cleaning import Cleaned
from buffycoat.predict.needs import EVERYTHING, Needs
from buffycoat.predict.stages import ENSEMBLE, Classified
from buffycoat.refine.decide import Findings, decide
from buffycoat.sites.shift import Shift


@dataclass(frozen=True)
class Stages:
    """What each stage found, on a batch of n cells.

    Attributes:
        cleaned: Segmented, restored where that was accepted, and measured.
        members: Of the stack: name -> log probabilities under a uniform prior, shape (n, k).
        fused: Probabilities under a uniform prior, shape (n, k); flattened for cells of a
            laboratory that training has not seen.
        may_be_rescued: Cells that a rescue rule may change, by what it asks beside features, (n,).
        findings: All that the final word rests on.
    """

    cleaned: Cleaned
    members: dict[str, np.ndarray]
    fused: np.ndarray
    may_be_rescued: np.ndarray
    findings: Findings


def predict_cells(
    images: np.ndarray,
    cell_ids: Sequence[str],
    fitted: Fitted,
    prior: str | None = None,
    needs: Needs = EVERYTHING,
    shifts: Sequence[Shift | None] | None = None,
) -> list[Prediction]:
    """The prediction of each cell of a batch; arguments as in `run_stages`."""
    return final_word(run_stages(images, cell_ids, fitted, prior, needs, shifts), fitted)


def final_word(found: Stages, fitted: Fitted) -> list[Prediction]:
    """The prediction of each cell, from what the stages found of it."""
    return decide(
        found.findings,
        fitted.taxonomy,
        fitted.conformal,
        fitted.config.refine,
        fitted.distributions,
        fitted.abroad,
    )


def run_stages(
    images: np.ndarray,
    cell_ids: Sequence[str],
    fitted: Fitted,
    prior: str | None = None,
    needs: Needs = EVERYTHING,
    shifts: Sequence[Shift | None] | None = None,
) -> Stages:
    """Every stage, in order, on a batch of cells.

    Args:
        images: Working images, shape (n, w, w, 3), uint8.
        cell_ids: n of them; they are copied to the result and seen by no stage.
        fitted: What training learned.
        prior: "uniform", "train" or a mix "SNE=60,LY=30,..."; None for the one in the settings.
        needs: Stages to run for every cell; what a rescue rule asks of a cell is measured besides.
        shifts: n of them: how the site of each cell compares with the training cells (see
            `site_look`); None where nothing is known of any.

    Returns:
        What each stage found.
    """
    cleaned = cleaning.clean(images, fitted.restoration, needs)
    classified = stages.classify(
        images,
        cleaned,
        fitted.models,
        fitted.temperatures,
        fitted.use,
        fitted.config.fuse.average,
        fitted.cascade_at(prior),
    )
    is_embedded = fitted.panels or (needs.outliers and not fitted.outliers.sees_logits)
    embeddings = stages.embed(cleaned.images, fitted.encoder) if is_embedded else None
    found = conclude(cell_ids, cleaned, classified, embeddings, fitted, prior, needs, shifts)
    if needs.features:
        return found
    rows = np.flatnonzero(found.may_be_rescued)
    if not len(rows):
        return found
    features = cleaned.features.copy()
    features[rows] = cleaning.clean(images[rows], fitted.restoration).features
    cleaned = replace(cleaned, features=features)
    return conclude(cell_ids, cleaned, classified, embeddings, fitted, prior, needs, shifts)


def conclude(
    cell_ids: Sequence[str],
    cleaned: Cleaned,
    classified: Classified,
    embeddings: np.ndarray | None,
    fitted: Fitted,
    prior: str | None = None,
    needs: Needs = EVERYTHING,
    shifts: Sequence[Shift | None] | None = None,
) -> Stages:
    """What follows once the networks have run: fuse, refine, and what the prediction rests on.

    Args:
        cell_ids: n of them.
        cleaned: The cells after restoration.
        classified: What the classifier says of them.
        embeddings: Shape (n, d); None where neither second opinions nor outliers ask for them.
        fitted: What training learned.
        prior: As in `run_stages`.
        needs: As in `run_stages`.
        shifts: The same.
    """
    shifts = [None] * len(cell_ids) if shifts is None else shifts
    place = stages.Place(shifts, np.array([fitted.is_abroad(s) for s in shifts], dtype=bool))
    members = {ENSEMBLE: classified.log_probs}
    for kind, panel in fitted.panels.items():
        assert embeddings is not None
        members[kind] = stages.score_embeddings(
            embeddings, panel, fitted.is_uniform, fitted.config.fuse.average
        )
    seen = classified.logits if fitted.outliers.sees_logits else embeddings
    strangeness = (
        fitted.outliers.score(seen)
        if needs.outliers and seen is not None
        else np.full(len(cell_ids), np.nan)
    )
    fused = of_known_classes(fitted.stack.apply(members), fitted.expected_counts)
    if fitted.abroad is not None:
        flat = flatten(fused, fitted.abroad.temperature)
        fused = np.where(place.is_abroad[:, None], flat, fused)
    rule = fitted.rule_at(prior)
    refined = stages.refine(
        fused, members.get(HEAD), cleaned, fitted.rules, fitted.prior(), fitted.prior(prior), rule
    )
    asked = "" if rule is None else rule.words
    findings = stages.findings(
        cell_ids, refined, cleaned, strangeness, fitted.outliers, classified.views, place, asked
    )
    return Stages(cleaned, members, fused, refined.may_be_rescued, findings)


def of_known_classes(probs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Probabilities without the classes that training had no cell of: they cannot be told.

    Args:
        probs: Shape (n, k), rows sum to 1.
        counts: Training cells of each class, shape (k,).

    Returns:
        Shape (n, k), rows sum to 1.
    """
    known = probs * (counts > 0)
    return known / known.sum(axis=1, keepdims=True)
