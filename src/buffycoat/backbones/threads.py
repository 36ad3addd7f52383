"""How many threads and processes may be kept busy here."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
_WINDOWS_MOST = 61
"""Of `concurrent.futures.ProcessPoolExecutor`."""


def cpus() -> int:
    """CPUs that this process may use, at least 1.

    The least of: CPUs that the scheduler gives it, the CPU quota of its container (half a CPU
    counts as one), and `OMP_NUM_THREADS` where it is set.
    """
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    limits = [float(allowed), *_quotas(), *([float(wanted)] if wanted.isdigit() else [])]
    return max(1, math.ceil(min(limits)))


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Let processes that start meanwhile use so many threads, whichever library asks how many."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def at_most(processes: int) -> int:
    """As many processes as one pool can have here: Windows waits for no more than 61."""
    return min(processes, _WINDOWS_MOST) if sys.platform == "win32" else processes


def _quotas() -> Iterator[float]:
    """CPUs that each control group above this process grants it (cgroup v2, then v1)."""
    try:
        lines = OWN_CGROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / "cpu" if controllers else CGROUPS
        folder = root / path.lstrip("/")
        # A container sees its own group as the root, whatever the path says.
        for place in {folder, *folder.parents, root}:
            if place == root or root in place.parents:
                yield from _v1(place) if controllers else _v2(place)


def _v2(folder: Path) -> Iterator[float]:
    quota, period = ([*_words(folder / "cpu.max"), "", ""])[:2]
    if quota.isdigit() and period.isdigit():
        yield int(quota) / int(period)


def _v1(folder: Path) -> Iterator[float]:
    quota = _words(folder / "cpu.cfs_quota_us")
    period = _words(folder / "cpu.cfs_period_us")
    if quota and period and quota[0].isdigit():  # -1 is no limit
        yield int(quota[0]) / int(period[0])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:
        return []
