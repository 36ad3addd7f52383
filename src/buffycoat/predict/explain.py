"""Why a cell was classified so: what every stage says of it, beside the training cells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import CellRef, Prediction
from buffycoat.embed.gallery import Match
from buffycoat.embed.panel import LABELS
from buffycoat.images import check_scale, to_work
from buffycoat.images.work import decode_work, frame_of
from buffycoat.predict import stages
from buffycoat.predict.background import as_seen, paint_if_asked
from buffycoat.predict.bracket import Stages, final_word, run_stages
from buffycoat.predict.stages import ENSEMBLE
from buffycoat.refine.feature_words import in_words
from buffycoat.refine.features import FEATURES, in_micrometres, is_in_pixels
from buffycoat.report.explained import Explanation, FeatureRow, Likeness, StepRow
from buffycoat.taxonomy import Taxonomy

LEADING = 3
"""Classes that a cell is compared with: those of the highest probability."""
LIKE_CELLS = 10
SAME_PICTURE = 0.8
"""Cosine to the remembered embedding below which a picture is of another cell than the one that was
trained on: restoration before training moves it less, another cell of the class more."""


def explain(
    photograph: np.ndarray,
    name: str,
    fitted: Fitted,
    prior: str | None = None,
    um_per_px: float | None = None,
    pictures: Mapping[str, CellRef] | None = None,
) -> tuple[Explanation, Prediction]:
    """What every stage says of one cell.

    Args:
        photograph: Shape (h, w, 3), uint8, RGB, one cell in the centre.
        name: Of the cell, for the figure.
        fitted: What training learned.
        prior: "uniform", "train" or a mix; None for the one in the settings.
        um_per_px: Micrometres that a pixel of the photograph is wide; None gives sizes in pixels. A
            bundle that frames by scale (`images.photograph_um`) frames by it, as in `predict`.
        pictures: Training cell -> where its picture is, of those that are at hand.

    Returns:
        The explanation, and the prediction that it is of.

    Raises:
        ConfigError: `um_per_px` is no width of a pixel.
    """
    check_scale(um_per_px)
    settings = fitted.config.images
    fraction = frame_of(photograph, um_per_px, settings)
    work = as_seen(to_work(photograph, settings.work_px, fraction)[None], fitted)
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
        features=_features(
            found.cleaned.features[0],
            leading,
            fitted,
            fraction * min(photograph.shape[:2]) / settings.work_px,
            um_per_px,
        ),
        like=tuple(_likeness(match, fitted, pictures or {}) for match in like),
        reasons=tuple(in_words(evidence.text) for evidence in said.evidence),
    )
    return explanation, said


def verdict(said: Prediction, taxonomy: Taxonomy, coverage: float) -> str:
    """A prediction in a sentence or two.

    Args:
        said: The prediction.
        taxonomy: Its classes.
        coverage: Target coverage of the prediction set.
    """
    names = {cell.code: cell.name for cell in taxonomy.classes}
    text = f"{said.label}, {names[said.label]}, with probability {said.probability:.2f}"
    text += ", by a rule that overruled the classifier" if said.is_rescued else ""
    text += ", though another class is more probable" if said.is_moved else ""
    others = [code for code in said.conformal_set if code != said.label]
    holds = f"also holds {', '.join(others)}" if others else "holds only this class"
    text += f"; the {100 * coverage:.0f} % prediction set {holds}"
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


def _features(
    features: np.ndarray,
    leading: list[int],
    fitted: Fitted,
    px_wide: float,
    um_per_px: float | None,
) -> tuple[FeatureRow, ...]:
    """Every feature; sizes in pixels of the photograph, or in micrometres where they are known.

    Args:
        features: Of the working image, shape (f,).
        leading: Columns of the classes that the cell is compared with.
        fitted: Of the bundle.
        px_wide: Pixels of the photograph to one of the working image.
        um_per_px: Micrometres that a pixel of the photograph is wide, if known.
    """
    places = np.stack([fitted.distributions.percentiles(features, column) for column in leading])
    rows = []
    for feature, value, where in zip(FEATURES, features, places.T, strict=True):
        unit, measured = feature.unit, float(value)
        if is_in_pixels(feature.name):
            measured *= (px_wide * (um_per_px or 1.0)) ** in_micrometres(feature.name)[1]
            unit = unit if um_per_px is None else unit.replace("px", "µm")
        rows.append(FeatureRow(feature.name, unit, measured, tuple(where.tolist())))
    return tuple(rows)


def _likeness(match: Match, fitted: Fitted, pictures: Mapping[str, CellRef]) -> Likeness:
    """A training cell with its picture, if that is at hand and is the one that was trained on."""
    ref = pictures.get(match.cell_id)
    # of a file that cannot be read the figure says "no picture"
    image = None if ref is None else decode_work(ref, fitted.config.images)[1]
    if image is not None:
        seen = fitted.encoder.encode(paint_if_asked(image[None], fitted.config))[0]
        remembered = fitted.gallery.rows[fitted.gallery.cell_ids.index(match.cell_id)]
        image = image if seen @ fitted.gallery.axes @ remembered >= SAME_PICTURE else None
    code = fitted.taxonomy.codes[match.column]
    return Likeness(match.cell_id, code, max(1 - match.similarity, 0.0), image)
