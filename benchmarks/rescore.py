"""Make the intervals of stored figures again, from the confusions that stand beside them.

    python -m benchmarks.rescore benchmarks/results/pbc-lt/metrics.json
    python -m benchmarks.rescore src/buffycoat/starter --write

A file of an earlier version may hold intervals without a width, or ones that exclude their own
estimate. Scores that a confusion gives get the intervals of this version; of the others, such ones
lose their ends. A bundle gets a new model card and checksums too. Estimates stay as they are. Run
on patients cannot be scored again so: their cells are needed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.bundle import files
from buffycoat.evaluate.interval import IDENTICAL, IMAGE_LEVEL, NOT_ESTIMABLE
from buffycoat.evaluate.summary import evaluate
from buffycoat.learn import summary
from buffycoat.report.model_card import model_card
from buffycoat.report.wording import METRICS, interval_ends, metric_rows
from buffycoat.taxonomy import PBC

KEPT = ("by_severity", "calibration", "average_precision")
"""What a confusion does not give."""


def rescore(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of `evaluate.summary.evaluate` with the intervals of this version.

    Args:
        record: Image-level, of the taxonomy `PBC`.
    """
    if record["level"] != IMAGE_LEVEL or record["codes"] != list(PBC.codes):
        raise SystemExit("only image-level figures of the ten classes of PBC can be scored again")
    table = np.array(record["confusion"])
    truth, calls = (np.repeat(part.ravel(), table.ravel()) for part in np.indices(table.shape))
    counts = {row["code"]: row["n_train"] for row in record["per_class"]}
    has_counts = None not in counts.values()
    found = evaluate(calls, truth, PBC, counts if has_counts else None)
    for name in METRICS:
        old, new = (of[name] for of in (record, found))
        assert old is None or abs(old["estimate"] - new["estimate"]) < 1e-9, name
    return found | {name: record[name] for name in KEPT}


def without_lies(values: Any) -> Any:
    """The same without ends of an interval that has no width or excludes its estimate."""
    if isinstance(values, list):
        return [without_lies(value) for value in values]
    if not isinstance(values, dict):
        return values
    if {"estimate", "low", "high"} <= values.keys() and interval_ends(values) is None:
        return values | {"low": None, "high": None, "method": NOT_ESTIMABLE}
    return {name: without_lies(value) for name, value in values.items()}


def write_bundle(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics, model card and checksums of the starter bundle."""
    card = summary.card(files.read(folder), metrics["evaluations"])
    text = model_card(replace(card, name="buffycoat starter", load="starter"))
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1), encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    index = json.loads((folder / files.INDEX).read_text(encoding="utf-8"))
    for name in ("metrics.json", "MODEL_CARD.md"):
        index["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / files.INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", type=Path, help="metrics.json of a run, or a bundle's folder")
    parser.add_argument("--write", action="store_true", help="write them back")
    options = parser.parse_args()
    is_bundle = options.path.is_dir()
    file = options.path / "metrics.json" if is_bundle else options.path
    metrics = json.loads(file.read_text(encoding="utf-8"))
    metrics["evaluations"] = {s: rescore(of) for s, of in metrics["evaluations"].items()}
    metrics = without_lies(metrics)
    for stage in metrics.get("ablation", ()):
        gain = stage["gain"] or {}
        if gain.get("estimate") == 0 and gain["low"] is None:  # the same in every resample
            gain["method"] = IDENTICAL
    for split, record in metrics["evaluations"].items():
        for row in metric_rows(split, record):
            print(f"{split}, n = {row['n']}: {row['metric']} {row['value']} ({row['interval']})")
    if options.write and is_bundle:
        write_bundle(options.path, metrics)
    elif options.write:
        file.write_text(json.dumps(metrics, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
