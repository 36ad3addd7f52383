"""Rows of the tables of scores, from the records of `evaluate.summary.evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.report import wording

Record = Mapping[str, Any]
Records = Mapping[str, Record]
Rows = list[dict[str, Any]]

CLASS_SCORES = (
    "precision",
    "sensitivity",
    "specificity",
    "npv",
    "f1",
    "ppv_at_prevalence",
    "npv_at_prevalence",
)
BRIER_PARTS = {
    "reliability": "… for saying other than came true (reliability)",
    "resolution": "… less, for telling cells apart (resolution)",
    "uncertainty": "… of always saying the classes' shares (uncertainty)",
    "within_bins": "… left over within bins",
}
"""Brier's score is the first less the second plus the third plus the fourth."""
BALANCED = "1 / n of its class here"
AS_THEY_ARE = "every cell alike"


def spread(name: str, score: Any, interval: Any = None) -> dict[str, Any]:
    """A score and the ends of its interval as three columns.

    Args:
        name: Of the first column; the others are `NAME_low` and `NAME_high`.
        score: A number, or words such as "not estimable"; or the interval itself.
        interval: `Interval.to_dict()`, or words where there is none.
    """
    if isinstance(score, Mapping):
        score, interval = score["estimate"], score
    low, high = wording.interval_ends(interval) or (None, None)
    return {name: score, f"{name}_low": low, f"{name}_high": high}


def metric_rows(evaluations: Records) -> Rows:
    """One row a split and score; scores without an interval come last."""
    rows = []
    for split, record in evaluations.items():
        for key, name in wording.METRICS.items():
            if record[key] is not None:
                rows.append(_metric(split, record, key, name, record[key]))
        for key, name, value in _plain_scores(record):
            rows.append(_metric(split, record, key, name, value))
    return rows


def _metric(split: str, record: Record, key: str, name: str, score: Any) -> dict[str, Any]:
    of = score if isinstance(score, Mapping) else {}
    return {
        "row": f"{split}/{key}",
        "split": split,
        "metric": key,
        "name": name,
        **spread("value", score),
        "level": of.get("level"),
        "unit": of.get("unit", record["level"]),
        "n": record["n"],
        "n_patients": record["n_patients"],
        "method": of.get("method", ""),
    }


def _plain_scores(record: Record) -> list[tuple[str, str, float]]:
    """Key, name and value of what has no interval: calibration, and errors along maturation."""
    found = []
    if record["calibration"] is not None:
        of = record["calibration"]
        by_chance = of["ece_if_calibrated"]
        found += [
            ("ece", "Expected calibration error of the top class", of["ece"]),
            ("ece_by_chance", "… that true probabilities would have by chance", by_chance["mean"]),
            ("ece_by_chance_95", "… in 95 of 100 such samples at most", by_chance["percentile_95"]),
            ("classwise_ece", "Class-wise calibration error", of["classwise_ece"]),
            ("brier", "Brier score, 0 to 2", of["brier"]),
        ]
        found += [
            (f"brier_{part}", words, of["brier_parts"][part]) for part, words in BRIER_PARTS.items()
        ]
    for line in record["by_maturation"]:
        name = f"{line['lineage']} line ({', '.join(line['classes'])})"
        for key, words in (("exact", "right"), ("within_one", "right or the next stage")):
            found.append((f"maturation_{line['lineage']}_{key}", f"{name}: {words}", line[key]))
    return found


def class_rows(evaluations: Records) -> Rows:
    """One row a split and class."""
    rows = []
    for split, record in evaluations.items():
        total = record["n"]
        calibration = record["calibration"] or {"ece_of_class": {}}
        for of in record["per_class"]:
            code = of["code"]
            row = {"row": f"{split}/{code}", "split": split, "code": code, "name": of["name"]}
            row |= {"band": of["band"], "n_train": of["n_train"], "n": of["support"]}
            row |= {"called": of["called"], "n_patients": of["n_patients"], "why": of["why"]}
            row |= {"share_of_cells": of["support"] / total, "prevalence": of.get("prevalence")}
            for name in CLASS_SCORES:
                row |= spread(name, of.get(name), of.get(f"{name}_interval"))
            precision = record["average_precision"] or {}
            row |= spread("average_precision", precision.get(code))
            rows.append(row | {"ece": calibration["ece_of_class"].get(code)})
    return rows


