"""Memory that torch frees and soon wants again."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

from buffycoat.backbones.control_groups import memory_limits

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Names of glibc's settings in mallopt(3)."""
_MADV_HUGEPAGE = 14
_PAGE_BYTES = 4096
_HUGE_BYTES = 3 * 2**29
"""What a training step at 160 px takes. Under 2 GiB, from where on freed memory is returned."""


@cache
def keep_freed_memory() -> None:
    """Let this process reuse freed memory for large arrays, and hold them in huge pages.

    glibc maps each array of over 32 MB afresh and unmaps it when it is freed, so that a training
    step on a CPU writes every activation into pages that the system must first clear: a sixth of
    the time at 160 px, half of it at 224 px. Small pages cost another twelfth. Address space for
    `_HUGE_BYTES` is reserved; memory is only taken for what is used. Elsewhere than on Linux with
    glibc this does nothing.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    libc.free.argtypes = [ctypes.c_void_p]
    block = libc.malloc(_HUGE_BYTES)
    if block:
        start = -(-block // _PAGE_BYTES) * _PAGE_BYTES
        libc.madvise(start, _HUGE_BYTES - _PAGE_BYTES, _MADV_HUGEPAGE)  # a wish: it may say no
        libc.free(block)


def total_bytes() -> int | None:
    """Memory of this machine, or what its container may use of it; None where it is not known."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    return min([found, *memory_limits()])


def peak_mb() -> int | None:
    """The most memory that this process has held, in MB; None where it is not known (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))  # macOS counts in bytes
