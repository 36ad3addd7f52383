"""What one recipe brings over another: two finished runs on the same cells.

    python -m benchmarks.two_runs BEFORE AFTER --tail PMY ERB MMY BA MY --out FILE.json

BEFORE and AFTER are folders of `buffycoat train`. Scores of the evaluation split and out of fold,
each with its interval, the paired gain, F1 of each class, of the rare ones together, and
calibration error. Out of fold each cell counts as it is and once more degraded. Nothing is fitted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.calibration import ece
from buffycoat.evaluate.interval import IMAGE_LEVEL, Interval
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion, per_class, reweighted
from buffycoat.evaluate.paired import paired_interval
from buffycoat.images import write_atomic
from buffycoat.learn import run_folder


def main() -> None:
    """Parse, compare, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--tail", nargs="+", required=True, help="the rare classes")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    found = {
        "eval": compare(held_out(args.before), held_out(args.after), args.tail),
        "out of fold": compare(out_of_fold(args.before), out_of_fold(args.after), args.tail),
    }
    write_atomic(args.out, json.dumps(found, indent=1).encode())
    print(json.dumps(found, indent=1))


def held_out(run: Path) -> pd.DataFrame:
    """Truth and probabilities of the evaluation cells."""
    table = pd.read_parquet(run / run_folder.HELD_OUT).set_index("cell_id")
    return pd.DataFrame(table[_probs(table)]).assign(label=table["true_label"])


def out_of_fold(run: Path) -> pd.DataFrame:
    """The same of the training cells and their degraded twins, by models that saw neither."""
    table = pd.read_parquet(run / run_folder.OUT_OF_FOLD).set_index(["cell_id", "is_twin"])
    return pd.DataFrame(table[["label", *_probs(table)]])


def _probs(table: pd.DataFrame) -> list[str]:
    return [name for name in table if name.startswith("prob_")]


def compare(before: pd.DataFrame, after: pd.DataFrame, tail: Sequence[str]) -> dict[str, Any]:
    """Both runs and the gain, plain values.

    Raises:
        SystemExit: The runs are not of the same cells.
    """
    names = _probs(before)
    if set(before.index) != set(after.index) or names != _probs(after):
        raise SystemExit("the two runs are not of the same cells and classes")
    after = after.loc[before.index]
    codes = [name.removeprefix("prob_") for name in names]
    targets = np.array([codes.index(label) for label in before["label"]])
    cells = before.index.get_level_values("cell_id")
    # A twin is no second cell.
    groups = None if cells.is_unique else np.unique(cells, return_inverse=True)[1]
    a, b = (table[names].to_numpy().argmax(axis=1) for table in (before, after))
    gain = paired_interval(targets, a, b, class_weighted_macro_f1, groups, k=len(codes))
    rows = [
        _scores(targets, table[names].to_numpy(), groups, codes, tail) for table in (before, after)
    ]
    return {"n": len(targets), "before": rows[0], "after": rows[1], "gain": _plain(gain)}


def _scores(
    targets: np.ndarray,
    probs: np.ndarray,
    groups: np.ndarray | None,
    codes: Sequence[str],
    tail: Sequence[str],
) -> dict[str, Any]:
    k, called = len(codes), probs.argmax(axis=1)
    drawn = resample(targets, called, k, groups)
    counts = confusion(targets, called, k)
    each = dict(zip(codes, per_class(reweighted(counts, np.ones(k))).f1.tolist(), strict=True))
    return {
        "balanced_macro_f1": _plain(drawn.interval(class_weighted_macro_f1)),
        "f1": {code: round(value, 4) for code, value in each.items()},
        "tail_f1": float(np.mean([each[code] for code in tail])),
        "calibration_error": float(ece(probs, targets)),
    }


def _plain(found: Interval) -> dict[str, Any]:
    """Plain values; the groups are photographs here, so each figure is image-level."""
    keep = ("estimate", "low", "high", "level")
    return {name: found.to_dict()[name] for name in keep} | {"unit": IMAGE_LEVEL}


if __name__ == "__main__":
    main()
