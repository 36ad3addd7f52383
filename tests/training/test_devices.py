"""What a process does with memory that it has freed."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROBE = """
import ctypes
from buffycoat.backbones.memory import keep_freed_memory

def rss_mib():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

before = rss_mib()
{calls}
print(rss_mib() - before)
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
block = libc.malloc(200 * 2**20)
ctypes.memset(block, 1, 200 * 2**20)
flags = None
for line in open("/proc/self/smaps"):
    head = line.split()[0]
    if "-" in head and not head.endswith(":"):
        low, high = (int(end, 16) for end in head.split("-"))
        is_here = low <= block + 2**26 < high
    elif head == "VmFlags:" and is_here:
        flags = line.split()[1:]
libc.free(block)
print(rss_mib() - before)
print("hg" in flags)
"""


def _probe(calls: str) -> tuple[float, float, bool]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(calls=calls)], capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    grown, kept, is_huge = done.stdout.split()
    return float(grown), float(kept), is_huge == "True"


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="a setting of glibc"
)
def test_freed_memory_is_kept_in_huge_pages_and_none_is_taken_beforehand() -> None:
    _, kept_without, is_huge_without = _probe("")
    grown, kept, is_huge = _probe("keep_freed_memory(); keep_freed_memory()")
    assert kept_without < 100
    assert not is_huge_without
    assert grown < 50
    assert kept > 150
    assert is_huge
