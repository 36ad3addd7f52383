r"""Preset `paper` at full size, whole, from a few cells: minutes and peak memory of each stage.

    python -m benchmarks.paper_weights WEIGHTS
    python -m benchmarks.paper ../shared/pbc-lt WEIGHTS --out OUT

Train, predict, evaluate, explain: each command is a process of its own, without a network, and its
memory is read from outside. Stages are told apart by the lines that the command prints. One
epoch of each network, six cells of each class: no score means anything. Killed, the same command
goes on; `train.csv` then counts what was left.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from buffycoat.cells import Manifest
from buffycoat.images import write_atomic
from buffycoat.sources.read import read

RUN = "import sys; from buffycoat.cli.main import app; sys.argv[0] = 'buffycoat'; app()"
STAGE_LINE = re.compile(r"^\[([\w ]+)\] ")
SECONDS_BETWEEN_LOOKS = 1.0
"""A command's last second is not counted."""
RESET_PEAK = "5"
"""What proc(5) takes in clear_refs."""
START = "start"
"""Before the first stage: imports, the reading of the data, the encoder."""
ONE_EPOCH = (
    "restore.steps=100",  # between two checkpoints
    "classify.epochs=1",
    "embed.epochs=1",
)
OF_PBC_LT = (
    # PBC-LT has neither prolymphocytes nor plasma cells: as in paper_style.toml.
    "embed.oversample={ MMY = 5, BNE = 5, SNE = 0.5, LY = 0.5, PMY = 50, ERB = 50 }",
    'refine.transfer={ PLY = ["PMY", "MY"], PC = ["ERB", "LY"] }',
)


@dataclass
class Spent:
    """What a stage took.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Of all threads.
        peak_kib: Largest memory, shared pages included.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_kib: int = 0


class Watch:
    """Follows a process from outside, stage by stage; Linux keeps the peak and resets it.

    Args:
        process: It.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.outside = psutil.Process(process.pid)
        self.proc = Path("/proc") / str(process.pid)
        self.stages: dict[str, Spent] = {START: Spent()}
        self.stage = START
        self._clock, self._cpu = time.monotonic(), 0.0
        self._lock = threading.Lock()

    def look(self, next_stage: str | None = None) -> None:
        """Count what was spent since the last look for the stage that runs, then go on to another.

        A process that has ended has nothing to show.
        """
        with self._lock:
            spent = self.stages[self.stage]
            try:
                used = self.outside.cpu_times()
                status = (self.proc / "status").read_text()
            except (psutil.NoSuchProcess, OSError):
                return
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            if peak is None:  # it has ended, and nobody has asked for its exit code
                return
            now, cpu = time.monotonic(), used.user + used.system
            spent.seconds += now - self._clock
            spent.cpu_seconds += cpu - self._cpu
            spent.peak_kib = max(spent.peak_kib, int(peak[1]))
            self._clock, self._cpu = now, cpu
            if next_stage is not None and next_stage != self.stage:
                (self.proc / "clear_refs").write_text(RESET_PEAK)
                self.stage = next_stage
                self.stages.setdefault(next_stage, Spent())


def watch(
    arguments: Sequence[str],
    weights: Path,
    log: Path,
    note: Callable[[Mapping[str, Spent]], None],
) -> None:
    """Run a command of buffycoat to its end.

    Args:
        arguments: Of the command.
        weights: What HF_HOME is to be.
        log: Gets what the command prints.
        note: Called after each stage with what all took so far, in order.

    Raises:
        CalledProcessError: It failed; the log says why.
    """
    offline = {"HF_HOME": str(weights), "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", RUN, *arguments],
        env=os.environ | offline,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    watched, is_over = Watch(process), threading.Event()

    def look_now_and_then() -> None:
        while not is_over.wait(SECONDS_BETWEEN_LOOKS):
            watched.look()

    looking = threading.Thread(target=look_now_and_then)
    looking.start()
    with log.open("a") as copy, process.stdout:
        for line in process.stdout:
            copy.write(f"{time.strftime('%H:%M:%S')} {line}")
            copy.flush()
            if found := STAGE_LINE.match(line):
                watched.look(found[1])
                note(watched.stages)
    is_over.set()
    looking.join()
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, [*arguments])
    note(watched.stages)


