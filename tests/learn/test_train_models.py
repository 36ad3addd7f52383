"""Models trained at the same time: the same models, and nothing left behind when one fails."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.torch import load_file

from buffycoat import config
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.errors import OutputError
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.train_models import MODEL_FILE, Training, train_each
from buffycoat.progress import Silent
from buffycoat.simulate.render import render_cell

SMALL = ("classify.input_px=32", "classify.weights=random", "classify.precision=fp32")
LONG = ("classify.epochs=1000",)


def trainings(folder: Path, changes: tuple[str, ...] = ()) -> list[Training]:
    """Two models of drawn cells, whose images lie on disk."""
    rng = np.random.default_rng(3)
    codes = ("SNE", "LY", "MO")
    np.save(folder / "images.npy", [render_cell(codes[n % 3], rng, 64).image for n in range(24)])
    images = np.load(folder / "images.npy", mmap_mode="r")
    recipe = config.load("demo", (*SMALL, *changes))
    cells = TrainingCells(images, np.arange(24), np.arange(24) % 3, 3)
    return [Training(f"fold{n}", {"n": n}, f"fold {n}", cells, recipe, n) for n in (0, 1)]


class Watching(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.started: list[str] = []
        self.said: list[str] = []

    def start(self, stage: str, detail: str = "") -> None:
        self.started.append(detail)

    def say(self, text: str) -> None:
        self.said.append(text)

    def advance(self, done: int, total: int) -> None:
        self.steps.append((done, total))


@pytest.mark.slow
def test_models_trained_at_the_same_time_are_those_trained_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    wanted, watching = trainings(tmp_path, ("classify.epochs=2",)), Watching()
    by_turns = train_each(wanted, 1, StageStore(tmp_path / "a"), Silent(), "classify")
    together = train_each(wanted, 2, StageStore(tmp_path / "b"), watching, "classify")
    assert [one.key for one in together] == [one.key for one in by_turns]
    for ours, theirs in zip(together, by_turns, strict=True):
        a, b = (load_file(one.folder / MODEL_FILE) for one in (ours, theirs))
        assert all(a[name].equal(b[name]) for name in b)
        assert not (ours.folder / "checkpoint.safetensors").exists()
    done, total = watching.steps[-1]
    assert done == total  # of both
    assert watching.started == ["2 models, 2 at a time"]  # and none of them once more
    assert ["fold 0: training loss" in watching.said[0], len(watching.said)] == [True, 2]
    assert [step for step, _ in watching.steps] == sorted(step for step, _ in watching.steps)


@pytest.mark.slow
def test_a_stopped_training_says_that_it_goes_on(tmp_path: Path) -> None:
    class Stopping(Watching):
        def advance(self, done: int, total: int) -> None:
            if done == total:
                raise KeyboardInterrupt

    one, _ = trainings(tmp_path, ("classify.epochs=2",))
    store, again, third = StageStore(tmp_path / "run"), Watching(), Watching()
    with pytest.raises(KeyboardInterrupt):
        train_each([one], 1, store, Stopping(), "classify")
    train_each([one], 1, store, again, "classify")
    assert again.started == ["fold 0, goes on after its last finished epoch"]
    train_each([one], 1, store, third, "classify")
    assert third.started == []


@pytest.mark.slow
def test_the_error_of_one_training_stops_the_others(tmp_path: Path) -> None:
    sound, faulty = trainings(tmp_path, LONG)
    faulty = replace(faulty, initial={"no such layer": np.zeros(3, np.float32)})
    with pytest.raises(RuntimeError, match="no such layer"):
        train_each([sound, faulty], 2, StageStore(tmp_path / "run"), Silent(), "classify")
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_process_that_is_killed_is_reported_with_a_remedy(tmp_path: Path) -> None:
    class Killing(Silent):
        def advance(self, done: int, total: int) -> None:
            for child in multiprocessing.active_children():
                child.kill()

    wanted = trainings(tmp_path, LONG)
    with pytest.raises(OutputError, match=r"--workers 1.*the same command goes on"):
        train_each(wanted, 2, StageStore(tmp_path / "run"), Killing(), "classify")


@pytest.mark.slow
def test_a_killed_command_leaves_no_training_behind(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_train_models import LONG, Silent, StageStore, train_each, trainings\n"
        "if __name__ == '__main__':\n"
        "    here = Path(sys.argv[1])\n"
        "    train_each(trainings(here, LONG), 2, StageStore(here / 'run'), Silent(), 'classify')\n"
    )
    command = subprocess.Popen([sys.executable, script, tmp_path], cwd=tmp_path)
    checkpoints = "run/*/checkpoint.safetensors"
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob(checkpoints))) < 2:
        assert time.monotonic() < deadline
        assert command.poll() is None
        time.sleep(0.2)
    children = psutil.Process(command.pid).children(recursive=True)
    os.kill(command.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    command.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
