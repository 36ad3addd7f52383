"""Tables and the picture of `benchmarks.active`.

    python -m benchmarks.active_summary benchmarks/results/active/curves.csv \
        [--score eval_macro_f1] [--picture curves.png]

Differences to random choice are paired by draw (t, 95 %). "Labels" is how many labels a strategy
needs for what random choice reaches with the most: where the mean curve first gets there, drawn
straight between batches; its interval is a bootstrap of the draws. The picture needs matplotlib,
which comes with scikit-activeml.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.paired_seeds import interval

DRAWS = 2000
BASE = "random"
SHOWN = (100, 200, 300)


def crossing(labels: np.ndarray, curve: np.ndarray, target: float) -> float:
    """Labels at which a curve first reaches a score; infinite where it does not."""
    at = int(np.argmax(curve >= target))
    if curve[at] < target:
        return np.inf
    if at == 0:
        return float(labels[0])
    share = (target - curve[at - 1]) / (curve[at] - curve[at - 1])
    return float(labels[at - 1] + share * (labels[at] - labels[at - 1]))


def needed(curves: np.ndarray, base: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Labels for the last score of random choice, with 95 % ends; curves (draws, batches)."""
    rng = np.random.default_rng(0)
    rows = rng.integers(len(curves), size=(DRAWS, len(curves)))
    found = [crossing(labels, curves[r].mean(axis=0), base[r, -1].mean()) for r in rows]
    low, high = np.quantile(found, [0.025, 0.975], method="nearest")
    return crossing(labels, curves.mean(axis=0), base[:, -1].mean()), low, high


def figure(value: float, most: float) -> str:
    """A number of labels; more than there are is said so."""
    return f"> {most:.0f}" if np.isinf(value) else f"{value:.0f}"


def table(rows: pd.DataFrame, score: str) -> str:
    """A scenario as Markdown, the best at the end first."""
    wide = rows.pivot(index=["strategy", "seed"], columns="labels", values=score)
    labels = wide.columns.to_numpy(float)
    base = wide.loc[BASE].to_numpy()
    order = wide.groupby("strategy").mean().mean(axis=1).sort_values(ascending=False).index
    counts = [
        column for column in ("rare", "junk", "unknown", "unknown_classes") if rows[column].any()
    ]
    heads = [
        *(f"{n} labels" for n in SHOWN),
        "less random at 300",
        "labels for random's 300",
        *counts,
    ]
    lines = [f"| strategy | {' | '.join(heads)} |", "|-" * (len(heads) + 1) + "|"]
    last = rows.loc[rows["labels"] == labels[-1]].groupby("strategy")[counts].mean()
    for name in order:
        curves = wide.loc[name].to_numpy()
        cells = [f"{wide.loc[name][n].mean():.3f}" for n in SHOWN]
        if name == BASE:
            cells += ["", f"{labels[-1]:.0f}"]
        else:
            gain = interval(curves[:, -1] - base[:, -1])
            cells.append("{:+.3f} ({:+.3f} to {:+.3f})".format(*gain))
            ends = [figure(value, labels[-1]) for value in needed(curves, base, labels)]
            cells.append(f"{ends[0]} ({ends[1]} to {ends[2]})")
        cells += [f"{last.loc[name, column]:.1f}" for column in counts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(table_: pd.DataFrame, score: str, shown: list[str], out: Path) -> None:
    """Mean curves with the standard error of each, a panel a scenario."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    scenarios = table_["scenario"].unique()
    _, panels = plt.subplots(1, len(scenarios), figsize=(3.4 * len(scenarios), 3.2), squeeze=False)
    for panel, scenario in zip(panels[0], scenarios, strict=True):
        rows = table_.loc[table_["scenario"] == scenario]
        for name in shown:
            own = rows.loc[rows["strategy"] == name].groupby("labels")[score]
            mean, error = own.mean(), own.sem()
            (line,) = panel.plot(
                mean.index, mean, label=name, color="gray" if name == BASE else None
            )
            panel.fill_between(
                mean.index, mean - error, mean + error,
                alpha=0.12, linewidth=0, color=line.get_color(),
            )  # fmt: skip
        panel.set_title(scenario, fontsize=10)
        panel.set_xlabel("labels")
    panels[0][0].set_ylabel("balanced macro-F1")
    panels[0][-1].legend(fontsize=6, frameon=False, loc="lower right")
    plt.tight_layout()
    plt.savefig(out, dpi=110)


def main() -> None:
    """Print the tables; draw the picture if asked."""
    parser = argparse.ArgumentParser(description="Tables and picture of active choice.")
    parser.add_argument("curves", type=Path)
    parser.add_argument("--score", default="macro_f1")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--strategies", nargs="+", help="of the picture")
    options = parser.parse_args()
    curves = pd.read_csv(options.curves)
    for scenario, rows in curves.groupby("scenario", sort=False):
        print(f"\n### {scenario} ({rows['seed'].nunique()} draws)\n\n{table(rows, options.score)}")
    if options.picture:
        shown = options.strategies or [*curves["strategy"].unique()]
        draw(curves, options.score, shown, options.picture)


if __name__ == "__main__":
    main()
