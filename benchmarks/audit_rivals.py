"""The pairs that other tools find in a folder of `benchmarks/audit_planted.py plant`.

    python -m venv rivals
    rivals/bin/pip install imagededup==0.3.3.post2 cleanvision==0.3.7
    rivals/bin/python benchmarks/audit_rivals.py FOLDER phash --out pairs.csv

It runs in an environment of its own and imports nothing of buffycoat. Each tool runs as its manual
has it, with its default thresholds; the pairs are scored by `audit_planted score`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path

Pairs = set[tuple[str, str]]


def imagededup(method: str) -> Callable[[Path], Pairs]:
    """Duplicates by one of imagededup's hashes."""

    def find(folder: Path) -> Pairs:
        from imagededup import methods

        found = getattr(methods, method)(verbose=False).find_duplicates(str(folder))
        return {_pair(name, other) for name, others in found.items() for other in others}

    return find


def cleanvision(folder: Path) -> Pairs:
    """Exact and near duplicates of cleanvision."""
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=1, verbose=False)
    sets = [
        [Path(path).name for path in group]
        for kind in ("exact_duplicates", "near_duplicates")
        for group in lab.info[kind]["sets"]
    ]
    return {_pair(a, b) for group in sets for a, b in combinations(group, 2)}


TOOLS: dict[str, Callable[[Path], Pairs]] = {
    "phash": imagededup("PHash"),
    "dhash": imagededup("DHash"),
    "whash": imagededup("WHash"),
    "ahash": imagededup("AHash"),
    "cnn": imagededup("CNN"),
    "cleanvision": cleanvision,
}


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _flat(folder: Path, places: Iterable[Path], flat: Path) -> None:
    for place in places:
        for path in (folder / place).iterdir():
            os.symlink(path.resolve(), flat / path.name)


def main() -> None:
    """Search with one tool, write its pairs, print its seconds."""
    parser = argparse.ArgumentParser(description="Pairs that another tool finds.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        _flat(options.folder, (Path("photographs"), Path("copies")), Path(temporary))
        start, cpu = time.perf_counter(), sum(os.times()[:4])
        pairs = TOOLS[options.tool](Path(temporary))
        spent = time.perf_counter() - start, sum(os.times()[:4]) - cpu
    with options.out.open("w", newline="") as file:
        csv.writer(file).writerows(sorted(pairs))
    print(json.dumps({"tool": options.tool, "pairs": len(pairs), "s": spent[0], "cpu_s": spent[1]}))


if __name__ == "__main__":
    main()
