"""The final word on each cell, with its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from buffycoat.cells import Evidence, Prediction
from buffycoat.config import RefineConfig
from buffycoat.errors import ShapeError
from buffycoat.refine.abroad import AbroadLimits
from buffycoat.refine.abroad import doubt as unfamiliar_site
from buffycoat.refine.apply import RescueResult
from buffycoat.refine.conformal import Conformal, fit_conformal
from buffycoat.refine.distributions import Distributions
from buffycoat.refine.features import FEATURES, NAMES, is_in_pixels, plain, with_unit
from buffycoat.sites.shift import Shift
from buffycoat.statistics import apart
from buffycoat.taxonomy import Taxonomy

__all__ = ["Conformal", "Distributions", "Findings", "decide", "fit_conformal"]

OUTLIER_PERCENTILE = 99.0
"""A cell stranger than this share of the training cells is shown to a person."""
MIN_MASK_QUALITY = 0.3
"""Masks under this quality are not to be trusted; on the training cells of PBC nearly all pass."""
IS_COMPARED = np.array([not is_in_pixels(name) for name in NAMES])
"""Features that are said to be unusual: `cell_area` and `nc_ratio` say at any magnification what
those in pixels say."""


@dataclass(frozen=True)
class Findings:
    """What the stages found, one row a cell.

    Attributes:
        cell_ids: n ids.
        probs: Shape (n, k), calibrated, under the class mix that was asked for.
        set_probs: Shape (n, k), the same under the mix that the limits of label sets were fitted
            for: another mix must not move what they cover of each class.
        rescue: Most probable classes after the rescue rules: label sets and doubt rest on these.
        labels: Shape (n,), int64, final classes: those of `rescue`, moved where a score asks for
            it.
        asked: What these maximise, in words; "" for the most probable class.
        severity: Shape (n,), estimated degradation, 0 to 4.
        degradation: n tuples of what a cell suffers.
        is_restored: Shape (n,), bool.
        restore_reasons: n reasons.
        restore_changes: n mappings of number -> value; empty where restoration was not tried.
        outlier_name: Which outlier score it is; a key of `embed.outliers.SCORES`.
        outlier_score: Shape (n,), larger is stranger.
        outlier_percentile: Shape (n,), 0 to 100; NaN where outliers are not scored.
        mask_quality: Shape (n,), 0 to 1.
        features: Shape (n, len(NAMES)); NaN where not measurable.
        views: Shape (n,): views that the classifier looked at.
        shifts: n of them: how the site of each cell compares with the training cells; None where
            that is not known.
        is_abroad: Shape (n,), bool: of a laboratory that training has not seen; then
            `probs` and `set_probs` are flattened.
    """

    cell_ids: Sequence[str]
    probs: np.ndarray
    set_probs: np.ndarray
    rescue: RescueResult
    labels: np.ndarray
    asked: str
    severity: np.ndarray
    degradation: Sequence[tuple[str, ...]]
    is_restored: np.ndarray
    restore_reasons: Sequence[str]
    restore_changes: Sequence[Mapping[str, float]]
    outlier_name: str
    outlier_score: np.ndarray
    outlier_percentile: np.ndarray
    mask_quality: np.ndarray
    features: np.ndarray
    views: np.ndarray
    shifts: Sequence[Shift | None]
    is_abroad: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.cell_ids)
        others = ("rescue", "asked", "outlier_name")
        arrays = [f.name for f in fields(self) if f.name not in others]
        lengths = {name: len(getattr(self, name)) for name in arrays}
        lengths["rescue"] = len(self.rescue.labels)
        wrong = [f"{name} has {length}" for name, length in lengths.items() if length != n]
        if wrong:
            raise ShapeError(f"expected {n} rows as cell_ids; {', '.join(wrong)}")


def decide(
    findings: Findings,
    taxonomy: Taxonomy,
    conformal: Conformal,
    config: RefineConfig,
    distributions: Distributions | None = None,
    abroad: AbroadLimits | None = None,
) -> list[Prediction]:
    """Put every cell's record together.

    Args:
        findings: What the stages found.
        taxonomy: Gives the column order.
        conformal: Limits of the label sets.
        config: When to ask a person.
        distributions: Of the features of each class, if known.
        abroad: What takes the place of `conformal` and of the limit on strangeness, and is asked
            besides `config`, for cells of a laboratory that training has not seen; None keeps no
            such cell.

    Returns:
        One prediction a cell, in order. The most probable class, after rescue, is always in the
        conformal set; a class that cannot occur in the mix that was asked for is not.

    Raises:
        ShapeError: `probs` does not have a column a class.
    """
    probs = findings.probs
    if probs.shape != (len(findings.cell_ids), len(taxonomy)):
        raise ShapeError(
            f"expected probs ({len(findings.cell_ids)}, {len(taxonomy)}), got {probs.shape}"
        )
    sets = conformal.sets(findings.set_probs)
    if abroad is not None and findings.is_abroad.any():
        sets = np.where(
            findings.is_abroad[:, None], abroad.conformal.sets(findings.set_probs), sets
        )
    sets &= probs > 0
    sets[np.arange(len(probs)), findings.rescue.labels] = True
    labels = findings.labels
    entropy = -(probs * np.log(np.maximum(probs, 1e-300))).sum(axis=1)
    predictions = []
    for row, cell_id in enumerate(findings.cell_ids):
        label = int(labels[row])
        doubts = _doubts(findings, row, config, abroad)
        shift = findings.shifts[row]
        predictions.append(
            Prediction(
                cell_id=str(cell_id),
                label=taxonomy.codes[label],
                probability=float(probs[row, label]),
                probs=tuple(probs[row].tolist()),
                entropy=float(max(entropy[row], 0.0)),
                views=int(findings.views[row]),
                conformal_set=tuple(taxonomy.codes[c] for c in np.flatnonzero(sets[row])),
                severity=float(findings.severity[row]),
                degradation=tuple(findings.degradation[row]),
                is_restored=bool(findings.is_restored[row]),
                restore_reason=str(findings.restore_reasons[row]),
                restore_change=dict(findings.restore_changes[row]),
                outlier_score=float(findings.outlier_score[row]),
                outlier_percentile=float(findings.outlier_percentile[row]),
                site_shift=np.nan if shift is None else float(shift.score),
                is_rescued=bool(findings.rescue.is_rescued[row]),
                is_moved=bool(labels[row] != findings.rescue.labels[row]),
                is_abstained=bool(doubts),
                evidence=(
                    *_top_two(probs[row], taxonomy),
                    *_restored(findings, row),
                    *findings.rescue.evidence[row],
                    *_moved(findings, row, taxonomy),
                    *doubts,
                    *_unusual(findings.features[row], label, taxonomy, distributions),
                ),
            )
        )
    return predictions


def _top_two(probs: np.ndarray, taxonomy: Taxonomy) -> tuple[Evidence, ...]:
    first, second = np.argsort(-probs, kind="stable")[:2]
    text = (
        f"{taxonomy.codes[first]} {probs[first]:.2f}, then "
        f"{taxonomy.codes[second]} {probs[second]:.2f}"
    )
    return (Evidence("classify", "top_classes", text, float(probs[first])),)


def _restored(findings: Findings, row: int) -> tuple[Evidence, ...]:
    if not findings.is_restored[row]:
        return ()
    reason, severity = str(findings.restore_reasons[row]), float(findings.severity[row])
    return (Evidence("restore", "restored", reason, severity),)


def _moved(findings: Findings, row: int, taxonomy: Taxonomy) -> tuple[Evidence, ...]:
    now, was = int(findings.labels[row]), int(findings.rescue.labels[row])
    if now == was:
        return ()
    prob, most = (float(findings.probs[row, column]) for column in (now, was))
    text = (
        f"{taxonomy.codes[was]} {most:.2f} gives way to {taxonomy.codes[now]} {prob:.2f} for "
        f"{findings.asked}"
    )
    return (Evidence("refine", "moved", text, prob, most),)


def _doubts(
    findings: Findings, row: int, config: RefineConfig, abroad: AbroadLimits | None
) -> tuple[Evidence, ...]:
    """Every reason for a person to look. NaN says that a stage was not run, and is no reason."""
    is_abroad = bool(findings.is_abroad[row])
    strange = abroad.outlier_percentile if is_abroad and abroad else OUTLIER_PERCENTILE
    top = float(findings.probs[row].max())
    percentile = float(findings.outlier_percentile[row])
    quality = float(findings.mask_quality[row])
    doubts = []
    if top < config.abstain_below:
        text = "top probability {} < {}".format(*apart(top, config.abstain_below, 2))
        doubts.append(Evidence("classify", "low_probability", text, top, config.abstain_below))
    if percentile > strange:
        shown, most = apart(percentile, strange, 1)
        text = (
            f"outlier score ({findings.outlier_name.replace('_', ' ')}) above that of "
            f"{shown} % of training cells (limit {most} %)"
        )
        doubts.append(Evidence("embed", "outlier", text, percentile, strange))
    if quality < MIN_MASK_QUALITY:
        doubts.append(_poor_outline(quality, findings.features[row]))
    if is_abroad:
        prob = float(findings.set_probs[row, findings.rescue.labels[row]])
        unfamiliar = unfamiliar_site(prob, findings.shifts[row], abroad)
        doubts += [] if unfamiliar is None else [unfamiliar]
    return tuple(doubts)


def _poor_outline(quality: float, features: np.ndarray) -> Evidence:
    """No cell at all, which has no area, or masks that are not to be trusted."""
    text = "mask quality {} < {}".format(*apart(quality, MIN_MASK_QUALITY, 2))
    if quality == 0 and np.isnan(features[NAMES.index("cell_area")]):
        return Evidence("segment", "no_cell", f"no cell found: {text}", quality, MIN_MASK_QUALITY)
    return Evidence("segment", "poor_outline", text, quality, MIN_MASK_QUALITY)


def _unusual(
    features: np.ndarray, label: int, taxonomy: Taxonomy, distributions: Distributions | None
) -> list[Evidence]:
    if distributions is None:
        return []
    code, found = taxonomy.codes[label], []
    lowest, highest = distributions.limits(label)
    with np.errstate(invalid="ignore"):  # NaN, which was not measured, is not unusual
        is_outside = (features < lowest) | (features > highest)
    for place in np.flatnonzero(is_outside & IS_COMPARED):
        name = NAMES[place]
        value, low, high = (float(v[place]) for v in (features, lowest, highest))
        measured = f"{name} {with_unit(value, FEATURES[place].unit)}"
        if value > high:
            text = f"{measured} > {plain(high)} ({code} 99th percentile)"
            found.append(Evidence("refine", "unusual_feature", text, value, high))
        else:
            text = f"{measured} < {plain(low)} ({code} 1st percentile)"
            found.append(Evidence("refine", "unusual_feature", text, value, low))
    return found
