"""The parts of a job, side by side on the machines of a Ray cluster, or on this one.

Ray is handed numbers of parts and nothing else. A worker reads the cells of its part from the job's
folder, predicts them with the very function of the local loop, and writes the part itself, so no
picture and no result travels through Ray, and what a killed worker had written stays written. The
folder, the pictures and the bundle must lie at the same path on every machine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import buffycoat
from buffycoat.backbones.threads import cpus
from buffycoat.errors import (
    BuffycoatError,
    BundleError,
    ConfigError,
    MissingExtraError,
    OutputError,
    WeightsNotFoundError,
)
from buffycoat.optional import require
from buffycoat.plurals import counted
from buffycoat.predict import local, site_look
from buffycoat.predict.cells_file import read_part
from buffycoat.predict.job import Job
from buffycoat.predict.workers import fitted_of
from buffycoat.progress import Reporter

if TYPE_CHECKING:
    import numpy as np

MOST_TRIES = 4
"""Times that a part is begun; Ray by itself begins one that kills its worker again for ever."""
BLOCKS_A_WORKER = 32
"""Ray keeps an object for each block, so a block holds several parts where there are many."""
TRIES = ".tries-{}"
"""One byte a time that a part was begun and not ended; gone when it is written."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anybody
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its errors come as exceptions too
    "RAY_worker_niceness": "0",  # else 15: beside a busy neighbour workers would hardly run
    "RAY_enable_metrics_collection": "0",
}
"""Of a cluster that is started here, unless the environment says otherwise."""
KINDS = {
    kind.__name__: kind
    for kind in (BundleError, ConfigError, MissingExtraError, OutputError, WeightsNotFoundError)
}
"""Errors that a worker may meet, by name."""


def run(job: Job, reporter: Reporter, bundle: str, workers: int | None = None) -> None:
    """Predict the parts that are missing, with Ray.

    Args:
        job: Where they go, its cells and their look written there; every machine sees its folder.
        reporter: Progress.
        bundle: Its folder, seen by every machine, or "starter".
        workers: Processes with one CPU each; None for every CPU of the cluster.

    Raises:
        MissingExtraError: Ray is not installed.
        OutputError: A part cannot be written, or a worker is killed again and again.
        BundleError: The bundle was changed meanwhile, or a machine has another buffycoat.
    """
    require("ray.data", extra="scale")
    missing = job.missing()
    done = job.n_cells - sum(job.size(part) for part in missing)
    resumed = f", {done} of them done before" if done else ""
    reporter.start("predict", f"{counted(job.n_cells, 'cell')}{resumed}")
    if missing:
        for left in job.folder.glob(TRIES.format("*")):
            left.unlink(missing_ok=True)
        with _cluster(workers):
            for part in _predicted(job, missing, bundle, workers):
                done += job.size(part)
                reporter.advance(done, job.n_cells)
    reporter.finish()


@dataclass(frozen=True)
class Work:
    """What every worker is told once.

    Attributes:
        job: Of which it predicts parts.
        bundle: Its folder, or "starter".
        folder: Working folder of the command, from which the paths of the cells go.
        version: Of buffycoat there.
    """

    job: Job
    bundle: str
    folder: str
    version: str


class Worker:
    """Predicts parts and writes them; lives as long as the job, with one bundle.

    Args:
        work: What it is told.
    """

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, parts: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """Predict parts.

        Args:
            parts: Under "part" their numbers, shape (n,).

        Returns:
            Under "part" the same numbers; under "error" kind and words of an error that no second
            attempt mends, or two empty strings.
        """
        numbers = [int(number) for number in parts["part"]]
        return {"part": numbers, "error": [self._try(number) for number in numbers]}

    def _try(self, part: int) -> list[str]:
        try:
            self._check_machine()
            self._predict(part)
        except BuffycoatError as error:
            return [type(error).__name__, f"{platform.node()}: {error}"]
        return ["", ""]

    def _check_machine(self) -> None:
        if buffycoat.__version__ != self.work.version:
            raise BundleError(
                f"buffycoat {buffycoat.__version__} is installed here and {self.work.version} "
                "where the command was given. Install the same on every machine"
            )
        try:
            os.chdir(self.work.folder)
        except OSError as error:
            raise OutputError(
                f"{self.work.folder}: cannot be entered ({error.strerror}). Pictures, bundle and "
                "results must lie on a file system that every machine sees at the same path"
            ) from error

    def _predict(self, part: int) -> None:
        job = self.work.job
        if job.is_whole(part):  # of a block that is begun again
            return
        tries = job.folder / TRIES.format(f"{part:07d}")
        with tries.open("ab") as file:
            file.write(b".")
            n_tries = file.tell()
        if n_tries > MOST_TRIES:
            rows = job.rows(part)
            raise OutputError(
                f"cells {rows.start} to {rows.stop - 1} killed their worker {MOST_TRIES} times: "
                "mostly because memory ran out. Use fewer --workers, or stop what else runs there. "
                "What is done is kept: the same command goes on"
            )
        cells, looks = read_part(job, part), site_look.read(job)
        fitted = fitted_of(self.work.bundle, job.task)
        job.write(part, *local.predict_part(cells, fitted, job.task, looks))
        tries.unlink(missing_ok=True)


@contextlib.contextmanager
def _cluster(workers: int | None) -> Iterator[None]:
    """The cluster that `RAY_ADDRESS` names, else one of this machine alone, for as long as needed.

    What stands already (a notebook's, say) is used and left standing.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    address = os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {}
    if address == "local":
        own = {"num_cpus": workers or cpus(), "include_dashboard": False}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise OutputError(
            f"no Ray cluster at {address!r} ({error}). Start it (`ray start --head`), set "
            "RAY_ADDRESS to where it is, or unset RAY_ADDRESS to use this machine alone"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _predicted(job: Job, parts: list[int], bundle: str, workers: int | None) -> Iterator[int]:
    """Numbers of the parts, as they are written."""
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # the command reports errors itself
    n_workers = min(len(parts), workers or int(ray.cluster_resources().get("CPU", 1)))
    resolved = Job(job.folder.resolve(), job.task, job.n_cells)
    work = Work(resolved, bundle, os.getcwd(), buffycoat.__version__)
    numbers = [{"part": part} for part in parts]
    written = ray.data.from_items(
        numbers, override_num_blocks=min(len(parts), BLOCKS_A_WORKER * n_workers)
    ).map_batches(
        Worker,
        fn_constructor_kwargs={"work": work},
        batch_size=1,
        compute=ActorPoolStrategy(size=n_workers, max_tasks_in_flight_per_actor=1),
        num_cpus=1,
    )
    for row in written.iter_rows():
        kind, words = row["error"]
        if kind:
            raise KINDS.get(kind, BuffycoatError)(words)
        yield int(row["part"])
