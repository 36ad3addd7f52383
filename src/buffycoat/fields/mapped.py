"""One call for each of many fields, by threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from buffycoat.backbones.threads import cpus
from buffycoat.progress import Reporter

AT_ONCE = 4
"""Fields for each thread that are handed out together."""


def mapped(call: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter) -> Iterable[Any]:
    """Results in order, by threads: OpenCV and numpy release the interpreter's lock."""
    threads = cpus()
    with ThreadPoolExecutor(threads) as pool:
        done = 0
        for start in range(0, len(items), AT_ONCE * threads):
            for result in pool.map(call, items[start : start + AT_ONCE * threads]):
                done += 1
                reporter.advance(done, len(items))
                yield result
