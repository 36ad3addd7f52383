"""Every stage of a prediction, in order, written once.

segment -> restore, gate -> segment what was kept -> classify + embed -> fuse -> refine
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Prediction
from buffycoat.embed.panel import HEAD
from buffycoat.predict import cleaning, stages
from buffycoat.predict.cleaning import Cleaned
from buffycoat.predict.stages import ENSEMBLE, Classified
from buffycoat.refine.decide import Findings, decide


@dataclass(frozen=True)
class Stages:
    """What each stage found, on a batch of n cells.

    Attributes:
        cleaned: Segmented, restored where that was accepted, and measured.
        members: Of the stack: name -> log probabilities under a uniform prior, shape (n, k).
        fused: Probabilities under a uniform prior, shape (n, k).
        findings: All that the final word rests on.
    """

    cleaned: Cleaned
    members: dict[str, np.ndarray]
    fused: np.ndarray
    findings: Findings


def predict_cells(
    images: np.ndarray, cell_ids: Sequence[str], fitted: Fitted, prior: str | None = None
) -> list[Prediction]:
    """The final word on a batch of cells; arguments as in `run_stages`."""
    findings = run_stages(images, cell_ids, fitted, prior).findings
    return decide(
        findings, fitted.taxonomy, fitted.conformal, fitted.config.refine, fitted.distributions
    )


def run_stages(
    images: np.ndarray, cell_ids: Sequence[str], fitted: Fitted, prior: str | None = None
) -> Stages:
    """Every stage, in order, on a batch of cells.

    Args:
        images: Working images, shape (n, w, w, 3), uint8.
        cell_ids: n of them; they are copied to the result and seen by no stage.
        fitted: What training learned.
        prior: "uniform", "train" or a mix "SNE=60,LY=30,..."; None for the one in the settings.

    Returns:
        What each stage found.
    """
    average = fitted.config.fuse.average
    cleaned = cleaning.clean(images, fitted.restoration)
    classified = stages.classify(
        images, cleaned, fitted.models, fitted.temperatures, fitted.use, average
    )
    members, strangeness = _opinions(cleaned, classified, fitted)
    fused = of_known_classes(fitted.stack.apply(members), fitted.expected_counts)
    refined = stages.refine(
        fused,
        members.get(HEAD),
        cleaned,
        fitted.rules,
        fitted.prior(),
        fitted.prior(prior),
    )
    findings = stages.findings(cell_ids, refined, cleaned, strangeness, fitted.outliers)
    return Stages(cleaned, members, fused, findings)


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


def _opinions(
    cleaned: Cleaned, classified: Classified, fitted: Fitted
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Members of the stack, and how strange each cell is; embeds cells only where that is asked."""
    members = {ENSEMBLE: classified.log_probs}
    asks_logits = fitted.outliers.strangeness.looks_at == "logits"
    if asks_logits and not fitted.panels:
        return members, fitted.outliers.score(classified.logits)
    embeddings = stages.embed(cleaned.images, fitted.encoder)
    for kind, panel in fitted.panels.items():
        members[kind] = stages.score_embeddings(
            embeddings, panel, fitted.is_uniform, fitted.config.fuse.average
        )
    return members, fitted.outliers.score(classified.logits if asks_logits else embeddings)
