"""How fast `buffycoat predict` is: against an earlier build, a plain loop and bare networks.

    git worktree add ../before 8aa6668
    python -m benchmarks.predict_speed ../shared/pbc-lt --before ../before \
        --out benchmarks/results/predict/speed.json

Commands are whole processes, from the shell to the file, on all cells of the evaluation and test
splits, the two builds by turns: results, ratios, and how well labels and scores agree. Beside a
process that keeps one core busy the same commands run once more. The loop is what a practitioner
writes: timm, fp32, eager, every view of a cell as one batch. Bare networks are the same views as
prediction looked at, in OpenVINO, with pixels in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.evaluate.calibration import ece
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.evaluate.paired import paired_interval
from buffycoat.images import write_atomic

SPLITS = ("eval", "test")
FEW = 12
LOOP_CELLS = 60
BUSY = "while True: pass"
RUN = "import sys; from buffycoat.cli.main import app; sys.argv[0] = 'buffycoat'; app()"


def run(source: Path | None, *arguments: str) -> tuple[float, float]:
    """Seconds and peak memory (MiB) of a command, by this build or by another one's source.

    Raises:
        RuntimeError: It failed; the message ends with what it said.
    """
    env = dict(os.environ)
    if source is not None:
        env["PYTHONPATH"] = str(source / "src")
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said, _ = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(said[-2000:])
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """A process that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def link(data: Path, folder: Path, per_split: int | None = None) -> int:
    """Cells of both splits as links; how many."""
    n = 0
    for split in SPLITS:
        for path in sorted((data / "phase2" / split).glob("*.jpg"))[:per_split]:
            place = folder / split / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())
            n += 1
    return n


def race(before: Path, cells: Path, out: Path, rounds: int) -> dict[str, Any]:
    """Seconds of both builds by turns."""
    builds = {"before": before, "now": None}
    seconds: dict[str, list[float]] = {}
    for number in range(rounds):
        for suffix in ("csv", "parquet"):
            for name, source in builds.items():
                target = out / f"{name}.{suffix}"
                took, _ = run(source, "predict", "starter", str(cells), "--out", str(target))
                seconds.setdefault(f"{name} {suffix}", []).append(took)
                print(f"round {number + 1}: {name} {suffix} {took:.1f} s", flush=True)
    best = {name: min(times) for name, times in seconds.items()}
    return {
        "seconds": seconds,
        "ratio_csv": best["before csv"] / best["now csv"],
        "ratio_parquet": best["before parquet"] / best["now parquet"],
    }


def agree(data: Path, out: Path) -> dict[str, Any]:
    """Labels and scores of both builds on the same cells."""
    old, new = (pd.read_parquet(out / f"{name}.parquet") for name in ("before", "now"))
    for frame in (old, new):
        frame["ID"] = frame["cell_id"].str.rpartition("/")[2]
    both = old.merge(new, on="ID", suffixes=("_before", "_now"), validate="1:1")
    truth = pd.read_csv(data / "phase2_eval.csv")
    known = truth.merge(both, on="ID", validate="1:1")
    codes = [name[5:-4] for name in known if name.startswith("prob_") and name.endswith("_now")]
    target = np.array([codes.index(label) for label in known["labels"]])
    labels, probs = {}, {}
    for name in ("before", "now"):
        labels[name] = np.array([codes.index(label) for label in known[f"label_{name}"]])
        probs[name] = known[[f"prob_{code}_{name}" for code in codes]].to_numpy()
    k = len(codes)
    gain = paired_interval(target, labels["before"], labels["now"], class_weighted_macro_f1, k=k)
    return {
        "cells": len(both),
        "equal_labels": float((both["label_before"] == both["label_now"]).mean()),
        "views": float(both["views"].mean()),
        "eval": {
            "n": len(known),
            "balanced_macro_f1": {
                name: float(class_weighted_macro_f1(confusion(target, said, k)))
                for name, said in labels.items()
            },
            "change": gain.to_dict(),
            "calibration_error": {name: float(ece(p, target)) for name, p in probs.items()},
        },
    }


def limits(data: Path, views: float) -> dict[str, float]:
    """Seconds a cell of bare networks in the same number of views, and of a plain timm loop."""
    import torch

    from buffycoat.bundle import files
    from buffycoat.classify.network import make_network
    from buffycoat.images import load_work
    from buffycoat.sources.read import read

    fitted = files.read("starter")
    cells = read(data).of_split("eval").subset(np.arange(0, 800, 4))
    images = load_work(cells, fitted.config.images).images
    model = fitted.models[0]
    model.look(images[:8], [0])
    start = time.perf_counter()
    model.look(images, [0])
    bare = (time.perf_counter() - start) / len(images) * views
    network = make_network(model.state, model.config, model.log_prior)
    pixels = torch.from_numpy(np.concatenate(list(model._inputs(images[:LOOP_CELLS], range(8)))))
    start = time.perf_counter()
    with torch.inference_mode():
        for part in pixels.split(8):
            network(part)
    loop = (time.perf_counter() - start) / LOOP_CELLS * len(fitted.models)
    return {"bare_networks_s": bare, "timm_loop_s": loop}


def main() -> None:
    """Run everything and write the table."""
    parser = argparse.ArgumentParser(description="Speed of prediction against an earlier build.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--before", type=Path, required=True, help="a worktree of that build")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells, few = folder / "cells", folder / "few"
        n = link(options.data, cells)
        link(options.data, few, FEW // 2)
        found: dict[str, Any] = {"cells": n}
        seconds, memory = run(None, "predict", "starter", str(few), "--out", str(folder / "f.csv"))
        found["few"] = {"cells": FEW, "seconds": seconds, "peak_memory_mib": memory}
        found["help_seconds"] = run(None, "--help")[0]
        found |= race(options.before.resolve(), cells, folder, options.rounds)
        found["agreement"] = agree(options.data, folder)
        idle = min(found["seconds"]["now csv"])
        with busy_core():
            took, _ = run(None, "predict", "starter", str(cells), "--out", str(folder / "b.csv"))
        found["busy"] = {"seconds": took, "share_of_idle_rate": idle / took}
        found["limits"] = limits(options.data, found["agreement"]["views"])
        found["limits"]["csv_s"] = idle / n
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        write_atomic(options.out, (text + "\n").encode())


if __name__ == "__main__":
    main()