def few_cells(manifest: Manifest, split: str, a_class: int) -> pd.DataFrame:
    """Some cells of each class, half of them pristine if there are so many, to restore to.

    Args:
        manifest: A data set.
        split: "train" or "eval".
        a_class: Cells of each class.
    """
    cells = manifest.of_split(split)
    frame = cells.subset(cells.is_labelled).frame
    frame = frame.iloc[np.random.default_rng(0).permutation(len(frame))]
    pristine = frame[frame["severity"] == 0].groupby("label").head(a_class // 2)
    mixed = pd.concat([pristine, frame.drop(pristine.index)])
    return (
        mixed.groupby("label").head(a_class).assign(split={"train": "train", "eval": "val"}[split])
    )


def write_cells(data: Path, folder: Path, a_class: int, held_out: int) -> None:
    """A table of a few cells of a data set, and links to their pictures."""
    manifest = read(data)
    rows = [few_cells(manifest, "train", a_class), few_cells(manifest, "eval", held_out)]
    frame = pd.concat(rows)
    table = []
    for path, label, split, severity in frame[["path", "label", "split", "severity"]].to_numpy():
        link = folder / split / Path(path).name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(Path(path).resolve())
        table.append(
            {"path": f"{split}/{link.name}", "label": label, "split": split, "severity": severity}
        )
    pd.DataFrame(table).to_csv(folder / "cells.csv", index=False)
    held = [row for row in table if row["split"] == "val"]
    truth = pd.DataFrame(
        {"ID": [Path(r["path"]).name for r in held], "labels": [r["label"] for r in held]}
    )
    truth.to_csv(folder.with_name("truth.csv"), index=False)


def commands(out: Path, changes: Sequence[str]) -> dict[str, list[str]]:
    """What is run, in order."""
    bundle, cells = str(out / "run" / "bundle"), out / "cells"
    settings = [word for change in changes for word in ("--set", change)]
    held_out = sorted((cells / "val").glob("*"))
    return {
        "train": ["train", str(cells), "--preset", "paper", "--out", str(out / "run"), *settings],
        "predict": ["predict", bundle, str(cells / "val"), "--out", str(out / "cells.parquet")],
        "evaluate": ["evaluate", str(out / "cells.parquet"), str(out / "truth.csv")],
        "explain": ["explain", bundle, str(held_out[0]), "--out", str(out / "explained.png")],
    }


def write_stages(path: Path, stages: Mapping[str, Spent]) -> None:
    """A row a stage."""
    rows = [
        {
            "stage": name,
            "minutes": round(spent.seconds / 60, 2),
            "cpu_minutes": round(spent.cpu_seconds / 60, 2),
            "peak_mib": spent.peak_kib // 1024,
        }
        for name, spent in stages.items()
    ]
    write_atomic(path, pd.DataFrame(rows).to_csv(index=False).encode())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a data set with train and eval cells: PBC-LT")
    parser.add_argument("weights", type=Path, help="made by benchmarks.paper_weights")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cells", type=int, default=6, help="of each class, to learn from")
    parser.add_argument("--held-out", type=int, default=1, help="of each class, to be scored")
    parser.add_argument("--set", action="append", default=[], help="further settings of train")
    parser.add_argument("--only", nargs="*", help="commands; default: all")
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    if not (out / "cells" / "cells.csv").exists():
        write_cells(options.data, out / "cells", options.cells, options.held_out)
    changes = [*ONE_EPOCH, *OF_PBC_LT, *options.set]
    for name, command in commands(out, changes).items():
        if options.only and name not in options.only:
            continue
        table = out / f"{name}.csv"
        watch(
            command,
            options.weights.resolve(),
            out / f"{name}.log",
            lambda stages, table=table: write_stages(table, stages),
        )
        print(name, table.read_text(), sep="\n", flush=True)


if __name__ == "__main__":
    main()
