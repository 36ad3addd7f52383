"""Figures as text: the same rounding and the same words on the page and on the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]

METRICS = {
    "balanced_macro_f1": "Balanced macro-F1",
    "prior_weighted_macro_f1": "Prior-weighted macro-F1",
    "macro_f1": "Macro-F1",
    "balanced_accuracy": "Balanced accuracy",
    "macro_precision": "Macro-precision",
    "macro_specificity": "Macro-specificity",
    "accuracy": "Accuracy",
}
"""Key in a record of `evaluate` -> name, in the order shown."""

MISSING = "–"
MINUS = "\N{MINUS SIGN}"
_WORST_CLASSES = 3
_WORST_CONFUSIONS = 3


def number(value: float | str | None, digits: int = 3) -> str:
    """A figure with set digits; words stay words, and nothing becomes a dash."""
    if value is None:
        return MISSING
    return value if isinstance(value, str) else f"{value:.{digits}f}"


def ends(interval: Record | str | None, digits: int = 3) -> str:
    """The two ends of `Interval.to_dict()`."""
    if interval is None or isinstance(interval, str):
        return number(interval)
    return f"{number(interval['low'], digits)} to {number(interval['high'], digits)}"


def signed(difference: float, digits: int = 3) -> str:
    """A difference with its sign."""
    return f"{difference:+.{digits}f}".replace("-", MINUS)


def metric_rows(split: str, record: Record) -> list[dict[str, str]]:
    """One row a metric, each with split, n, interval, and what the interval rests on."""
    rows = []
    for key, name in METRICS.items():
        interval = record[key]
        if interval is None:
            continue
        row = {"split": split, "n": f"{interval['n']:,}", "metric": name}
        row |= {"value": number(interval["estimate"]), "interval": ends(interval)}
        row |= {"level": interval["unit"], "method": interval["method"]}
        rows.append(row)
    return rows


def is_outside(interval: Record | None) -> bool:
    """Whether a score lies outside its own interval, as a posterior's may."""
    return interval is not None and not interval["low"] <= interval["estimate"] <= interval["high"]


def sentences(split: str, record: Record) -> list[str]:
    """What the figures on a split say, in plain words."""
    score = record["balanced_macro_f1"]
    patients = record["n_patients"]
    level = (
        f"{patients:,} patients were resampled"
        if patients
        else "images were resampled, so cells of new patients may score outside it"
    )
    share = f"{score['level'] * 100:.0f}\N{NO-BREAK SPACE}%"
    text = [
        f"On {split} ({record['n']:,} cells), balanced macro-F1 is {number(score['estimate'])}, "
        f"with a {share} interval of {ends(score)} ({score['unit']}: {level})."
    ]
    prior = record["prior_weighted_macro_f1"]
    if prior is not None:
        text.append(
            "On a stream with the training set's class shares, macro-F1 is estimated at "
            f"{number(prior['estimate'])}, credible from {ends(prior)}: there a single frequent "
            "cell that is called rare outweighs many rare cells."
        )
        if is_outside(prior):
            text.append(
                "That estimate lies outside its interval: the interval adds half a cell to every "
                "kind of error, seen or not, which costs rare classes most. Of a good classifier "
                "it lies too low (benchmarks/results/evaluate)."
            )
    text += [line for line in (_weakest(record), _commonest_errors(record)) if line]
    if record["absent"]:
        text.append(f"Not in this split, so not scored: {', '.join(record['absent'])}.")
    return text


def _weakest(record: Record) -> str:
    rows = [row for row in record["per_class"] if isinstance(row["f1"], float)]
    worst = sorted(rows, key=lambda row: row["f1"])[:_WORST_CLASSES]
    if len(rows) <= 1:
        return ""
    named = ", ".join(f"{row['name']} ({row['code']}, {number(row['f1'], 2)})" for row in worst)
    return f"The classes with the lowest F1 are {named}."


def _commonest_errors(record: Record) -> str:
    codes, table = record["codes"], record["confusion"]
    errors = [
        (count / sum(row), count, sum(row), codes[i], codes[j])
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        if i != j and count
    ]
    if not errors:
        return "No cell was called a wrong class."
    worst = sorted(errors, reverse=True)[:_WORST_CONFUSIONS]
    named = "; ".join(f"{true} called {called} ({n} of {of})" for _, n, of, true, called in worst)
    return f"The commonest confusions, by share of the true class: {named}."
