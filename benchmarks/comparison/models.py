"""The two classifiers that are compared, and their predictions.

Ours is the bundle that learned from PBC-LT's training cells alone with preset `cpu`: two refits of
15 epochs at 160 px. It was the starter once, and is read from the repository's history; training it
again takes an hour and a half on two cores (`make bench`). The plain script trains one network, for
12 epochs at 112 px.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from benchmarks.comparison.rows import Place, once, run

from buffycoat.cells import Manifest
from buffycoat.images import writing
from buffycoat.sources.read import read
from buffycoat.taxonomy import PBC

FIRST_STARTER = "9fa6d36"
"""The last commit whose starter learned from PBC-LT's training cells alone."""


def first_starter(place: Place) -> Path:
    """The bundle of preset `cpu`, from the history of this repository."""
    folder = place.work / "first"
    if not folder.exists():
        root = Path(__file__).resolve().parents[2]
        command = ["git", "-C", str(root), "archive", FIRST_STARTER, "src/buffycoat/starter"]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            raise SystemExit(
                f"commit {FIRST_STARTER} is not in this clone, and holds the bundle to compare "
                "with. Fetch the whole history: git fetch --unshallow"
            )
        with (
            tempfile.TemporaryDirectory(dir=place.work) as fresh,
            tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive,
        ):
            archive.extractall(fresh, filter="data")
            (Path(fresh) / "src" / "buffycoat" / "starter").rename(folder)
    return folder


def manifest(place: Place, name: str) -> Manifest:
    """Labelled cells: "eval" of PBC-LT, "chula" or "seg-wbc"."""
    if name == "eval":
        return read(place.shared / "pbc-lt").of_split("eval")
    if name == "seg-wbc":
        return read(place.shared / "seg-wbc")
    folder = place.work / "chula"
    if not folder.exists():
        boxes = place.shared / "fields" / "chula.json"
        with tempfile.TemporaryDirectory(dir=place.work) as fresh:
            run([sys.executable, "-m", "benchmarks.boxed_cells", boxes, Path(fresh) / "chula"])
            (Path(fresh) / "chula").rename(folder)
    return read(folder)


def training_counts(place: Place) -> np.ndarray:
    """Training cells of each class of `PBC`, shape (k,)."""
    cells = read(place.shared / "pbc-lt").of_split("train")
    return np.bincount(cells.targets(PBC), minlength=len(PBC))


def predictions(place: Place, whose: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, k) and targets (n,) of PBC-LT's evaluation cells.

    Args:
        place: Holds the predictions, or they are made.
        whose: "ours" or "plain".
    """
    cells = manifest(place, "eval")
    probs = our_probs(place, cells) if whose == "ours" else plain_probs(place, "eval", cells)
    return probs, cells.targets(PBC)


def plain_probs(place: Place, name: str, cells: Manifest) -> np.ndarray:
    """Of the plain script, which is trained first if it is not yet; shape (n, k)."""
    script = [sys.executable, "-m", "benchmarks.comparison.plain_timm"]
    model, out = place.work / "plain.pt", place.work / f"plain-{name}.csv"
    if not model.exists():
        run([*script, "train", place.shared / "pbc-lt", model])
    if not out.exists():
        listed = place.work / f"{name}.txt"
        listed.write_text("\n".join(str(path) for path in cells.column("path")))
        with writing(out) as part:
            _, seconds = run([*script, "predict", model, listed, part])
        once(place.work / f"plain-{name}-seconds.json", lambda: seconds)
    return pd.read_csv(out)[list(PBC.codes)].to_numpy(dtype=float)


def our_probs(place: Place, cells: Manifest) -> np.ndarray:
    """Of the evaluation cells, by `buffycoat predict` with the bundle; shape (n, k)."""
    out = place.work / "ours-eval.csv"
    columns = [f"prob_{code}" for code in PBC.codes]
    if not out.exists():
        command = [sys.executable, "-c", "from buffycoat.cli.main import app; app()", "predict"]
        data = [first_starter(place), place.shared / "pbc-lt", "--split", "eval"]
        asked = ["--prior", "uniform", "--columns", ",".join(["cell_id", *columns])]
        _, seconds = run([*command, *data, *asked, "--out", out])
        once(place.work / "ours-eval-seconds.json", lambda: seconds)
    table = pd.read_csv(out, dtype={"cell_id": str}).set_index("cell_id")
    return table.loc[list(cells.column("cell_id")), columns].to_numpy(dtype=float)


def training_seconds(place: Place) -> float:
    """Processor time of the plain script's training."""
    return float(torch.load(place.work / "plain.pt", weights_only=True)["seconds"])
