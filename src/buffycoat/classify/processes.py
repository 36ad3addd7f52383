"""A function run on several devices at once, its progress and its result brought back."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch.multiprocessing

from buffycoat.progress import Progress
from buffycoat.training import checkpoint


@dataclass(frozen=True)
class _Mapped:
    """A memory-mapped array by its place on disk: pickled, the array itself would travel."""

    path: Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int

    def open(self) -> np.ndarray:
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


class Arguments:
    """What other processes are given: memory-mapped arrays in records travel by name.

    Closed to Lightning, which refuses to walk frozen records.
    """

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.packed = [_pack(value) for value in values]

    def values(self) -> list[Any]:
        """What was given, arrays mapped again."""
        return [_unpack(value) for value in self.packed]


def launch(
    fabric: Any,
    function: Callable[..., dict[str, Any]],
    on_progress: Progress | None,
    *args: Any,
) -> dict[str, Any]:
    """Run a function in one process a device.

    Args:
        fabric: Of `training.devices.make_fabric`, with more than one device.
        function: Of a module's top level; called as function(fabric, on_progress, *args) in each
            process. Only the first process's `on_progress` does anything.
        on_progress: Called in this process with (done, total).
        *args: Anything that can be pickled. Memory-mapped arrays in records travel by name.

    Returns:
        What the function returned in the first process: anything that a checkpoint can hold. It
        comes back through a file, since a pipe is only read once the processes have ended.
    """
    queue = torch.multiprocessing.get_context("spawn").SimpleQueue()

    def relay() -> None:
        while (step := queue.get()) is not None:
            if on_progress is not None:
                on_progress(*step)

    listener = threading.Thread(target=relay, daemon=True)
    listener.start()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.safetensors"
        try:
            fabric.launch(_run, function, queue, result, Arguments(args))
        finally:
            queue.put(None)
            listener.join()
        return checkpoint.load(result)


def _run(
    fabric: Any, function: Callable[..., Any], queue: Any, result: Path, given: Arguments
) -> None:
    def report(done: int, total: int) -> None:
        if fabric.is_global_zero:
            queue.put((done, total))

    returned = function(fabric, report, *given.values())
    if fabric.is_global_zero:
        checkpoint.save(result, returned)


def _pack(value: Any) -> Any:
    # A part of a mapped array does not know its own place in the file.
    if isinstance(value, np.memmap) and not isinstance(value.base, np.ndarray):
        return _Mapped(Path(str(value.filename)), value.dtype, value.shape, value.offset)
    return _each_field(value, _pack)


def _unpack(value: Any) -> Any:
    return value.open() if isinstance(value, _Mapped) else _each_field(value, _unpack)


def _each_field(value: Any, change: Callable[[Any], Any]) -> Any:
    """A record with a change made to each of its fields; other values as they are."""
    if not is_dataclass(value) or isinstance(value, type | _Mapped):
        return value
    changed = {f.name: change(getattr(value, f.name)) for f in fields(value) if f.init}
    return replace(value, **changed)
