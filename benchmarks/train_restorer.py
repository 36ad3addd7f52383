r"""Train one restorer on the clean targets that the pipeline would use, and keep it in a folder.

    python -m benchmarks.train_restorer PBC-LT --out runs/pix2pix \
        --set restore.method=pix2pix --set restore.noise_model=paper --minutes 15

Severity estimator and clean targets are made by the pipeline's own stages. With `--minutes` the
number of steps is what fits into that time at the speed of the first steps here. Killed, the same
command goes on. Beside the restorer lies `training.json`: steps, minutes, peak memory, settings.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

from benchmarks import stored
from buffycoat.config import Config, load
from buffycoat.embed.encoders import build_encoder
from buffycoat.learn import fit_restoration, prepare
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.stopwatch import Stopwatch
from buffycoat.learn.training_set import TrainingSet, build_training_set
from buffycoat.progress import Silent
from buffycoat.restore.one_by_one import Restorer
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve

STAGE = "restore"
TRIAL_STEPS = 25
WARM_UP_STEPS = 5
"""Of the trial, not counted: the first steps allocate."""
SECONDS_BETWEEN_LINES = 30.0


class Lines(Silent):
    """Prints a line now and then, and keeps the time of each step of the restorer's training."""

    def __init__(self) -> None:
        self.stage = ""
        self.moments: list[float] = []
        self._said = time.monotonic()

    def start(self, stage: str, detail: str = "") -> None:
        """Name the stage."""
        self.stage = stage
        print(stage, detail, flush=True)

    def advance(self, done: int, total: int) -> None:
        """Count a step."""
        now = time.monotonic()
        if self.stage == STAGE:
            self.moments.append(now)
        if now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            print(f"{self.stage}: {done} of {total}", flush=True)


def training_set(data: Path, config: Config, out: Path) -> TrainingSet:
    """The training split as the pipeline reads it."""
    manifest = read(data)
    learned = manifest.of_split("train")
    learned = learned.subset(learned.is_labelled)
    taxonomy = resolve(config.taxonomy, manifest.frame["label"].dropna().tolist())
    cells = prepare.load_cells(learned, config, out / "cache", Silent(), 0)
    return build_training_set(cells, taxonomy, config, StageStore(out / "stages"))


def with_steps(config: Config, steps: int) -> Config:
    """The same settings with another number of steps, and no gate: it is not wanted here."""
    changed = {"steps": steps, "gate": False}
    return config.model_copy(update={"restore": config.restore.model_copy(update=changed)})


def steps_in(minutes: float, data: TrainingSet, config: Config, out: Path) -> int:
    """Steps that fit into some minutes, chosen by a trial; decided once and kept for resuming."""
    kept = out / "steps.json"
    if not kept.exists():
        lines = Lines()
        trial = StageStore(out / "trial")
        encoder = build_encoder(config.embed)
        fit_restoration.fit(data, encoder, with_steps(config, TRIAL_STEPS), trial, lines)
        counted = lines.moments[WARM_UP_STEPS:]
        per_step = (counted[-1] - counted[0]) / (len(counted) - 1)
        steps = max(int(60 * minutes / per_step), 1)
        print(f"{per_step:.3f} s a step: {steps} steps in {minutes:g} minutes", flush=True)
        stored.write_json(kept, {"steps": steps, "seconds_per_step_in_trial": per_step})
    return int(json.loads(kept.read_text(encoding="utf-8"))["steps"])


def train(data: TrainingSet, config: Config, out: Path) -> Restorer:
    """Train, write the restorer and `training.json` beside it."""
    watch = Stopwatch(Lines(), out / "timings.json")
    store, encoder = StageStore(out / "stages"), build_encoder(config.embed)
    restoration, key, _ = fit_restoration.fit(data, encoder, config, store, watch)
    stored.write_restorer(out, restoration.restorer)
    note = out / "training.json"
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if note.exists():  # a finished run asked for again trains nothing, and needs little memory
        peak_mib = max(peak_mib, json.loads(note.read_text("utf-8"))["peak_memory_mib"])
    record = {
        "key": key,
        "cells": len(data.targets),
        "steps": config.restore.steps,
        "minutes": watch.seconds[STAGE] / 60,
        "peak_memory_mib": peak_mib,
        "parameters": sum(t.size for t in restoration.restorer.to_tensors().values()),
        "settings": config.restore.model_dump(mode="json"),
    }
    stored.write_json(note, record)
    return restoration.restorer


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description="Train one restorer on the pipeline's targets.")
    parser.add_argument("data", type=Path, help="a data set; its training split is used")
    parser.add_argument("--out", type=Path, required=True, help="folder of the restorer")
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--set", action="append", default=[], metavar="restore.x=y")
    parser.add_argument("--minutes", type=float, help="train as many steps as fit into this")
    options = parser.parse_args()
    config = load(options.preset, options.set)
    data = training_set(options.data, config, options.out)
    steps = config.restore.steps
    if options.minutes is not None:
        steps = steps_in(options.minutes, data, config, options.out)
    restorer = train(data, with_steps(config, steps), options.out)
    record = json.loads((options.out / "training.json").read_text(encoding="utf-8"))
    print(
        f"{options.out}: {restorer.name}, {record['steps']} steps in {record['minutes']:.1f} "
        f"minutes, peak memory {record['peak_memory_mib']:.0f} MiB"
    )


if __name__ == "__main__":
    main()
