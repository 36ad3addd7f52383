"""What the control groups of this process grant it: a container's share of CPUs and memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def quotas() -> Iterator[float]:
    """CPUs that each control group above this process grants it."""
    for place, is_v2 in _groups("cpu"):
        with contextlib.suppress(OSError, ValueError):  # "max" and -1 are no limit
            if is_v2:
                quota, period = _words(place / "cpu.max")
            else:
                quota, period = (*_words(place / "cpu.cfs_quota_us"),
                                 *_words(place / "cpu.cfs_period_us"))  # fmt: skip
            if int(quota) >= 0 and int(period) > 0:
                yield int(quota) / int(period)


def memory_limits() -> Iterator[int]:
    """Bytes that each control group above this process lets it hold."""
    for place, is_v2 in _groups("memory"):
        with contextlib.suppress(OSError, ValueError):
            (limit,) = _words(place / ("memory.max" if is_v2 else "memory.limit_in_bytes"))
            yield int(limit)


def _groups(controller: str) -> Iterator[tuple[Path, bool]]:
    """Folders of the groups that this process is in, and whether they are of cgroup v2."""
    try:
        lines = OWN_CGROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controller if controllers else CGROUPS
        folder = root / path.lstrip("/")
        # A container sees its own group as the root, whatever the path says.
        for place in {folder, *folder.parents, root}:
            if place == root or root in place.parents:
                yield place, not controllers


def _words(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split()
