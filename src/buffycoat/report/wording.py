"""Figures as text: the same rounding and the same words on the page and on the card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, floor
from typing import Any

from buffycoat.plurals import some_of

Record = Mapping[str, Any]
Form = Callable[[float, int], str]

METRICS = {
    "balanced_macro_f1": "Balanced macro-F1",
    "prior_weighted_macro_f1": "Prior-weighted macro-F1",
    "macro_f1": "Macro-F1",
    "macro_f1_estimable": "Macro-F1 of the estimable classes",
    "balanced_accuracy": "Balanced accuracy",
    "macro_precision": "Macro-precision",
    "macro_specificity": "Macro-specificity",
    "accuracy": "Accuracy",
}
"""Key in a record of `evaluate` -> name, in the order shown."""

MISSING = "–"
NO_INTERVAL = "no interval"
MINUS = "\N{MINUS SIGN}"
_WORST_CLASSES = 3
_WORST_CONFUSIONS = 3
STRONG = 0.9
"""An F1 is strong if its whole interval is over this."""


def number(value: float | str | None, digits: int = 3) -> str:
    """A figure with set digits; words stay words, and nothing becomes a dash."""
    if value is None:
        return MISSING
    return value if isinstance(value, str) else f"{value:.{digits}f}".replace("-", MINUS)


def interval_ends(interval: Record | str | None) -> tuple[float, float] | None:
    """Lower and upper end of `Interval.to_dict()`; None where there is no interval.

    Files of earlier versions hold some without a width, and some that exclude their own estimate.
    They are not shown.
    """
    if interval is None or isinstance(interval, str):
        return None
    low, high, estimate = (interval.get(name) for name in ("low", "high", "estimate"))
    if low is None or high is None or not low < high:
        return None
    return (low, high) if estimate is None or low <= estimate <= high else None


def ends(interval: Record | str | None, digits: int = 3, form: Form | None = None) -> str:
    """The two ends of `Interval.to_dict()`; words where there is none.

    Args:
        interval: The record, or words such as "not estimable".
        digits: Decimals.
        form: How a figure is written; `number` if not given.
    """
    found = interval_ends(interval)
    if found is None:
        return interval if isinstance(interval, str) else NO_INTERVAL
    return between(*found, digits, form)


def between(low: float, high: float, digits: int = 3, form: Form | None = None) -> str:
    """Two ends, rounded apart where they would read the same."""
    form = form or number
    if round(low, digits) == round(high, digits):
        low, high = floor(low * 10**digits) / 10**digits, ceil(high * 10**digits) / 10**digits
    return f"{form(low, digits)} to {form(high, digits)}"


def span(row: Record, name: str, digits: int = 2) -> str:
    """The interval of a score in a row of a table; words where there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None:
        return "" if row[name] is None or isinstance(row[name], str) else NO_INTERVAL
    return between(low, high, digits)


def shortened(text: str, most: int) -> str:
    """The text, its middle left out if it is too long: the ends of names tell them apart."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}…{text[-half:]}"


def without_verdict(reason: str) -> str:
    """Why the gate decided, without what it decided, where that stands above it."""
    return reason.removeprefix("restored: ").removeprefix("original kept: ")


def count(n: int | None) -> str:
    """A number of cells, thousands apart."""
    return MISSING if n is None else f"{n:,}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share as percent."""
    return MISSING if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


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
        row = {"split": split, "n": f"{record['n']:,}", "metric": name}
        if isinstance(interval, str):
            row |= {"value": interval, "interval": interval}
            row |= {"level": record["level"], "method": MISSING}
        else:
            row |= {"value": number(interval["estimate"]), "interval": ends(interval)}
            row |= {"level": interval["unit"], "method": interval["method"]}
        rows.append(row)
    return rows


def where(split: str) -> str:
    """The cells of a split, after "on" or "of"; `split` is a key of `ReportData.evaluations`."""
    return "the training cells (out of fold)" if split == "out of fold" else split


def verdict(split: str, record: Record, n_cells: int, n_doubtful: int) -> str:
    """The one line that opens a report.

    Args:
        split: Name of the split.
        record: Of `evaluate.summary.evaluate`.
        n_cells: Cells that are listed one by one; 0 where none are.
        n_doubtful: Of these, those that a person should look at.
    """
    found = record["balanced_accuracy"]
    text = (
        f"{100 * found['estimate']:.0f} of 100 cells of each class in {where(split)} are "
        f"classified correctly ({_of_hundred(found, 0)})"
    )
    weakest = _by_f1(record)
    if len(weakest) > 1:
        text += f"; weakest: {weakest[0]['name']} (F1 {number(weakest[0]['f1'], 2)})"
    if n_cells:
        text += (
            f"; {some_of(n_doubtful, n_cells, 'cell')} ({percent(n_doubtful / n_cells)}) "
            f"{'is' if n_doubtful == 1 else 'are'} doubtful and left to a person"
        )
    return f"{text}."


