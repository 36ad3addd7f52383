"""Rows that earlier benchmarks stored: losses, label errors, review, intervals, copies."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.comparison.rows import RESULTS, Place, Row, better_of, in_words
from scipy.stats import binomtest

from buffycoat.evaluate.proportion import clopper_pearson

RECIPES = RESULTS / "classify" / "screen.csv"
BARE = "cross-entropy, prior removed afterwards"
INTERVALS = RESULTS / "evaluate" / "interval-coverage.json"
LABELS = RESULTS / "labels" / "label_errors.csv"
REVIEW = RESULTS / "review" / "review_time.csv"
ROOT = RESULTS.parents[1]


def rows(place: Place) -> list[Row]:
    """All of them; the exact limits are computed now."""
    return [*_recipes(), *_labels(), *_review(), *_intervals()]


def _recipes() -> list[Row]:
    """Losses of a plain script inside our training, so that all else is the same."""
    table = pd.read_csv(RECIPES).set_index("recipe")
    ours = table.loc["logit adjustment"]
    made = []
    for recipe in ("cross-entropy, deferred balanced sampler", BARE):
        theirs = table.loc[recipe]
        low, high = -theirs["gain_high"], -theirs["gain_low"]
        made.append(
            Row(
                "loss for a long tail",
                "balanced macro-F1 out of fold, PBC-LT, 112 px, twelve epochs, our augmentation; "
                f"paired difference {-theirs['gain']:+.3f} ({low:+.3f} to {high:+.3f})",
                recipe,
                in_words(_interval(ours)),
                in_words(_interval(theirs)),
                "buffycoat" if low > 0 else "other" if high < 0 else "neither",
                str(RECIPES.relative_to(ROOT)),
                "one seed",
            )
        )
    return made


def _interval(row: pd.Series) -> dict[str, float]:
    return {"estimate": row["balanced_macro_f1"], "low": row["low"], "high": row["high"]}


def _labels() -> list[Row]:
    table = pd.read_csv(LABELS).groupby("ranking")["precision"].mean()
    ours = table["cleanlab: confident learning"]
    plain = table["self-confidence"]
    source = str(LABELS.relative_to(ROOT))
    measure = "wrong labels among the 5 % listed first, 5 % of PBC-LT's labels flipped"
    return [
        Row(
            "wrong labels",
            measure,
            "cleanlab 2.9.0, confident learning",
            f"{ours:.2f}",
            f"{ours:.2f}",
            "neither",
            source,
            "`suspects` is cleanlab's ranking; cleanlab also repairs, and reads other data",
        ),
        Row(
            "wrong labels",
            measure,
            "lowest probability of the given label, no library",
            f"{ours:.2f}",
            f"{plain:.2f}",
            better_of(ours, plain, 0.02, is_higher_better=True),
            source,
            "it finds more of the labels flipped to any class alike: 0.67 against 0.58",
        ),
    ]


def _review() -> list[Row]:
    table = pd.read_csv(REVIEW).set_index("tool")
    ours = table.loc["buffycoat review, doubtful cells, signed"]
    source = str(REVIEW.relative_to(ROOT))
    made = []
    for way, words in (
        ("Label Studio, doubtful cells, no signature", "the ten doubtful cells alone"),
        ("Label Studio, all cells, no signature", "all cells"),
    ):
        theirs = table.loc[way]
        made.append(
            Row(
                "review",
                "keys and seconds to correct 10 of 200 cells by keys; ours shows all and is signed",
                f"Label Studio 1.23.2, {words}",
                f"{ours['keys']:.0f} keys, {ours['seconds']:.1f} s",
                f"{theirs['keys']:.0f} keys, {theirs['seconds']:.0f} s",
                better_of(ours["keys"], theirs["keys"], 0, is_higher_better=False),
                source,
                "time to look and think",
            )
        )
    return made


def _intervals() -> list[Row]:
    counts, n = np.arange(0, 81), 80
    low, high = clopper_pearson(counts, n)
    theirs = [binomtest(int(c), n).proportion_ci(0.95, "exact") for c in counts]
    gap = max(
        float(np.abs(low - [one.low for one in theirs]).max()),
        float(np.abs(high - [one.high for one in theirs]).max()),
    )
    methods = json.loads(INTERVALS.read_text(encoding="utf-8"))["methods"]["rows"]
    made = [
        Row(
            "intervals",
            "largest difference between exact limits of a share, 0 to 80 of 80",
            f"scipy {version('scipy')}, binomtest (as statsmodels' `beta`)",
            f"{gap:.0e}",
            f"{gap:.0e}",
            "neither",
            "run",
        )
    ]
    ours = _method(methods, "0.5 cells more a class")
    plain = _method(methods, "percentile bootstrap")
    made.append(
        Row(
            "intervals",
            "macro-F1: observed coverage of 95 % intervals, least of a kind of split, mean width; "
            "simulated splits",
            "percentile bootstrap, as with scikit-learn's `resample`",
            ours[0],
            plain[0],
            better_of(ours[1], plain[1], 0.01, is_higher_better=True),
            str(INTERVALS.relative_to(ROOT)),
            "our intervals are wider, and cover more than 95 %",
        )
    )
    return made


def _method(rows: list[dict], name: str) -> tuple[str, float]:
    row = next(r for r in rows if (r["score"], r["method"]) == ("macro-F1", name))
    return f"{row['held']:.2f}, {row['least']:.2f}, {row['width']:.2f}", row["least"]


def copies() -> list[Row]:
    """The audit's rows as `benchmarks.audit_planted` stored them, 60 copies of each kind."""
    folder = RESULTS / "audit"
    table = pd.read_csv(folder / "planted.csv", keep_default_na=False)
    is_plain = table["kind"].eq("JPEG") | (table["kind"] + " " + table["strength"]).isin(
        ("turned 0", "resized to 128")
    )
    page = folder / "README.md"
    pairs, seconds = (cell(page, "audit, by landmarks", column) for column in (1, 2))
    made = []
    for name, column, row, place in (
        (
            "imagededup 0.3.3.post2, whash, the best of three hashes",
            "imagededup whash",
            "imagededup",
            2,
        ),
        ("cleanvision 0.3.7", "cleanvision", "cleanvision", 0),
    ):
        measures: dict[str, tuple[str, str, bool]] = {
            f"copies found of {table['planted'].sum():,} planted, all kinds, PBC-LT's training "
            "cells": (str(table["audit"].sum()), str(table[column].sum()), True),
            f"copies found of {table['planted'][is_plain].sum()} only encoded again or made "
            "smaller": (
                str(table["audit"][is_plain].sum()), str(table[column][is_plain].sum()), True,
            ),
            "pairs of two photographs, of which PBC-LT holds some twice": (
                pairs.split(",")[0], cell(page, row, 1).split(" / ")[place], False,
            ),
            "processor time of the search, seconds": (
                seconds, cell(page, row, 2).split(" / ")[place], False,
            ),
        }  # fmt: skip
        made += [
            Row(
                "audit",
                measure,
                name,
                ours,
                theirs,
                better_of(_number(ours), _number(theirs), 2, is_higher_better=is_higher),
                str(page.relative_to(ROOT)),
                "the kinds of copies are our choice: cells are turned and cropped",
            )
            for measure, (ours, theirs, is_higher) in measures.items()
        ]
    return made


def cell(page: Path, first: str, column: int) -> str:
    """A cell of the Markdown table's row that begins so."""
    row = next(
        line for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {first}")
    )  # fmt: skip
    return row.strip("| ").split(" | ")[column].strip()


def _number(text: str) -> float:
    return float(text.replace(",", ""))
