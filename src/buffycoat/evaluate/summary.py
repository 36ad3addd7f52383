"""All figures on one split, as plain values for JSON, the report and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ShapeError, TaxonomyError
from buffycoat.evaluate import calibration, metrics
from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.class_table import (
    MIN_PATIENTS,
    Prevalence,
    class_rows,
    patients_of_class,
)
from buffycoat.evaluate.curves import average_precision_intervals
from buffycoat.evaluate.grain import group_scores, right_at_grain
from buffycoat.evaluate.interval import NOT_ESTIMABLE
from buffycoat.evaluate.maturation import stage_scores
from buffycoat.evaluate.strata import Split, band_rows, mean_of, severity_rows, site_rows
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.grain import expected_counts

Array = np.ndarray[Any, Any]


def evaluate(
    scores: Array | Sequence[str],
    targets: Array | Sequence[str],
    taxonomy: Taxonomy,
    train_counts: Mapping[str, int] | None = None,
    severity: Sequence[Any] | Array | pd.Series | None = None,
    patients: Sequence[Any] | Array | pd.Series | None = None,
    seed: int = 0,
    labels: Array | Sequence[str] | None = None,
    prevalence: Prevalence | None = None,
    sites: Sequence[Any] | Array | pd.Series | None = None,
) -> dict[str, Any]:
    """Score predictions on one split.

    Macro averages are over the classes that the split holds (`over="truth"` in `metrics`); the
    others are listed under "absent". Macro-F1 here equals scikit-learn's when none is absent.
    "macro_f1_estimable" leaves out also the classes under "not_estimable", which have too few
    cells or patients.

    Cells whose true label is coarser than a class count in "by_group" and "right_at_grain" alone;
    every other figure is of the cells whose class is known.

    Args:
        scores: Probabilities, shape (n, k) in taxonomy order; or predicted classes, shape (n,),
            as column indices or codes.
        targets: Shape (n,), true classes as column indices, or codes of classes and groups.
        taxonomy: The classes.
        train_counts: Training cells of each code, those of a group shared among its classes; gives
            the bands and the prior-weighted score, which is None where no class of the split has
            any.
        severity: Shape (n,), 0 to 4, NA where unknown.
        patients: Shape (n,). If one is missing, or they are fewer than 5, all intervals are
            image-level: resamples of one patient are all alike.
        seed: Seed of the resampling.
        labels: Shape (n,), final classes where a rule may have changed the top class of `scores`.
        prevalence: Share of each code in the stream for which predictive values are stated; the
            training share if not given and `train_counts` are.
        sites: Shape (n,), the laboratory of each cell, NA where unknown; from two on, each is
            scored by itself too.

    Returns:
        Plain values only, no NaN. "level" says whether the intervals are image-level or
        patient-level; an interval is `Interval.to_dict()`, whose ends are None where there is
        none, or "not estimable".

    Raises:
        ShapeError: Arrays do not fit each other, or `prevalence` is no mix of the classes.
        TaxonomyError: A code is not in the taxonomy, `train_counts` above 0 included.
    """
    table = np.asarray(scores)
    probs = table if table.ndim == 2 else None
    if probs is not None and probs.shape[1] != len(taxonomy):
        raise ShapeError(f"scores: expected {len(taxonomy)} columns, got shape {probs.shape}")
    is_fine = _is_fine(targets, taxonomy)
    if not is_fine.all():
        return _at_both_grains(
            is_fine, table, targets, taxonomy, train_counts, severity, patients, seed, labels,
            prevalence, sites,
        )  # fmt: skip
    truth = _indices(targets, taxonomy)
    if labels is not None:
        predicted = _indices(labels, taxonomy)
    else:
        predicted = _indices(table, taxonomy) if probs is None else probs.argmax(axis=1)
    groups = known_patients(patients)
    resamples = resample(truth, predicted, len(taxonomy), groups, seed=seed)
    split = Split(truth, predicted, taxonomy, groups, seed, resamples)
    stated, counts = train_counts, None
    if train_counts is not None:
        counts = _count_array(train_counts, taxonomy)
        if not taxonomy.is_fine(train_counts).all():
            train_counts = dict(zip(taxonomy.codes, counts.tolist(), strict=True))
    if prevalence is None and counts is not None:
        shares = metrics.prior_shares(counts, split.confusion)
        prevalence = dict(zip(taxonomy.codes, shares.tolist(), strict=True))
    n_patients = None if groups is None else patients_of_class(truth, groups, len(taxonomy))
    rows = class_rows(resamples, taxonomy, train_counts, n_patients, prevalence)
    if stated is not None:
        rows = [row | {"n_train": int(stated.get(row["code"], 0))} for row in rows]
    return {
        **_overall(split, counts),
        **_estimable(split, rows),
        "per_class": rows,
        "by_severity": [] if severity is None else severity_rows(split, severity),
        "by_site": [] if sites is None else site_rows(split, sites),
        "by_band": [] if train_counts is None else band_rows(split, train_counts),
        "by_maturation": stage_scores(split.confusion, taxonomy),
        "calibration": None if probs is None else _calibration(probs, split),
        "average_precision": None if probs is None else _average_precision(probs, split),
        "codes": list(taxonomy.codes),
        "confusion": split.confusion.tolist(),
        "by_group": [],
        "right_at_grain": None,
    }


def _at_both_grains(
    is_fine: Array,
    table: Array,
    targets: Any,
    taxonomy: Taxonomy,
    train_counts: Mapping[str, int] | None,
    severity: Any,
    patients: Any,
    seed: int,
    labels: Any,
    prevalence: Prevalence | None,
    sites: Any,
) -> dict[str, Any]:
    """Figures of the cells whose class is known, and those of groups over all cells."""
    codes = [str(code) for code in np.asarray(targets)]
    if not is_fine.any():
        raise TaxonomyError(
            f"all {len(codes)} true labels are coarser than a class "
            f"({', '.join(sorted(set(codes)))}): no class can be scored. Score them in a taxonomy "
            "that has these as classes"
        )
    called = _indices(table if labels is None else labels, taxonomy)
    called = called.argmax(axis=1) if called.ndim == 2 else called
    groups = known_patients(patients)

    def kept(values: Any) -> Any:
        return None if values is None else np.asarray(values, dtype=object)[is_fine]

    fine = evaluate(
        table[is_fine], np.asarray(codes)[is_fine], taxonomy, train_counts, kept(severity),
        kept(patients), seed, None if labels is None else called[is_fine], prevalence,
        kept(sites),
    )  # fmt: skip
    return fine | {
        "by_group": group_scores(codes, called, taxonomy, groups, seed),
        "right_at_grain": right_at_grain(codes, called, taxonomy, groups, seed),
    }


def _overall(split: Split, train_counts: Array | None) -> dict[str, Any]:
    c, of = split.confusion, split.resamples
    absent = [code for code, n in zip(split.taxonomy.codes, c.sum(axis=1), strict=True) if n == 0]
    row: dict[str, Any] = {
        "n": int(c.sum()),
        "n_patients": of.basis.n_groups,
        "level": of.basis.unit,
        "interval_method": of.method,
        "absent": absent,
        "macro_f1": of.interval(_macro_f1).to_dict(),
        "balanced_macro_f1": of.interval(metrics.class_weighted_macro_f1).to_dict(),
        "prior_weighted_macro_f1": None,
        "balanced_accuracy": of.interval(metrics.balanced_accuracy).to_dict(),
        "macro_precision": of.interval(_macro_precision).to_dict(),
        "macro_specificity": NOT_ESTIMABLE,
        "accuracy": of.accuracy().to_dict(),
    }
    if len(absent) < len(c) - 1:  # of one class alone there is no other to be called it
        row["macro_specificity"] = of.interval(_macro_specificity).to_dict()
    if train_counts is not None and (c.sum(axis=1) * train_counts).any():
        row["prior_weighted_macro_f1"] = of.interval(
            lambda c: metrics.prior_weighted_macro_f1(c, train_counts)
        ).to_dict()
    return row


def _estimable(split: Split, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Macro-F1 without the classes of the split that so few cells cannot carry."""
    present = [(i, row) for i, row in enumerate(rows) if row["support"] > 0]
    columns = [i for i, row in present if row["why"] is None]
    score: Any = NOT_ESTIMABLE
    if len(columns) == 1:  # the mean of one class is that class, limits and all
        score = rows[columns[0]]["f1_interval"]
    elif columns:
        score = split.resamples.interval(mean_of("f1", columns)).to_dict()
    return {
        "macro_f1_estimable": score,
        "not_estimable": {row["code"]: row["why"] for _, row in present if row["why"]},
    }


