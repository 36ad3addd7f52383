"""From fields of view to a differential of five types, against what is annotated there.

    python -m benchmarks.field_differential starter=starter first=/path/to/another/bundle
        --boxes ../shared/fields/chula.json --work runs/fields --out benchmarks/results/fields

runs `buffycoat differential BUNDLE FIELDS --by slide_id` for each bundle into WORK/NAME, and writes
`differential.csv`: a row a bundle and type with its annotated and its predicted percent (95 %
Clopper-Pearson limits of counting), and how many of the found cells that match an annotated box
(IoU >= 0.5 and centre inside) have its type. `matched_percent` is the predicted percent of those
cells alone, `without_box` how many counted cells of that predicted type match none. Band and
segmented neutrophils are one type.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.finding import LEAST_PX
from typer.testing import CliRunner

from buffycoat.cli.errors import EXIT_FINDINGS
from buffycoat.cli.main import app
from buffycoat.evaluate import finding
from buffycoat.evaluate.proportion import clopper_pearson
from buffycoat.tables import write_csv

NEUTROPHILS = {"SNE": "NE", "BNE": "NE"}
OUTSIDE = "ERB"
"""No leukocyte: not in the 100 %."""
REST = "other"


def annotated(path: Path) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Field -> boxes (m, 4) and their types, of a COCO file."""
    coco = json.loads(path.read_text())
    names = {kind["id"]: kind["name"] for kind in coco["categories"]}
    found: dict[int, list[tuple[list[float], str]]] = {one["id"]: [] for one in coco["images"]}
    for one in coco["annotations"]:
        if min(one["bbox"][2:]) >= LEAST_PX:
            found[one["image_id"]].append((one["bbox"], names[one["category_id"]]))
    return {
        one["file_name"]: (
            np.array([box for box, _ in found[one["id"]]], dtype=float).reshape(-1, 4),
            [label for _, label in found[one["id"]]],
        )
        for one in coco["images"]
    }


def run(bundle: str, fields: Path, out: Path) -> pd.DataFrame:
    """Predictions of the command."""
    words = ["differential", bundle, str(fields), "--by", "slide_id", "--out", str(out)]
    done = CliRunner().invoke(app, words)
    if done.exit_code not in (0, EXIT_FINDINGS):
        raise SystemExit(done.output)
    return pd.read_parquet(out / "predictions.parquet")


def matched(
    predictions: pd.DataFrame, truth: Mapping[str, tuple[np.ndarray, list[str]]]
) -> pd.DataFrame:
    """Found cells: the type of the box that each matches ("" for none), its own, and doubt."""
    rows = []
    for field, cells in predictions.groupby("field"):
        boxes, labels = truth[str(field)]
        found = np.array([box.split(",") for box in cells["box"]], dtype=float)
        for row, true in zip(cells.to_dict("records"), finding.match(found, boxes).true_of,
                             strict=True):  # fmt: skip
            counts = row["is_counted"] and not row["field_faults"] and row["label"] != OUTSIDE
            rows.append((labels[true] if true >= 0 else "", _type(row["label"]),
                         bool(row["is_abstained"]), counts))  # fmt: skip
    return pd.DataFrame(rows, columns=["true", "predicted", "is_doubtful", "is_counted"])


def rows_of(
    name: str, predictions: pd.DataFrame, truth: Mapping[str, tuple[np.ndarray, list[str]]]
) -> list[dict[str, object]]:
    """The table's rows of a bundle: its types, those that are not annotated, and all together."""
    true = pd.Series([label for _, labels in truth.values() for label in labels])
    types = sorted(set(true))
    cells = matched(predictions, truth)
    cells["predicted"] = cells["predicted"].where(cells["predicted"].isin(types), REST)
    calls = cells.loc[cells["is_counted"], "predicted"]
    is_lost = cells["is_counted"] & (cells["true"] == "")
    pairs = cells[cells["true"] != ""]
    rows = []
    for kind in [*types, REST]:
        low, high = (100 * float(end) for end in clopper_pearson(int((calls == kind).sum()),
                                                                 len(calls)))  # fmt: skip
        own = pairs[pairs["true"] == kind]
        rows.append({
            "bundle": name, "type": kind,
            "annotated": int((true == kind).sum()),
            "annotated_percent": 100 * float((true == kind).mean()),
            "counted": int((calls == kind).sum()),
            "percent": 100 * float((calls == kind).mean()), "low": low, "high": high,
            "without_box": int((cells.loc[is_lost, "predicted"] == kind).sum()),
            "matched_percent": 100 * float((pairs["predicted"] == kind).mean()),
            "matched": len(own), "right": int((own["predicted"] == kind).sum()),
            "doubtful": int(own["is_doubtful"].sum()),
        })  # fmt: skip
    right = pairs["true"] == pairs["predicted"]
    sure = ~pairs["is_doubtful"]
    rows.append({
        "bundle": name, "type": "all", "annotated": len(true), "annotated_percent": 100.0,
        "counted": len(calls), "percent": 100.0,
        "without_box": int(is_lost.sum()), "matched_percent": 100.0, "matched": len(pairs),
        "right": int(right.sum()), "doubtful": int((~sure).sum()),
        "right_of_sure": int((right & sure).sum()),
    })  # fmt: skip
    return rows


def _type(code: str) -> str:
    return NEUTROPHILS.get(code, code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", metavar="NAME=BUNDLE")
    parser.add_argument("--boxes", type=Path, required=True, help="COCO file; fields beside it")
    parser.add_argument("--work", type=Path, required=True, help="folder of results")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    truth = annotated(asked.boxes)
    rows: list[dict[str, object]] = []
    for one in asked.bundles:
        name, _, bundle = one.partition("=")
        found = run(bundle, asked.boxes.with_suffix(""), asked.work / name)
        rows += rows_of(name, found, truth)
    table = pd.DataFrame(rows).round(2)
    print(table.to_string(index=False))
    write_csv(asked.out / "differential.csv", table)


if __name__ == "__main__":
    main()
