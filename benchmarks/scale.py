"""What a long prediction keeps: memory with many cells, results through kills, time under Ray.

    python -m benchmarks.scale memory ../shared/pbc-more/images --out memory.json
    python -m benchmarks.scale kills ../shared/pbc-more/images --out kills.json
    python -m benchmarks.scale ray ../shared/pbc-more/images --out ray.json

Cells are links to the same few thousand files, so decoding is of warm files. Commands are whole
processes, from the shell to the file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from buffycoat.images import list_images, write_atomic

RUN = "import sys; from buffycoat.cli.main import app; sys.argv[0] = 'buffycoat'; app()"
A_FOLDER = 10_000


def link(pictures: Path, n: int, folder: Path) -> Path:
    """So many links to the pictures, over and over, ten thousand a folder."""
    files = [path.resolve() for path in list_images(pictures)]
    for number in range(n):
        place = folder / f"{number // A_FOLDER:03d}"
        place.mkdir(parents=True, exist_ok=True)
        file = files[number % len(files)]
        (place / f"{number:07d}{file.suffix}").symlink_to(file)
    return folder


def start(cells: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """Begin `predict starter`."""
    command = [sys.executable, "-c", RUN, "predict", "starter", str(cells), "--out", str(out)]
    return subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen[bytes]) -> float:
    """Peak memory of a command that must succeed, MiB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {process.args}")
    return usage.ru_maxrss / 1024


def digest(out: Path) -> str:
    """SHA-256 of a file, or of the parts in a folder in order."""
    files = [out] if out.is_file() else sorted(out.glob("part-*.parquet"))
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()


def measure_memory(pictures: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Peak memory with few and with many cells."""
    rows = []
    for n in (options.few, options.cells):
        cells = link(pictures, n, work / f"cells-{n}")
        began = time.perf_counter()
        peak = finish(start(cells, work / f"{n}.csv"))
        rows.append({"cells": n, "peak_mib": peak, "seconds": time.perf_counter() - began})
        print(rows[-1], flush=True)
    return {"runs": rows, "growth": rows[-1]["peak_mib"] / rows[0]["peak_mib"] - 1}


def measure_kills(pictures: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The same file after kills at random moments as after none."""
    cells = link(pictures, options.cells, work / "cells")
    began = time.perf_counter()
    finish(start(cells, work / "whole.csv"))
    seconds = time.perf_counter() - began
    chance = random.Random(options.seed)
    moments, n_before_last = [], 0
    for _ in range(options.kills):
        # so that all kills fall before the end, though each loses at most a part
        moments.append(chance.uniform(0, 2 * seconds / options.kills))
        process = start(cells, work / "killed.csv")
        time.sleep(moments[-1])
        was_running = process.poll() is None
        process.kill()
        process.wait()
        n_before_last += was_running
        print(f"killed after {moments[-1]:.1f} s", flush=True)
    finish(start(cells, work / "killed.csv"))
    is_equal = digest(work / "whole.csv") == digest(work / "killed.csv")
    return {
        "cells": options.cells, "seconds": seconds, "killed_after_s": moments,
        "kills_while_running": n_before_last, "is_equal": is_equal,
    }  # fmt: skip


def measure_ray(pictures: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Time under Ray against the local loop by turns, and equal bytes through kills."""
    cells = link(pictures, options.cells, work / "cells")
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    for turn in range(options.rounds):
        for engine in ("local", "ray"):
            began = time.perf_counter()
            finish(start(cells, work / f"{engine}-{turn}", *_under(engine, options)))
            seconds[engine].append(time.perf_counter() - began)
            print(engine, seconds[engine][-1], flush=True)
    local = digest(work / "local-0")
    equal = {"ray": digest(work / "ray-0") == local}
    kills = {"worker killed": _kill_worker, "command killed": _kill_command}
    for what, kill in kills.items() if options.kills else ():
        out = work / what.replace(" ", "-")
        process = start(cells, out, *_under("ray", options))
        _wait(lambda out=out: len(list(out.glob("part-*.parquet"))) >= 3)
        kill(process)
        if process.returncode:
            process = start(cells, out, *_under("ray", options))
        finish(process)
        equal[what] = digest(out) == local
        print(what, equal[what], flush=True)
    ratios = [ray / local for local, ray in zip(*seconds.values(), strict=True)]
    return {
        "cells": options.cells, "columns": options.columns, "seconds": seconds,
        "overhead": [ratio - 1 for ratio in ratios], "is_equal": equal,
    }  # fmt: skip


def _under(engine: str, options: argparse.Namespace) -> list[str]:
    workers = ["--workers", "2"] if engine == "ray" else []
    return ["--engine", engine, "--columns", options.columns, *workers]


def _kill_worker(_: subprocess.Popen[bytes]) -> None:
    """One of Ray's workers, whichever is found first."""
    for process in psutil.process_iter(["cmdline"]):
        if any("ray::MapWorker" in word for word in process.info["cmdline"] or ()):
            process.kill()
            return
    raise RuntimeError("no worker of Ray was found")


def _kill_command(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _wait(until: Callable[[], bool], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            raise RuntimeError("the command did not come so far in time")
        time.sleep(0.2)


MEASURES = {"memory": measure_memory, "kills": measure_kills, "ray": measure_ray}


def main() -> None:
    """Read the arguments, measure, write."""
    parser = argparse.ArgumentParser(description="Long predictions: memory, kills, Ray.")
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument("pictures", type=Path, help="folder of cells; links to them are made")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--cells", type=int, help="by default 200,000, under Ray 20,000")
    parser.add_argument("--few", type=int, default=10_000, help="of `memory`, to compare with")
    parser.add_argument("--kills", type=int, default=20, help="under Ray two, or 0 for none")
    parser.add_argument("--rounds", type=int, default=2, help="of `ray`")
    parser.add_argument("--columns", default="label", help="of `ray`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="where cells and results go; a new one if none")
    options = parser.parse_args()
    options.cells = options.cells or (20_000 if options.what == "ray" else 200_000)
    work = options.work or Path(tempfile.mkdtemp(prefix="buffycoat-scale-"))
    try:
        found = MEASURES[options.what](options.pictures, work, options)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_atomic(options.out, (json.dumps(found, indent=1) + "\n").encode())
    print(f"{options.out}: {json.dumps({k: v for k, v in found.items() if k != 'killed_after_s'})}")


if __name__ == "__main__":
    main()
