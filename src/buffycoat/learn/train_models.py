"""Models trained one by one, or at the same time, each in a process with its share of the CPUs.

A step of a small network keeps one CPU busy and leaves part of a second one idle; what that is
worth is in docs/adr/0009. A model is the same however many are trained beside it, but for rounding
that depends on the number of threads.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from buffycoat.backbones.devices import to_tensors
from buffycoat.backbones.threads import at_most, cpus, limited
from buffycoat.classify.processes import Arguments
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import Config
from buffycoat.errors import OutputError
from buffycoat.images import writing
from buffycoat.learn.stage_store import Outcome, StageResult, StageStore
from buffycoat.progress import Progress, Reporter

MODEL_FILE, CHECKPOINT = "model.safetensors", "checkpoint.safetensors"
SECONDS_BETWEEN_LOOKS = 0.5
"""At the progress of other processes."""


@dataclass(frozen=True)
class Training:
    """A model to be trained, if it has not been.

    Attributes:
        stage: Name of its stage.
        inputs: What it depends on, as JSON values.
        title: For a reader, as "fold 1 of 3".
        cells: What it may see.
        config: The recipe.
        number: Of the model; with the seed of the settings it gives the model's own.
        initial: State to start from; None for the weights that the recipe names.
    """

    stage: str
    inputs: Mapping[str, Any]
    title: str
    cells: TrainingCells
    config: Config
    number: int
    initial: Mapping[str, np.ndarray] | None = None


def train_each(
    trainings: Sequence[Training],
    workers: int,
    store: StageStore,
    reporter: Reporter,
    called: str,
) -> list[StageResult]:
    """Train what is not trained yet; return all of it, in order.

    Args:
        trainings: The models.
        workers: Models that are trained at the same time, at least 1.
        store: Keeps each model, and a checkpoint after each epoch.
        reporter: Progress.
        called: What the reporter calls the stage.

    Raises:
        OutputError: A process was killed. What is done is kept.
        BuffycoatError: What a training raises.
    """
    waiting = [one for one in trainings if not store.has(one.stage, one.inputs)]
    at_once = at_most(min(workers, len(waiting)))
    if at_once > 1:
        n_resumed = sum(bool(_resumed(one, store)) for one in waiting)
        resumed = f", {n_resumed} of them after their last finished epoch" if n_resumed else ""
        reporter.start(called, f"{len(waiting)} models, {at_once} at a time{resumed}")
        _in_processes(waiting, at_once, store, reporter)
        reporter.finish()
    found = []
    for one in trainings:
        is_trained = store.has(one.stage, one.inputs)
        if not is_trained:
            reporter.start(called, f"{one.title}{_resumed(one, store)}")
        found.append(_train(one, store, reporter.advance))
        last = found[-1].values["history"][-1]
        words = f"training loss {last['loss']:.3f}, accuracy {last['accuracy']:.3f}"
        if is_trained:
            reporter.say(f"[{called}] {one.title}: {words}")
        else:
            reporter.finish(words)
    return found


def _resumed(one: Training, store: StageStore) -> str:
    """That a stopped training goes on; "" for one that begins."""
    folder = store.folder(one.stage, one.inputs)[1]
    return ", goes on after its last finished epoch" if (folder / CHECKPOINT).exists() else ""


def _train(one: Training, store: StageStore, on_progress: Progress) -> StageResult:
    return store.run(one.stage, one.inputs, lambda folder: train_model(one, folder, on_progress))


def train_model(one: Training, folder: Path, on_progress: Progress) -> Outcome:
    """Train one model, going on from the checkpoint in `folder`, and keep its weights there."""
    checkpoint = folder / CHECKPOINT
    seed = one.config.seed * 100 + one.number
    initial = None if one.initial is None else to_tensors(one.initial)
    model, history = fit_fold(
        one.cells, one.config.classify, seed, checkpoint, on_progress, initial
    )
    with writing(folder / MODEL_FILE) as part:
        save_file(
            {name: value.cpu().contiguous() for name, value in model.state_dict().items()}, part
        )
    checkpoint.unlink(missing_ok=True)
    return {}, {"history": history}


def _in_processes(
    waiting: Sequence[Training], at_once: int, store: StageStore, reporter: Reporter
) -> None:
    # spawned, not forked: a fork of a process with threads can hang
    context = multiprocessing.get_context("spawn")
    # Memory without locks: a process that is killed leaves none behind that others wait for.
    steps, stop = context.RawArray("q", 2 * len(waiting)), context.RawValue("b", 0)
    with limited(max(1, cpus() // at_once)):
        pool = ProcessPoolExecutor(at_once, context, initializer=_begin, initargs=(steps, stop))
        try:
            running = {
                pool.submit(_train_there, place, Arguments((one,)), store.root)
                for place, one in enumerate(waiting)
            }
            while running:
                ended, running = wait(running, SECONDS_BETWEEN_LOOKS, FIRST_EXCEPTION)
                for one in ended:
                    one.result()
                _relay(np.frombuffer(steps, np.int64).reshape(-1, 2), reporter)
        except BrokenProcessPool as error:
            raise OutputError(
                "a process that trained a model was killed, mostly because memory ran out. "
                "Train one model at a time (--workers 1), or stop what else runs here. What is "
                "done is kept: the same command goes on"
            ) from error
        finally:
            # whoever still trains, after an error or Ctrl-C, ends with its next step
            stop.value = 1
            pool.shutdown(cancel_futures=True)


def _relay(steps: np.ndarray, reporter: Reporter) -> None:
    """Progress of all together; a training that has not begun counts as long as the longest."""
    done, total = steps.T
    if total.any():
        reporter.advance(int(done.sum()), int(np.where(total, total, total.max()).sum()))


class _StoppedError(Exception):
    """Another training failed, or the person stopped all."""


_told: tuple[Any, Any] | None = None
"""Of a process that trains: where it says how far each training is, and what stops it."""


def _begin(steps: Any, stop: Any) -> None:
    global _told
    _told = steps, stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed command leaves no training behind, which would write what its next run reads."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train_there(place: int, given: Arguments, root: Path) -> None:
    (one,) = given.values()
    assert _told is not None
    steps, stop = _told

    def report(done: int, total: int) -> None:
        if stop.value:
            raise _StoppedError
        steps[2 * place], steps[2 * place + 1] = done, total

    _train(one, StageStore(root), report)
