"""A bundle on cells of another source: is the coarse type right?

    python -m benchmarks.other_source SEG-WBC --out benchmarks/results/classify/other-source.json

FOLDER holds NNN.png and labels.csv with columns ID and label. The types there were given by the
authors of the masks and are not expert-checked; nothing is fitted or chosen on these cells.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from benchmarks import stored
from buffycoat import images
from buffycoat.predict.predictor import Pipeline

COARSE = {
    "SNE": "neutrophil",
    "BNE": "neutrophil",
    "MMY": "immature granulocyte",
    "MY": "immature granulocyte",
    "PMY": "immature granulocyte",
    "EO": "eosinophil",
    "BA": "basophil",
    "LY": "lymphocyte",
    "MO": "monocyte",
    "ERB": "erythroblast",
}
"""Code -> type as the labels name it; an immature granulocyte is none of theirs, so it is wrong."""


def measure(bundle: str, folder: Path) -> dict[str, Any]:
    """Coarse accuracy with its exact interval, and what the cells of each type were called."""
    table = pd.read_csv(folder / "labels.csv")
    pipeline = Pipeline.load(bundle)
    cells = [images.read(folder / name) for name in table["ID"]]
    found = pipeline.predict(cells, table["ID"].tolist())
    called = [COARSE[cell.label] for cell in found]
    right = [one == other for one, other in zip(called, table["label"], strict=True)]
    exact = binomtest(sum(right), len(right)).proportion_ci(0.95, "exact")
    return {
        "bundle": bundle,
        "n": len(right),
        "accuracy": sum(right) / len(right),
        "low": exact.low,
        "high": exact.high,
        "interval": "Clopper-Pearson, 95 %, image-level; types not expert-checked",
        "abstained": sum(cell.is_abstained for cell in found),
        "right_where_not_abstained": [
            sum(ok for ok, cell in zip(right, found, strict=True) if not cell.is_abstained),
            sum(not cell.is_abstained for cell in found),
        ],
        "by_type": {
            kind: dict(Counter(c for c, t in zip(called, table["label"], strict=True) if t == kind))
            for kind in sorted(set(table["label"]))
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Coarse types on cells of another source.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = measure(options.bundle, options.folder)
    print(
        f"{found['accuracy']:.2f} ({found['low']:.2f} to {found['high']:.2f}), n = {found['n']}, "
        f"{found['interval']}\n{found['by_type']}"
    )
    if options.out:
        stored.write_json(options.out, found)


if __name__ == "__main__":
    main()
