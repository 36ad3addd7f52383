"""Batches made in a thread while a network works."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")

PREFETCHED_BATCHES = 4


def prefetch(batches: Iterable[Batch], ahead: int = PREFETCHED_BATCHES) -> Iterator[Batch]:
    """The same batches in the same order, made in a thread while the model works.

    Decoding and warping release the interpreter's lock, so a thread is enough and nothing is
    copied between processes. An error in the thread is raised here.
    """
    iterator = iter(batches)
    end = object()
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = deque(pool.submit(next, iterator, end) for _ in range(ahead))
        try:
            while (batch := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, iterator, end))
                yield batch  # pyright: ignore[reportReturnType]
        finally:
            for future in waiting:
                future.cancel()
