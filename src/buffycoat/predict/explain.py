"""Why a cell got its name: what every stage says of it, beside the training cells."""

from __future__ import annotations

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Prediction
from buffycoat.embed.panel import LABELS
from buffycoat.images import to_work
from buffycoat.predict import stages
from buffycoat.predict.background import as_seen
from buffycoat.predict.bracket import Stages, final_word, run_stages
from buffycoat.predict.stages import ENSEMBLE
from buffycoat.refine.features import FEATURES
from buffycoat.report.explanation import Explanation, FeatureRow, Likeness, StepRow
from buffycoat.taxonomy import Taxonomy

LEADING = 3
"""Classes that a cell is held against: those of the highest probability."""
LIKE_CELLS = 10


def explain(
    photograph: np.ndarray, name: str, fitted: Fitted, prior: str | None = None
) -> tuple[Explanation, Prediction]:
    """What every stage says of one cell.

    Args:
        photograph: Shape (h, w, 3), uint8, RGB, one cell in the centre.
        name: Of the cell, for the figure.
        fitted: What training learned.
        prior: "uniform", "train" or a mix; None for the one in the settings.

    Returns:
        The explanation, and the prediction that it is of.
    """
    settings = fitted.config
    work = to_work(photograph, settings.images.work_px, settings.images.frame_fraction)[None]
    work = as_seen(work, fitted)
    found = run_stages(work, [name], fitted, prior)
    (said,) = final_word(found, fitted)
    probs = np.array(said.probs)
    label = fitted.taxonomy.codes.index(said.label)
    order = [label, *(c for c in np.argsort(-probs, kind="stable") if c != label)]
    leading = [int(column) for column in order[:LEADING]]
    image = found.cleaned.images[0]
    (masks,) = fitted.restoration.segment(image[None])
    embeddings = stages.embed(found.cleaned.images, fitted.encoder)
    like = fitted.gallery.search(embeddings, LIKE_CELLS)[0]
    codes = fitted.taxonomy.codes
    explanation = Explanation(
        name=name,
        verdict=verdict(said, fitted.taxonomy, 1 - fitted.conformal.alpha),
        image=image,
        cell_mask=masks.cell,
        nucleus_mask=masks.nucleus,
        leading=tuple(codes[column] for column in leading),
        steps=_steps(found, probs, leading, fitted.stack.weights),
        features=_features(found.cleaned.features[0], leading, fitted),
        like=tuple(Likeness(codes[m.column], m.similarity) for m in like),
        reasons=tuple(evidence.text for evidence in said.evidence),
    )
    return explanation, said


def verdict(said: Prediction, taxonomy: Taxonomy, coverage: float) -> str:
    """A prediction in a sentence or two.

    Args:
        said: The prediction.
        taxonomy: Its classes.
        coverage: Share of cells whose set is made to hold the truth.
    """
    names = {cell.code: cell.name for cell in taxonomy.classes}
    text = f"{said.label}, {names[said.label]}, with probability {said.probability:.2f}"
    text += ", by a rule that overruled the classifier" if said.is_rescued else ""
    text += ", though another class is more probable" if said.is_moved else ""
    others = [code for code in said.conformal_set if code != said.label]
    if others:
        text += f"; {', '.join(others)} cannot be ruled out at {100 * coverage:.0f} %"
    else:
        text += f"; no other class is left at {100 * coverage:.0f} %"
    return f"{text}. {'A person should look at it.' if said.is_abstained else ''}".strip()


def _steps(
    found: Stages, final: np.ndarray, leading: list[int], weights: dict[str, float]
) -> tuple[StepRow, ...]:
    rows = []
    for member, logs in found.members.items():
        words = "classifier" if member == ENSEMBLE else LABELS[member]
        unused = "" if weights.get(member, 0.0) > 0 else " (not in the score)"
        rows.append(StepRow(words + unused, tuple(np.exp(logs[0, leading]).tolist())))
    if sum(weight > 0 for weight in weights.values()) > 1:
        rows.append(StepRow("together", tuple(found.fused[0, leading].tolist())))
    rows.append(StepRow("at the class mix asked for", tuple(final[leading].tolist())))
    return tuple(rows)


def _features(features: np.ndarray, leading: list[int], fitted: Fitted) -> tuple[FeatureRow, ...]:
    places = np.stack([fitted.distributions.percentiles(features, column) for column in leading])
    return tuple(
        FeatureRow(feature.name, feature.unit, float(value), tuple(where.tolist()))
        for feature, value, where in zip(FEATURES, features, places.T, strict=True)
    )
