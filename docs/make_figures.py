"""Draws the figures of docs/explanation from benchmarks/results: `python docs/make_figures.py`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
OUT = ROOT / "docs" / "explanation"
VIOLET, GRAY, WARM = "#6b3fa0", "#8a8a8a", "#c4621d"
RECIPES = {
    "base": ("as usual", GRAY),
    "all": ("laboratories simulated", WARM),
    "allmix": ("and feature styles mixed", VIOLET),
}
CROPS = {"home": "as they are", "chula": "scaled", "seg-wbc": "scaled"}
"""Site -> the crop of its rows that is shown."""


def main() -> None:
    """Write three SVG files."""
    mpl.rcParams |= {
        "font.size": 11, "svg.hashsalt": "buffycoat", "svg.fonttype": "path",
        "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
    }  # fmt: skip
    metrics = json.loads((RESULTS / "pbc-lt" / "metrics.json").read_text(encoding="utf-8"))
    draw_tail(metrics["evaluations"]["eval"]["per_class"])
    draw_calibration(metrics)
    with (RESULTS / "sites" / "travel.csv").open(encoding="utf-8", newline="") as table:
        draw_shift(list(csv.DictReader(table)))


def draw_tail(classes: list[dict[str, Any]]) -> None:
    """Training cells and F1 of each class."""
    codes = [row["code"] for row in classes]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
    bars = left.barh(codes, [row["n_train"] for row in classes], color=VIOLET)
    left.bar_label(bars, padding=3)
    left.set(xscale="log", xlim=(1, 3000), xlabel="training cells (log scale)")
    _points(
        right,
        codes,
        [(r["f1"], r["f1_interval"]["low"], r["f1_interval"]["high"]) for r in classes],
    )
    right.set(xlim=(0.5, 1.01), xlabel="F1")
    left.invert_yaxis()
    _save(figure, "long-tails.svg")


def draw_calibration(metrics: dict[str, Any]) -> None:
    """Reliability, and coverage of each class's sets."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
    bins = metrics["evaluations"]["eval"]["calibration"]["bins"]
    left.plot([0.3, 1], [0.3, 1], color=GRAY, linestyle="--")
    left.plot([b["confidence"] for b in bins], [b["frequency"] for b in bins], "o-", color=VIOLET)
    left.set(xlabel="stated probability", ylabel="observed frequency")
    left.set(xlim=(0.3, 1.01), ylim=(0.3, 1.03))
    rows = [row for row in metrics["doubt"]["coverage"]["eval"] if row["class"] != "all"]
    codes = [row["class"] for row in rows]
    _points(right, codes, [(row["coverage"], row["low"], row["high"]) for row in rows])
    right.axvline(1 - metrics["doubt"]["alpha"], color=GRAY, linestyle="--")
    right.set(xlim=(0.5, 1.01), xlabel="coverage of 90 % prediction sets")
    right.invert_yaxis()
    _save(figure, "calibration.svg")


def draw_shift(rows: list[dict[str, str]]) -> None:
    """Share right at home and abroad, by recipe."""
    figure, axes = plt.subplots(figsize=(8, 3.2))
    width = 0.26
    for column, (recipe, (name, colour)) in enumerate(RECIPES.items()):
        chosen = [
            next(r for r in rows if (r["recipe"], r["site"], r["crop"]) == (recipe, site, crop))
            for site, crop in CROPS.items()
        ]
        right = [float(row["right"]) for row in chosen]
        spans = [
            [value - float(row["low"]) for value, row in zip(right, chosen, strict=True)],
            [float(row["high"]) - value for value, row in zip(right, chosen, strict=True)],
        ]
        places = [place + (column - 1) * width for place in range(len(CROPS))]
        axes.bar(places, right, width, color=colour, label=name)
        axes.errorbar(places, right, spans, fmt="none", ecolor="black", capsize=2)
    labels = [f"{site}, n = {_n(rows, site, crop)}" for site, crop in CROPS.items()]
    axes.set(ylim=(0, 1), ylabel="share right", xticks=range(len(CROPS)), xticklabels=labels)
    axes.legend(title="trained", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, "domain-shift.svg")


def _n(rows: list[dict[str, str]], site: str, crop: str) -> str:
    return next(f"{int(r['n']):,}" for r in rows if (r["site"], r["crop"]) == (site, crop))


def _points(axes: Any, codes: list[str], rows: list[tuple[float, float, float]]) -> None:
    """A dot with its limits for each class."""
    for place, (value, low, high) in enumerate(rows):
        axes.plot([low, high], [place, place], color=VIOLET)
        axes.plot(value, place, "o", color=VIOLET)
    axes.set_yticks(range(len(codes)), codes)


def _save(figure: Any, name: str) -> None:
    figure.savefig(OUT / name, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


if __name__ == "__main__":
    main()
