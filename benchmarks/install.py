"""The wheel in clean environments: what it weighs, what it brings along, and that it works.

    python -m benchmarks.install python3.11 python3.12 python3.13 --out benchmarks/results/install
    python -m benchmarks.install python3.11 --extras fast --pip torch==2.13.0 --name cpu --out OUT

Each interpreter gets a new environment in a temporary folder, with nothing but the wheel and what
pip installs for it. There, far from the checkout, 20 cells are drawn and classified with the
starter bundle. Environments are removed one by one, since each may take six gigabytes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
N_CELLS = 20
ROUNDS = 3
MIB = 1 << 20
SHOWN = 8
"""Largest packages that are named."""

DRAW = f"""
from pathlib import Path
import numpy as np
from buffycoat.images import write_png
from buffycoat.simulate.render import render_cell
from buffycoat.taxonomy import PBC
for number in range({N_CELLS}):
    rng = np.random.default_rng(number)
    code = PBC.codes[number % len(PBC)]
    write_png(Path("cells", f"{{number:02d}}-{{code}}.png"), render_cell(code, rng, 160).image)
"""
WEIGH = """
import json
from importlib.metadata import distributions
sizes = {}
for found in distributions():
    files = [found.locate_file(file) for file in found.files or ()]
    sizes[found.metadata["Name"]] = sum(f.stat().st_size for f in files if f.is_file())
print(json.dumps(sizes))
"""


def build(out: Path) -> Path:
    """Build source archive and wheel, the wheel from the archive; the wheel's path."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def built(folder: Path) -> tuple[Path, Path | None]:
    """The wheel of a folder and its source archive, built if there is neither.

    Args:
        folder: May hold a wheel alone; then there is no archive to weigh.

    Raises:
        SystemExit: It holds several wheels or archives, or an archive without its wheel.
    """
    wheels, archives = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if not wheels and not archives:
        build(folder)
        wheels, archives = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(archives) > 1:
        names = ", ".join(path.name for path in (*wheels, *archives))
        raise SystemExit(
            f"--dist {folder}: expected one wheel, with or without its source archive; it holds "
            f"{names}. Empty it, and both are built"
        )
    return wheels[0], next(iter(archives), None)


def clean() -> dict[str, str]:
    """The environment's variables without those that lead Python to another place."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(folder: Path, *words: str | Path) -> str:
    """Standard output of a command in a folder.

    Raises:
        RuntimeError: It failed; with what it said.
    """
    done = subprocess.run(
        list(map(str, words)), cwd=folder, env=clean(), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, words))}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


def processor_seconds(folder: Path, *words: str | Path) -> float:
    """Median processor time of a command, seconds, once it has run before."""
    run(folder, *words)
    found = []
    for _ in range(ROUNDS):
        before = os.times()
        run(folder, *words)
        after = os.times()
        found.append(sum(after[2:4]) - sum(before[2:4]))
    return round(statistics.median(found), 3)


def classify(folder: Path, bin_folder: Path) -> dict[str, Any]:
    """Draw cells and classify them with the installed package; figures of what came out.

    Raises:
        RuntimeError: A command failed, the package is another one, or a cell is missing.
    """
    python, command = bin_folder / "python", bin_folder / "buffycoat"
    place = run(folder, python, "-c", "import buffycoat; print(buffycoat.__file__)").strip()
    if not Path(place).is_relative_to(bin_folder.parent):
        raise RuntimeError(f"{place}: not the package that was installed")
    run(folder, python, "-c", DRAW)
    start = time.monotonic()
    run(folder, command, "predict", "starter", "cells", "--out", "cells.csv")
    seconds = time.monotonic() - start
    lines = (folder / "cells.csv").read_text(encoding="utf-8").splitlines()
    if len(lines) != 1 + N_CELLS:
        raise RuntimeError(f"{len(lines) - 1} rows for {N_CELLS} cells")
    return {"predict_s": round(seconds, 1), "labels": [line.split(",")[1] for line in lines[1:]]}


def try_out(python: str, wheel: Path, extras: str, options: Sequence[str]) -> dict[str, Any]:
    """One clean environment, from nothing to predictions.

    Args:
        python: The interpreter.
        wheel: What is installed.
        extras: Of it, separated by commas; "" for none.
        options: More words for `pip install`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(folder, python, "-m", "venv", folder / "env")
        bin_folder = folder / "env" / "bin"
        wanted = f"{wheel}[{extras}]" if extras else str(wheel)
        start = time.monotonic()
        run(
            folder,
            bin_folder / "pip",
            "install",
            "--no-cache-dir",
            "--no-compile",
            wanted,
            *options,
        )
        installed = time.monotonic() - start
        sizes: dict[str, int] = json.loads(run(folder, bin_folder / "python", "-c", WEIGH))
        largest = sorted(sizes.items(), key=lambda one: -one[1])[:SHOWN]
        version = run(
            folder, bin_folder / "python", "-c", "import platform as p; print(p.python_version())"
        )
        found = classify(folder, bin_folder)
        return {
            "python": version.strip(),
            "extras": extras,
            "options": [os.path.basename(word) for word in options],
            "install_s": round(installed),
            "packages": len(sizes),
            "installed_mb": round(sum(sizes.values()) / MIB),
            "largest_mb": {name: round(size / MIB) for name, size in largest},
            "import_cpu_s": processor_seconds(
                folder, bin_folder / "python", "-c", "import buffycoat"
            ),
            "bare_cpu_s": processor_seconds(folder, bin_folder / "python", "-c", "pass"),
            "help_cpu_s": processor_seconds(folder, bin_folder / "buffycoat", "--help"),
            **found,
        }


def main() -> None:
    """Try the wheel with each interpreter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pythons", nargs="+", help="interpreters, such as python3.12")
    parser.add_argument("--extras", default="", help="such as fast,serve")
    parser.add_argument("--name", default="plain", help="of this way to install, for the file")
    parser.add_argument("--pip", action="append", default=[], help="a word for pip; repeatable")
    parser.add_argument("--out", type=Path, required=True, help="folder; one file a way")
    parser.add_argument("--dist", type=Path, help="folder with a wheel; built if empty")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = given.dist or Path(temporary)
        wheel, archive = built(folder)
        rows = []
        for python in given.pythons:
            rows.append(try_out(python, wheel, given.extras, given.pip))
            print(json.dumps(rows[-1]), flush=True)
            found = {
                "wheel_mb": round(wheel.stat().st_size / MIB, 1),
                "source_mb": archive and round(archive.stat().st_size / MIB, 1),
                "rows": rows,
            }
            text = json.dumps(found, indent=1) + "\n"
            (given.out / f"{given.name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
