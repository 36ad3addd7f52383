"""Several processes that predict batches of one job, each with a bundle and one thread of its own.

Decoding, masks and networks of different cells run side by side, and no thread waits for another:
beside a busy neighbour each process simply gets a smaller share.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import pandas as pd

from buffycoat.backbones.threads import at_most, cpus, limited
from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.errors import BundleError, OutputError
from buffycoat.images import BadCell
from buffycoat.predict import rows
from buffycoat.predict.batches import predict_batches
from buffycoat.predict.job import Task
from buffycoat.predict.needs import needs_of
from buffycoat.predict.site_look import SiteLooks

AHEAD = 2
"""Batches handed to each process before the first result is taken."""
MIN_CELLS = 256
"""Fewer are predicted by the time that further processes have started."""
MOST_RESTARTS = 3
"""Times that killed processes are replaced."""


@dataclass(frozen=True)
class Predicted:
    """Rows of some cells.

    Attributes:
        frame: Columns as the task has them.
        bad: Unreadable cells, and why.
    """

    frame: pd.DataFrame
    bad: tuple[BadCell, ...]

    def __len__(self) -> int:
        return len(self.frame) + len(self.bad)


def default_workers() -> int:
    """One process a CPU that may be used."""
    return cpus()


def predict_each(
    batches: Iterable[Manifest], fitted: Fitted, task: Task, looks: SiteLooks
) -> Iterator[Predicted]:
    """Rows of each batch of cells, in order, from this process: what every engine calls.

    Args:
        batches: Cells.
        fitted: What the bundle holds.
        task: Gives columns and prior.
        looks: Of the job.
    """
    needs, sha256 = needs_of(task.asked, fitted), task.bundle_sha256
    for batch in predict_batches(batches, fitted, looks, task.prior, needs):
        frame = rows.to_frame(
            batch.predictions, batch.image_sha256, sha256, batch.cells, fitted.taxonomy
        )
        yield Predicted(frame.reindex(columns=list(task.columns)), batch.bad)


def predict_parallel(
    batches: Iterable[Manifest], bundle: str | Path, task: Task, looks: SiteLooks, workers: int
) -> Iterator[Predicted]:
    """The same from several processes; one that is killed is replaced.

    Args:
        batches: Cells.
        bundle: Its folder, or "starter"; each process reads it.
        task: Gives columns, prior and the bundle's checksum.
        looks: Of the job.
        workers: Processes.

    Raises:
        OutputError: Processes are killed again and again.
        BundleError: The bundle was changed meanwhile.
    """
    rest, begun, restarts = iter(batches), deque[Manifest](), 0
    while True:
        try:
            yield from _predict_from(begun, rest, (str(bundle), task, looks), workers)
            return
        except BrokenProcessPool as error:
            restarts += 1
            if restarts > MOST_RESTARTS:
                raise OutputError(
                    f"processes were killed {restarts} times, the last at cell "
                    f"{begun[0].frame['cell_id'].iloc[0]}: mostly because memory ran out. Use "
                    "--workers 1, or stop what else runs here. What is done is kept: the same "
                    "command goes on"
                ) from error


def _predict_from(
    begun: deque[Manifest],
    rest: Iterator[Manifest],
    told: tuple[str, Task, SiteLooks],
    workers: int,
) -> Iterator[Predicted]:
    """Rows of batches that an earlier pool began, and of the rest; `begun` holds what is open."""
    # spawned, not forked: a fork of a process with threads can hang
    context = multiprocessing.get_context("spawn")
    with limited(1):
        pool = ProcessPoolExecutor(at_most(workers), context)
        try:
            waiting = deque(pool.submit(_predict, *told, cells) for cells in begun)
            while True:
                for cells in islice(rest, AHEAD * workers - len(waiting)):
                    begun.append(cells)
                    waiting.append(pool.submit(_predict, *told, cells))
                if not waiting:
                    return
                found = waiting.popleft().result()
                begun.popleft()
                yield found
        finally:
            pool.shutdown(cancel_futures=True)


def _predict(bundle: str, task: Task, looks: SiteLooks, cells: Manifest) -> Predicted:
    (found,) = predict_each([cells], fitted_of(bundle, task), task, looks)
    return found


@lru_cache(maxsize=1)
def fitted_of(bundle: str, task: Task) -> Fitted:
    """What a bundle holds, for a process that predicts with one thread; read once.

    Its labels maximise what the task asks for.

    Raises:
        BundleError: It is another than the one that the task began with.
    """
    import cv2

    cv2.setNumThreads(1)
    if files.checksum(bundle) != task.bundle_sha256:
        raise BundleError(f"{bundle}: was changed after this prediction began. Begin it anew")
    return files.read(bundle).optimising(task.objective)