def group_rows(evaluations: Records) -> Rows:
    """One row a split and group of classes that true labels name: any class of it is right."""
    rows = []
    for split, record in evaluations.items():
        for of in record.get("by_group", []):
            row = {"row": f"{split}/{of['code']}", "split": split, "code": of["code"]}
            row |= {"name": of["name"], "members": of["members"], "n": of["support"]}
            row |= {"n_fine": of["n_fine"], "n_coarse": of["n_coarse"], "why": of["why"]}
            row |= {"called": of["called"], "n_patients": of["n_patients"]}
            for name in ("precision", "sensitivity", "specificity", "f1"):
                row |= spread(name, of[name], of[f"{name}_interval"])
            rows.append(row)
    return rows


def curve_rows(curves: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> Rows:
    """One row a split, class and point, from the strictest threshold on."""
    return [
        {"row": f"{split}/{code}/{number}", "split": split, "code": code, **point}
        for split, of_class in curves.items()
        for code, points in of_class.items()
        for number, point in enumerate(points)
    ]


def confusion_rows(evaluations: Records) -> Rows:
    """One row a split, true class and predicted class."""
    rows = []
    for split, record in evaluations.items():
        for true, counts in zip(record["codes"], record["confusion"], strict=True):
            total = sum(counts)
            for predicted, count in zip(record["codes"], counts, strict=True):
                row = {"row": f"{split}/{true}/{predicted}", "split": split}
                row |= {"true": true, "predicted": predicted, "cells": count}
                rows.append(row | {"share_of_true": count / total if total else None})
    return rows


def differential_rows(evaluations: Records) -> Rows:
    """One row a split and class: percent of cells by the labels and as predicted, with limits."""
    rows = []
    for split, record in evaluations.items():
        for of in record["per_class"]:
            row = {"row": f"{split}/{of['code']}", "split": split, "code": of["code"]}
            row |= {"name": of["name"], "n": record["n"]}
            for name, count in (("labelled", of["support"]), ("predicted", of["called"])):
                low, high = clopper_pearson(count, record["n"])
                row |= {f"{name}_cells": count, f"{name}_percent": 100 * count / record["n"]}
                row |= {f"{name}_percent_low": 100 * float(low)}
                row |= {f"{name}_percent_high": 100 * float(high)}
            rows.append(row)
    return rows


def strata_rows(evaluations: Records, crossing: Mapping[str, Sequence[Record]]) -> Rows:
    """Rows by severity (`band` is "all"), by band (`severity` is "all"), and by both."""
    rows = []
    for split, record in evaluations.items():
        for of in record["by_severity"]:
            row = _stratum(split, _level(of["severity"]), "all", of, BALANCED)
            row |= {"classes": of["classes"]} | spread("macro_f1", of["balanced_macro_f1"])
            rows.append(row | spread("sensitivity", of["balanced_accuracy"]))
        for of in record["by_band"]:
            row = _stratum(split, "all", of["band"], of, AS_THEY_ARE)
            row |= {"classes": len(of["classes"])} | spread("macro_f1", of["macro_f1"])
            rows.append(row | spread("sensitivity", of["sensitivity"]))
        if record["by_band"]:
            row = _stratum(split, "all", "all", record, AS_THEY_ARE)
            row |= {"classes": len(record["codes"]) - len(record["absent"])}
            row |= spread("macro_f1", record["macro_f1"])
            rows.append(row | spread("sensitivity", record["balanced_accuracy"]))
    for split, found in crossing.items():
        for of in found:
            row = _stratum(split, _level(of["severity"]), of["band"], of, BALANCED)
            row |= {"classes": len(of["classes"])} | spread("macro_f1", of["macro_f1"])
            rows.append(row | spread("sensitivity", of["sensitivity"]))
    return rows


def _stratum(split: str, level: str, band: str, of: Record, weight: str) -> dict[str, Any]:
    row = {"row": f"{split}/severity {level}/{band}", "split": split}
    row |= {"severity": level, "band": band, "n": of["n"], "classes": None}
    return row | {"few": of.get("few", ()), "a_cell_weighs": weight}


def _level(severity: float | str) -> str:
    return severity if isinstance(severity, str) else f"{severity:g}"


def reliability_rows(evaluations: Records) -> Rows:
    """One row a split and bin, from the least sure on."""
    return [
        {"row": f"{split}/bin {number}", "split": split, **of}
        for split, record in evaluations.items()
        if record["calibration"] is not None
        for number, of in enumerate(record["calibration"]["bins"], start=1)
    ]
