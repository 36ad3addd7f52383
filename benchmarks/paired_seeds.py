"""Differences of methods on the same seeds, from the table that a benchmark wrote.

    python -m benchmarks.paired_seeds FILE.csv --method ranking --less NAME --score precision \
        --by flipped

One line a method and group: mean score, and mean difference with its 95 % interval over seeds (t).
The group "all" takes the mean over groups on each seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats


def interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % ends of paired differences, shape (n,), n > 1."""
    mean, spread = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    wide = stats.t.ppf(0.975, len(differences) - 1) * spread
    return float(mean), float(mean - wide), float(mean + wide)


def main() -> None:
    parser = argparse.ArgumentParser(description="Paired differences over seeds.")
    parser.add_argument("table", type=Path)
    for name in ("method", "less", "score", "by"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    table = pd.read_csv(asked.table)
    whole = table.groupby(["seed", asked.method], sort=False)[asked.score].mean().reset_index()
    groups = [*table.groupby(asked.by, sort=False), ("all", whole)]
    for name, rows in groups:
        scores = rows.pivot(index="seed", columns=asked.method, values=asked.score)
        for method in rows[asked.method].unique():
            mean, low, high = interval((scores[method] - scores[asked.less]).to_numpy())
            words = f"{scores[method].mean():.3f}, difference {mean:.3f} ({low:.3f} to {high:.3f})"
            print(f"{name}: {method}: {words}")


if __name__ == "__main__":
    main()
