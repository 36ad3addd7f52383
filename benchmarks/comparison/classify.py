"""A plain timm script beside `train --preset cpu`: the same cells, weights and evaluation split."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import timm
from benchmarks.comparison.models import (
    manifest,
    predictions,
    training_counts,
    training_seconds,
)
from benchmarks.comparison.rows import Place, Row, apart, better_of, in_words, once

from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.metrics import class_weighted_macro_f1
from buffycoat.evaluate.paired import paired_resample
from buffycoat.evaluate.summary import evaluate
from buffycoat.taxonomy import PBC

PLAIN = Path(__file__).with_name("plain_timm.py")
TIMM = f"plain script, timm {timm.__version__}"
TASK = "train and classify"


def at_home(place: Place) -> dict[str, Any]:
    """Scores of both on PBC-LT's evaluation split."""
    cells = manifest(place, "eval")
    counts = dict(zip(PBC.codes, training_counts(place).tolist(), strict=True))
    severity = cells.frame["severity"]
    found: dict[str, Any] = {}
    calls = {}
    for whose in ("ours", "plain"):
        probs, targets = predictions(place, whose)
        scores = evaluate(probs, targets, PBC, counts, severity)
        calls[whose] = probs.argmax(axis=1)
        clean = np.asarray(severity == 0)
        found[whose] = {
            "macro_f1": scores["balanced_macro_f1"],
            "prior_weighted": scores["prior_weighted_macro_f1"],
            "pristine": _macro_f1(targets[clean], calls[whose][clean]),
            "degraded": _macro_f1(targets[~clean], calls[whose][~clean]),
            "ece": scores["calibration"]["ece"],
            "ece_if_calibrated": scores["calibration"]["ece_if_calibrated"]["mean"],
            "seconds": once(place.work / f"{whose}-eval-seconds.json", dict),
        }
    pair = paired_resample(targets, calls["plain"], calls["ours"], len(PBC))
    found["gain"] = pair.interval(class_weighted_macro_f1).to_dict()
    return found


def _macro_f1(targets: np.ndarray, calls: np.ndarray) -> dict[str, Any]:
    return resample(targets, calls, len(PBC)).interval(class_weighted_macro_f1).to_dict()


def written_lines(script: Path) -> int:
    """Lines of code, without comments, docstrings, blank lines and those marked `# resume`."""
    text = script.read_text(encoding="utf-8")
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    kept = [line.strip() for number, line in lines if number not in told]
    return sum(bool(line) and line[0] != "#" and "# resume" not in line for line in kept)


def rows(place: Place) -> list[Row]:
    """Scores, times, and lines to write."""
    home = once(place.work / "home.json", lambda: at_home(place))
    return [*_home_rows(home), *_cost_rows(place, home)]


def _home_rows(home: dict[str, Any]) -> list[Row]:
    ours, plain, gain = home["ours"], home["plain"], home["gain"]
    left = (
        "one training each; other augmentations and backbones; the script has one network and one "
        "view, ours two networks and up to eight views each"
    )
    sure = "buffycoat" if gain["low"] > 0 else "other" if gain["high"] < 0 else "neither"
    scores = [
        Row(
            TASK,
            "balanced macro-F1, PBC-LT eval, n = 800; paired difference "
            f"{gain['estimate']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})",
            TIMM,
            in_words(ours["macro_f1"]),
            in_words(plain["macro_f1"]),
            sure,
            "run",
            left,
        )
    ]
    for part, named in (
        ("pristine", "the same, pristine cells, n = 274"),
        ("degraded", "the same, degraded cells, n = 526"),
        ("prior_weighted", "prior-weighted macro-F1, same cells"),
    ):
        a, b = ours[part], plain[part]
        scores.append(Row(TASK, named, TIMM, in_words(a), in_words(b), apart(a, b), "run"))
    expected = ours["ece_if_calibrated"], plain["ece_if_calibrated"]
    return [
        *scores,
        Row(
            TASK,
            "expected calibration error, same cells (and of a perfectly calibrated model)",
            TIMM,
            f"{ours['ece']:.3f} ({expected[0]:.3f})",
            f"{plain['ece']:.3f} ({expected[1]:.3f})",
            better_of(ours["ece"], plain["ece"], 0.01, is_higher_better=False),
            "run",
            "temperature scaling, which the script could have with cells held out",
        ),
    ]


def _cost_rows(place: Place, home: dict[str, Any]) -> list[Row]:
    seconds = once(place.work / "plain-training.json", lambda: training_seconds(place))
    ours, plain = home["ours"]["seconds"], home["plain"]["seconds"]
    return [
        Row(
            TASK,
            "time of the training",
            TIMM,
            "an hour and a half of two cores: folds, refits, calibration, limits, report",
            f"{seconds / 60:.0f} minutes of one core: one network",
            "other",
            "Makefile",
        ),
        Row(
            TASK,
            "processor time of the command that predicts 800 cells, start included",
            TIMM,
            f"{ours:.0f} s",
            f"{plain:.0f} s",
            better_of(ours, plain, 2, is_higher_better=False),
            "run",
        ),
        Row(
            TASK,
            "lines of Python to write",
            TIMM,
            "0: two commands",
            f"{written_lines(PLAIN)}",
            "buffycoat",
            "run",
            "a script can be changed anywhere; ours by its settings",
        ),
    ]