def _average_precision(probs: Array, split: Split) -> dict[str, Any]:
    found = average_precision_intervals(split.targets, probs, split.patients, seed=split.seed)
    return {
        code: of if isinstance(of, str) else of.to_dict()
        for code, of in zip(split.taxonomy.codes, found, strict=True)
    }


def _calibration(probs: Array, split: Split) -> dict[str, Any]:
    classwise = calibration.classwise_ece(probs, split.targets)
    mean, high = calibration.ece_if_calibrated(probs)
    return {
        "ece": calibration.ece(probs, split.targets),
        "ece_if_calibrated": {"mean": mean, "percentile_95": high},
        "classwise_ece": float(classwise.mean()),
        "ece_of_class": dict(zip(split.taxonomy.codes, classwise.tolist(), strict=True)),
        "brier": calibration.brier(probs, split.targets),
        "brier_parts": calibration.brier_parts(probs, split.targets).to_dict(),
        "bins": calibration.reliability(probs, split.targets).to_rows(),
    }


def _macro_f1(c: Array) -> Array:
    return metrics.macro_f1(c, over="truth")


def _macro_precision(c: Array) -> Array:
    return metrics.macro_precision(c, over="truth")


def _macro_specificity(c: Array) -> Array:
    return metrics.macro_specificity(c, over="truth")


