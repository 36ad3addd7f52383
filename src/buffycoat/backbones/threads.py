"""How many threads and processes may be kept busy here."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator

from buffycoat.backbones.control_groups import quotas

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
    limits = [float(allowed), *quotas(), *([float(wanted)] if wanted.isdigit() else [])]
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