def sentences(split: str, record: Record) -> list[str]:
    """What the figures on a split say, in plain words."""
    found, score = record["balanced_accuracy"], record["balanced_macro_f1"]
    text = [
        f"Of 100 cells of each class in {where(split)} ({record['n']:,} cells in all), "
        f"{100 * found['estimate']:.1f} are classified correctly ({_of_hundred(found)}). Balanced "
        f"macro-F1, which also counts how often a predicted class is wrong, is "
        f"{number(score['estimate'])} ({ends(score)}).",
        _level(record),
        _strongest(record),
        _weakest(record),
        _commonest_errors(record),
        _maturation(record),
        _prior(record["prior_weighted_macro_f1"]),
        _too_few(record),
    ]
    if record["absent"]:
        text.append(f"Not in this split, so not scored: {', '.join(record['absent'])}.")
    return [line for line in text if line]


def _of_hundred(score: Record, digits: int = 1) -> str:
    """The interval of a share, per hundred."""
    found = interval_ends(score)
    if found is None:
        return NO_INTERVAL
    low, high = (100 * end for end in found)
    return f"{percent(score['level'])} interval {between(low, high, digits)}"


def _level(record: Record) -> str:
    patients = record["n_patients"]
    if patients:
        return f"All intervals are {record['level']}: {patients:,} patients were resampled."
    return (
        f"All intervals are {record['level']}: images were resampled, so cells of new patients "
        "may score outside them."
    )


def _prior(prior: Record | None) -> str:
    if prior is None:
        return ""
    return (
        "With the class frequencies of the training set, macro-F1 is estimated at "
        f"{number(prior['estimate'])} ({ends(prior)}): there a few misclassified cells of a "
        "frequent class outweigh all cells of a rare one."
    )


def _too_few(record: Record) -> str:
    if not record["not_estimable"]:
        return ""
    listed = "; ".join(f"{code}: {why}" for code, why in record["not_estimable"].items())
    return (
        f"Too few cells to score by themselves ({listed}). Macro-F1 is "
        f"{number(record['macro_f1']['estimate'])} with them and "
        f"{number(_estimate(record['macro_f1_estimable']))} without."
    )


def _estimate(score: Record | str) -> float | str:
    return score if isinstance(score, str) else score["estimate"]


def _strongest(record: Record) -> str:
    sure = [row for row in record["per_class"] if _is_sure(row)]
    if not sure:
        return ""
    listed = ", ".join(f"{row['name']} ({row['code']})" for row in sure)
    return f"The whole interval of F1 is over {STRONG:.1f} for {listed}."


def _is_sure(row: Record) -> bool:
    """Whether all of the interval lies above `STRONG`."""
    found = interval_ends(row["f1_interval"])
    return found is not None and found[0] > STRONG


def _maturation(record: Record) -> str:
    lines = [
        f"{100 * of['exact']:.0f} of 100 cells of the {of['lineage']} lineage get the correct "
        f"stage ({', '.join(of['classes'])}), {100 * of['within_one']:.0f} that or an adjacent one"
        for of in record["by_maturation"]
    ]
    return f"Along maturation: {'; '.join(lines)}." if lines else ""


def _weakest(record: Record) -> str:
    rows = _by_f1(record)
    if len(rows) <= 1:
        return ""
    named = ", ".join(
        f"{row['name']} ({row['code']}, {number(row['f1'], 2)})" for row in rows[:_WORST_CLASSES]
    )
    return f"The classes with the lowest F1 are {named}."


def _by_f1(record: Record) -> list[Record]:
    """Rows of the classes that have an F1, the lowest first."""
    rows = [row for row in record["per_class"] if isinstance(row["f1"], float)]
    return sorted(rows, key=lambda row: row["f1"])


def _commonest_errors(record: Record) -> str:
    codes, table = record["codes"], record["confusion"]
    errors = [
        (count / sum(row), count, sum(row), codes[i], codes[j])
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        if i != j and count
    ]
    if not errors:
        return "No cell was misclassified."
    worst = sorted(errors, reverse=True)[:_WORST_CONFUSIONS]
    named = "; ".join(f"{true} as {called} ({n} of {of})" for _, n, of, true, called in worst)
    return f"The commonest confusions, as a share of the true class: {named}."