def _is_fine(targets: Any, taxonomy: Taxonomy) -> Array:
    array = np.asarray(targets)
    if array.dtype.kind not in "OUST":
        return np.ones(len(array), dtype=bool)
    # What the taxonomy lacks altogether is left to fail by its own message.
    groups = {group.code for group in taxonomy.groups}
    return np.array([str(value) not in groups for value in array], dtype=bool)


def _indices(values: Any, taxonomy: Taxonomy) -> Array:
    array = np.asarray(values)
    if array.dtype.kind in "OUST":
        return taxonomy.encode([str(value) for value in array])
    return array


def known_patients(patients: Any) -> Array | None:
    """Patient of each cell as a string; None where intervals cannot be by patient.

    Args:
        patients: Shape (n,); one that is missing, or fewer than `MIN_PATIENTS`, make it None.
    """
    if patients is None or pd.isna(pd.Series(np.asarray(patients, dtype=object))).any():
        return None
    names = np.asarray(patients).astype(str)
    return names if len(np.unique(names)) >= MIN_PATIENTS else None


def _count_array(train_counts: Mapping[str, int], taxonomy: Taxonomy) -> Array:
    unknown = [code for code in taxonomy.lacks(train_counts) if train_counts[code]]
    if unknown:
        raise TaxonomyError(
            f"train_counts: {', '.join(unknown)} are not in taxonomy {taxonomy.name!r} (it has "
            f"{', '.join(taxonomy.codes)}): their share would be given to the others. Name a "
            "taxonomy that has them, or correct the counts"
        )
    return expected_counts(taxonomy, {c: n for c, n in train_counts.items() if n})
