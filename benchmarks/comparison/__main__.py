"""buffycoat beside what a user would pick instead: same data, same machine, one table.

    python -m venv rivals && rivals/bin/pip install -r benchmarks/comparison/requirements.txt
    python -m benchmarks.comparison ../shared --out benchmarks/results/comparison

About 25 minutes of one core, the plain training included. Each row says whether its figures were
measured by this run or are stored ones of another benchmark. What is finished stays in `--work`, so
that a killed run goes on there; delete that folder to measure anew.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2
from benchmarks.comparison import abroad, classify, copies, earlier, fields, masks, sets
from benchmarks.comparison.rows import Place, write_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison.md"
PARTS = {
    "classify": classify.rows,
    "abroad": abroad.rows,
    "sets": sets.rows,
    "copies": copies.rows,
    "masks": masks.rows,
    "fields": fields.rows,
    "earlier": earlier.rows,
}
STORED = {"copies": earlier.copies}


def main() -> None:
    """Read the arguments, measure each part and write the table."""
    parser = argparse.ArgumentParser(description="buffycoat beside other tools.")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/comparison"))
    parser.add_argument("--rivals", type=Path, default=Path("rivals"), help="the environment")
    parser.add_argument(
        "--stored", choices=STORED, action="append", default=[], help="take its earlier figures"
    )
    parser.add_argument(
        "--leave-out", choices=PARTS, action="append", default=[], help="the page will say so"
    )
    options = parser.parse_args()
    rivals = options.rivals / "bin" / "python"
    if not rivals.exists():
        raise SystemExit(
            f"{rivals}: no such file. Make the environment of the other tools: python -m venv "
            f"{options.rivals} && {options.rivals}/bin/pip install -r "
            "benchmarks/comparison/requirements.txt"
        )
    os.environ |= {"OMP_NUM_THREADS": "1"}  # of the commands that are run: one core
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    place = Place(options.shared, options.work, rivals.absolute())
    rows = []
    for name, measure in PARTS.items():
        if name in options.leave_out:
            continue
        made = STORED[name]() if name in options.stored else measure(place)
        rows += made
        for row in made:
            print(f"{row.task}: {row.measure}: {row.ours} / {row.theirs} ({row.other})", flush=True)
    write_table(options.out, PAGE, rows, options.leave_out)


if __name__ == "__main__":
    main()
